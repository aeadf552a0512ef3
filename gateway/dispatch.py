"""The end of a route's chain: which binding serves the call, and the call of its upstream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from adapters.contract import Context, Effect, Json, Result, Rows, rows_of
from adapters.errors import AdapterError
from gateway.adapter_problems import problem_of
from gateway.bulkhead import AGENT, BATCH, INTERACTIVE
from gateway.call import Call, Principal, Reply, UpstreamCall
from gateway.errors import BadUpstreamReply, InternalError, InvalidRequest, UnknownOutcome
from gateway.invoker import Invoker
from gateway.migration.trial import Trial
from gateway.pipeline import Handler
from gateway.routing.groups import Side
from gateway.routing.model import Binding, Expression, MappingFailed, Route
from gateway.routing.pointers import request_pointer
from gateway.routing.scope import is_given, scope_builder
from gateway.telemetry import child_of

# A value with more items than this is mapped on a thread when the mapping isn't a compiled one.
_BIG = 200
_NOBODY = Principal("")


def dispatch(route: Route, upstreams: Mapping[str, Invoker]) -> Handler:
    """The handler that calls `route`'s binding: legacy's, where it has one."""
    side: Side = "legacy" if route.legacy is not None else "replacement"
    return bound(route, side, upstreams)


def bound(route: Route, side: Side, upstreams: Mapping[str, Invoker]) -> Handler:
    """The handler that calls one side's binding of `route`, which has it."""
    binding = route.legacy if side == "legacy" else route.replacement
    assert binding is not None
    upstream = upstreams[binding.upstream]
    build_input = input_builder(route, binding)
    location = location_of(route)
    output, writes = binding.output, route.effect is not Effect.READ

    async def handler(call: Call) -> Reply:
        if call.trying and not isinstance(upstream, Trial):  # whatever led here: a dry run never makes the change
            raise InternalError("The call is a dry run, and this would make the change; nothing was sent.")
        result = await _invoke(call, route, binding, upstream, build_input(call))
        body, changed = result.value, writes and not call.trying
        if output is not None:
            big = not output.compiled and _is_big(body)
            body = await asyncio.to_thread(_mapped, output, body, changed) if big else _mapped(output, body, changed)
        reply = Reply(route.status, body, as_of=result.as_of, served_by=side, warnings=result.warnings)
        if location is not None and not call.trying:
            reply.headers.append((b"location", location(body)))
        return reply

    return handler


async def _invoke(call: Call, route: Route, binding: Binding, upstream: Invoker, input: Mapping[str, Json]) -> Result:
    started = time.perf_counter()
    traceparent = child_of(call.traceparent)
    outcome = "failed"
    sources: tuple[Any, ...] = ()
    try:
        invoke = upstream.look if call.looking else upstream.resume if call.resuming else upstream.call
        context = _context(call, route.effect, traceparent, binding)
        result = await invoke(binding.operation, input, effect=route.effect, context=context)
        outcome, sources = "ok", result.sources
    except AdapterError as error:
        outcome = type(error).__name__
        problem = problem_of(error, writes=route.effect is not Effect.READ and not call.trying)
        problem.errors = tuple(
            {**each, "pointer": request_pointer(binding, call, each["pointer"])} for each in problem.errors
        )
        raise problem from error
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    finally:
        seconds = time.perf_counter() - started
        span = "" if traceparent is call.traceparent else traceparent[36:52]
        call.upstream_calls.append(
            UpstreamCall(binding.upstream, binding.operation, seconds, outcome, sources, started, span)
        )
    return result


def _rows(call: Call, binding: Binding) -> list[list[list[Json]]] | None:
    """The rows that the caller may see, by the upstream's names; None: all, or the upstream can't be narrowed."""
    if call.grant is None or not call.grant.narrows or not binding.filters_rows:
        return None
    rows: list[list[list[Json]]] | None = call.grant.rows(None if binding.output is None else binding.fields)
    return rows


def _rows_to_write(call: Call, binding: Binding) -> Rows | None:
    """The rows that a write may touch; None: any."""
    if call.grant is None or not call.grant.narrows:
        return None
    rows = _rows(call, binding)
    if rows is None:  # `figway check` has refused this: an upstream that can't be narrowed writes nothing
        raise InternalError("The change can't be held to what you may see.", note="@rows on a write that can't obey")
    return rows_of(rows)


