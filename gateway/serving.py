"""A compiled workspace made ready to serve: one handler a route, with the filters that the route needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapters.contract import Effect
from gateway.compose import compose
from gateway.dispatch import dispatch
from gateway.filters.authenticate import authenticate
from gateway.filters.authorize import Policies, authorize
from gateway.filters.paginate import paginate
from gateway.filters.validate import validate_reply, validate_request
from gateway.identity.bearer import CallerVerifier
from gateway.pipeline import Filter, Handler, chain
from gateway.routing.model import Compiled, Route
from gateway.routing.table import Table
from gateway.upstream import Upstream

from gateway.ingress.http import Endpoint


@dataclass(slots=True)
class Serving:
    """One snapshot as it is served. It never changes, but for `calls`: how many are in flight on it."""

    version: int
    compiled: Compiled
    table: Table[Endpoint]
    policies: Policies
    upstreams: Mapping[str, Upstream]
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Governance:
    """What a snapshot's filters work with, and what outlives the snapshot."""

    verifier: CallerVerifier
    cursor_key: bytes


def build(version: int, compiled: Compiled, upstreams: Mapping[str, Upstream], governance: Governance) -> Serving:
    """Compiles every route into its handler and its place in the table."""
    policies = Policies(compiled.policy)

    def admission(route: Route) -> list[Filter]:
        return [authenticate(governance.verifier), authorize(policies, route)]

    made = handlers(compiled, upstreams, admission, governance.cursor_key)
    table: Table[Endpoint] = Table()
    for route in compiled.routes:
        table.add(route.method, route.path, _endpoint(route, compiled, made[route.operation_id]))
    return Serving(version, compiled, table, policies, upstreams)


def handlers(
    compiled: Compiled,
    upstreams: Mapping[str, Upstream],
    admission: Callable[[Route], list[Filter]],
    cursor_key: bytes,
) -> dict[str, Handler]:
    """Every route's handler by operationId; `admission` gives the filters that decide who may come in."""
    routes = {route.operation_id: route for route in compiled.routes}
    made: dict[str, Handler] = {}
    for name, route in routes.items():
        last = compose(route, routes, made) if route.compose else dispatch(route, upstreams)
        made[name] = chain([*admission(route), *_contract_filters(route, compiled, cursor_key)], last)
    return made


def _contract_filters(route: Route, compiled: Compiled, cursor_key: bytes) -> list[Filter]:
    filters: list[Filter] = [validate_request(route)]
    if route.reply is not None and route.enforcement != "off":
        filters.append(validate_reply(route))
    if route.is_list:
        filters.append(paginate(route, compiled.defaults, cursor_key))
    return filters


def _endpoint(route: Route, compiled: Compiled, handler: Handler) -> Endpoint:
    defaults = compiled.defaults
    return Endpoint(
        operation_id=route.operation_id,
        path=route.path,
        effect=route.effect.value,
        writes=route.effect is not Effect.READ,
        handler=handler,
        deadline=route.deadline or defaults.deadline,
        max_body=defaults.max_body,
        max_reply=defaults.max_reply,
        takes_body=route.body is not None,
    )
