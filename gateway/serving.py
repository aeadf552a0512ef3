"""A compiled workspace made ready to serve: one handler a route, with the filters that the route needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapters.contract import Effect
from gateway.audit.arguments import Keeps
from gateway.audit.log import AuditLog
from gateway.compose import compose
from gateway.dispatch import dispatch
from gateway.filters.authenticate import authenticate
from gateway.filters.authorize import authorize, authorize_call
from gateway.filters.idempotency import idempotency
from gateway.filters.intent import intent
from gateway.filters.paginate import paginate
from gateway.filters.rate_limit import limited
from gateway.filters.redact import redact
from gateway.filters.rows import visible_rows
from gateway.filters.validate import validate_reply, validate_request
from gateway.identity.bearer import CallerVerifier
from gateway.identity.keyrings import Keyrings
from gateway.identity.signing import Keyring
from gateway.ingress.http import Endpoint
from gateway.limits.limiter import Limiter
from gateway.operations.service import Operations
from gateway.pipeline import Filter, Handler, chain
from gateway.policy.decide import Policies
from gateway.policy.sight import Sights
from gateway.routing.audit_schema import Audit
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
    limiter: Limiter
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Governance:
    """What a snapshot's filters work with, and what outlives the snapshot."""

    verifier: CallerVerifier
    keyrings: Keyrings
    operations: Operations
    limiter: Limiter
    audit: AuditLog


def build(version: int, compiled: Compiled, upstreams: Mapping[str, Upstream], governance: Governance) -> Serving:
    """Compiles every route into its handler and its place in the table."""
    policies = Policies(compiled.rules, governance.keyrings["tokens"].current.secret)
    sights = Sights(policies, compiled)
    limits = limited(compiled, governance.limiter)
    keeps = keeps_of(compiled, governance.audit)

    def admission(route: Route) -> list[Filter]:
        return [authenticate(governance.verifier), *limits[route.operation_id], authorize(policies, route)]

    def keeping(route: Route) -> list[Filter]:
        binding = route.legacy or route.replacement
        tells = binding is not None and upstreams[binding.upstream].tells
        deadline = route.deadline or compiled.defaults.deadline
        filters: list[Filter] = [authorize_call(policies, route)] if policies.waits_for(route) else []
        if route.effect is not Effect.READ:
            filters.append(idempotency(route, governance.operations, sights, tells=tells, deadline=deadline))
        # What is kept of a write may be asked for again, so it is kept as the caller may see it.
        return [*filters, redact(route)] if policies.narrowed(route) else filters

    def seeing(route: Route) -> list[Filter]:
        filters: list[Filter] = []
        if policies.narrowed(route):
            filters.append(visible_rows(route, compiled.defaults.max_page, governance.keyrings["cursor"]))
        if route.effect is not Effect.READ and route.compose is None:
            filters.append(intent(governance.audit, route, keeps[route.operation_id]))
        return filters

    made = handlers(compiled, upstreams, admission, governance.keyrings["cursor"], keeping, seeing)
    table: Table[Endpoint] = Table()
    for route in compiled.routes:
        endpoint = _endpoint(route, compiled, made[route.operation_id], keeps[route.operation_id])
        table.add(route.method, route.path, endpoint)
    return Serving(version, compiled, table, policies, upstreams, governance.limiter)


def handlers(
    compiled: Compiled,
    upstreams: Mapping[str, Upstream],
    admission: Callable[[Route], list[Filter]],
    cursor_keys: Keyring,
    keeping: Callable[[Route], list[Filter]] = lambda _: [],
    seeing: Callable[[Route], list[Filter]] = lambda _: [],
) -> dict[str, Handler]:
    """Every route's handler by operationId; `admission` gives the filters that decide who may come in, `keeping` those
    that keep a write: behind what validates the request, around what shapes the reply, which is kept as it is told;
    `seeing` those right before the binding, which leave out what the caller may not see."""
    routes = {route.operation_id: route for route in compiled.routes}
    made: dict[str, Handler] = {}
    for name, route in routes.items():
        last = compose(route, routes, made) if route.compose else dispatch(route, upstreams)
        contract = _contract_filters(route, compiled, cursor_keys, keeping(route))
        made[name] = chain([*admission(route), *contract, *seeing(route)], last)
    return made


def _contract_filters(route: Route, compiled: Compiled, cursor_keys: Keyring, keeping: list[Filter]) -> list[Filter]:
    filters: list[Filter] = [validate_request(route), *keeping]
    if route.reply is not None and route.enforcement != "off":
        filters.append(validate_reply(route))
    if route.is_list:
        filters.append(paginate(route, compiled.defaults, cursor_keys))
    return filters


def keeps_of(compiled: Compiled, audit: AuditLog) -> dict[str, Keeps]:
    """What the audit keeps of the arguments of each route, by operationId."""
    policy = compiled.policy_files.get("audit.yaml", Audit())
    assert isinstance(policy, Audit)
    return {route.operation_id: Keeps(policy.arguments_of(route), audit.hasher) for route in compiled.routes}


def _endpoint(route: Route, compiled: Compiled, handler: Handler, keeps: Keeps) -> Endpoint:
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
        keeps=keeps,
    )
