"""A compiled workspace made ready to serve: one handler a route, with the filters that the route needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.compose import compose
from gateway.dispatch import dispatch
from gateway.filters.authenticate import Verifier, authenticate
from gateway.filters.authorize import Policies, authorize
from gateway.filters.paginate import paginate
from gateway.filters.validate import validate_reply, validate_request
from gateway.ingress.http import Endpoint
from gateway.pipeline import Filter, Handler, chain
from gateway.routing.model import Compiled, Route
from gateway.routing.table import Table
from gateway.upstream import Upstream


@dataclass(slots=True)
class Serving:
    """One snapshot as it is served. It never changes, but for `calls`: how many are in flight on it."""

    version: int
    compiled: Compiled
    table: Table[Endpoint]
    policies: Policies
    upstreams: Mapping[str, Upstream]
    calls: int = 0


def build(
    version: int, compiled: Compiled, upstreams: Mapping[str, Upstream], verifier: Verifier, cursor_key: bytes
) -> Serving:
    """Compiles every route into its handler and its place in the table."""
    policies = Policies(compiled.policy)
    routes = {route.operation_id: route for route in compiled.routes}
    handlers: dict[str, Handler] = {}
    table: Table[Endpoint] = Table()
    for route in compiled.routes:
        last = compose(route, routes, handlers) if route.compose else dispatch(route, upstreams)
        handlers[route.operation_id] = chain(_filters(route, compiled, policies, verifier, cursor_key), last)
        table.add(route.method, route.path, _endpoint(route, compiled, handlers[route.operation_id]))
    return Serving(version, compiled, table, policies, upstreams)


def _filters(
    route: Route, compiled: Compiled, policies: Policies, verifier: Verifier, cursor_key: bytes
) -> list[Filter]:
    filters = [authenticate(verifier), authorize(policies, route), validate_request(route)]
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
        effect=route.effect,
        handler=handler,
        deadline=route.deadline or defaults.deadline,
        max_body=defaults.max_body,
    )