def _context(call: Call, effect: Effect, traceparent: str, binding: Binding) -> Context:
    who = call.principal or _NOBODY
    return Context(
        deadline=call.deadline,
        traceparent=traceparent,
        idempotency_key=call.idempotency_key,
        principal=who.id or None,
        agent=who.agent,
        effect=effect,
        tenant=who.tenant,
        roles=who.roles,
        delegation=who.delegation,
        subject_token=call.subject_token,
        rows=None if effect is Effect.READ else _rows_to_write(call, binding),
        priority=call.priority or (BATCH if call.batch else AGENT if who.agent else INTERACTIVE),
    )


def _mapped(output: Expression, value: Json, writes: bool) -> Json:
    try:
        return output(value)
    except MappingFailed as error:
        note = f"output mapping failed: {error}"
        if writes:
            raise UnknownOutcome("The change was made, but its answer can't be mapped.", note=note) from error
        raise BadUpstreamReply("The answer can't be mapped to the route's contract.", note=note) from error


def _is_big(value: Json) -> bool:
    members = value.values() if isinstance(value, dict) else [value]
    return any(isinstance(member, list) and len(member) > _BIG for member in members)


# ── input ────────────────────────────────────────────────────────────────────────────────────────────────────


def input_builder(route: Route, binding: Binding) -> Callable[[Call], Mapping[str, Json]]:
    """A function from a call to the operation's input, as the binding says or, where it is silent, by default."""
    if binding.input is None:
        return _listed(binding) if route.is_list else _merged
    names = frozenset().union(*(expression.names() for expression in binding.input.values()))
    scope = scope_builder(names)
    expressions = tuple(binding.input.items())

    def build(call: Call) -> Mapping[str, Json]:
        values = scope(call)
        try:
            mapped = [(name, expression, expression(values)) for name, expression in expressions]
        except MappingFailed as error:
            raise InternalError("The route's input mapping failed.", note=str(error)) from error
        input: dict[str, Json] = {}
        for name, expression, value in mapped:
            # What the caller left out stays out: an absent value is not a null.
            if value is not None or is_given(expression, values):
                _put(input, name, value)
        return input

    return build


def _put(input: dict[str, Json], name: str, value: Json) -> None:
    """Sets a member; the name `Changes.Email` leads into a member's member."""
    *parents, last = name.split(".")
    for parent in parents:
        input = input.setdefault(parent, {})
    input[last] = value


def _merged(call: Call) -> Mapping[str, Json]:
    body = call.body if isinstance(call.body, dict) else {}
    return {**body, **call.query, **call.path}


def _listed(binding: Binding) -> Callable[[Call], Mapping[str, Json]]:
    fields = binding.fields

    def translated(name: str) -> str:
        sign, plain = ("-", name[1:]) if name.startswith("-") else ("", name)
        if fields and plain not in fields:
            raise InvalidRequest(
                f"The list can't be sorted by '{plain}'.",
                errors=[{"pointer": "/query/sort", "detail": "unknown field"}],
            )
        return sign + fields.get(plain, plain)

    def build(call: Call) -> Mapping[str, Json]:
        page = call.page
        path = [[fields.get(name, name), "eq", value] for name, value in call.path.items()]
        where = [[fields.get(name, name), operator, value] for name, operator, value in page["where"]]
        sort = [translated(name) for name in page["sort"]]
        input = {"limit": page["limit"], "after": page["after"], "sort": sort, "where": path + where}
        rows = _rows(call, binding)
        if rows is not None:
            input["rows"], call.rows_pushed = rows, True
        return input

    return build


def location_of(route: Route) -> Callable[[Json], bytes] | None:
    """What makes the Location of a reply from its body; None: the route has none."""
    if route.location is None:
        return None
    template = route.location

    def build(body: Json) -> bytes:
        try:
            return template.format_map({name: quote(str(value), safe="") for name, value in body.items()}).encode()
        except (KeyError, AttributeError, ValueError) as error:
            note = f"the location can't be made from the reply: {error!r}"
            if route.effect is Effect.READ:
                raise InternalError("The route's location can't be made from its reply.", note=note) from error
            raise UnknownOutcome("The change was made, but its answer doesn't say where.", note=note) from error

    return build
