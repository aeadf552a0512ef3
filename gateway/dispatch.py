"""The end of a route's chain: which binding serves the call, and the call of its upstream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import quote

from adapters.capabilities import SupportsPreview
from adapters.contract import Context, Effect, Held, Json, Result, Rows, Source, Tried, rows_of
from adapters.errors import AdapterError, Moved
from gateway.adapter_problems import moved, problem_of, stale
from gateway.bulk import Reading
from gateway.bulkhead import AGENT, BATCH, INTERACTIVE
from gateway.call import Call, Principal, Reply, UpstreamCall
from gateway.content import INLINE, check_whole, content_of
from gateway.errors import BadUpstreamReply, InternalError, UnknownOutcome
from gateway.inputs import input_builder, visible
from gateway.invoker import Invoker
from gateway.migration.trial import Trial
from gateway.pipeline import Handler
from gateway.routing.groups import Side
from gateway.routing.model import Binding, Expression, MappingFailed, Route
from gateway.routing.pointers import request_pointer
from gateway.telemetry import child_of
from gateway.upstream import Upstream

# A value with more items than this is mapped on a thread when the mapping isn't a compiled one.
_BIG = 200
_NOBODY = Principal("")
_ADMITTED = 0.001
"""Seconds between a call's beginning here and in its adapter, of which nobody is told: ages are told to this."""


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
    one: Invoke = partial(_one, upstream)
    whole: Invoke | None = None
    if route.is_list and binding.input is None and isinstance(upstream, Upstream) and upstream.reads_whole:
        whole = partial(_whole, upstream)
    output, writes, version = binding.output, route.effect is not Effect.READ, binding.version

    async def handler(call: Call) -> Reply:
        if route.content:
            check_whole(call)
        if call.trying and not isinstance(upstream, Trial):  # whatever led here: a dry run never makes the change
            raise InternalError("The call is a dry run, and this would make the change; nothing was sent.")
        input = build_input(call)
        invoke = one
        if whole is not None and call.reading is not None and _may_be_whole(call, input):
            invoke = whole
        result = await _invoke(call, route, binding, input, invoke)
        body, changed = result.value, writes and not call.trying
        if version is not None and not call.trying:
            call.version = _version(binding.upstream, version, body)
        if output is not None:
            big = not output.compiled and _is_big(body)
            body = await asyncio.to_thread(_mapped, output, body, changed) if big else _mapped(output, body, changed)
        reply = Reply(route.status, body, as_of=result.as_of, served_by=side, warnings=result.warnings)
        if route.content:
            reply.body, reply.content = None, (await content_of(body)).as_type(route.content)
        if result.tried is not None and call.trying:
            reply.tried = _told(result.tried, output)
        if location is not None and not call.trying:
            reply.headers.append((b"location", location(body)))
        return reply

    return handler


def _told(tried: Tried, output: Expression | None) -> Tried:
    """What a dry run tells, with what would be changed mapped as its answer is."""
    before = tried.before
    if before is not None and output is not None:
        try:
            before = output(before)
        except MappingFailed:
            before = None
    return tried._replace(before=before)


def previewed(route: Route, side: Side, upstreams: Mapping[str, Upstream]) -> Handler:
    """The handler that shows what one side's binding of `route` would be sent, and sends nothing."""
    binding = route.legacy if side == "legacy" else route.replacement
    assert binding is not None
    adapter = upstreams[binding.upstream].adapter
    build_input = input_builder(route, binding)

    async def handler(call: Call) -> Reply:
        assert isinstance(adapter, SupportsPreview)
        context = _context(call, route.effect, call.traceparent, binding)
        try:
            tried = await adapter.preview(binding.operation, build_input(call), context)
        except AdapterError as error:
            raise problem_of(error, writes=False) from error
        return Reply(route.status, served_by=side, tried=tried)

    return handler


def _version(upstream: str, member: str, value: Json) -> tuple[str, Json] | None:
    found = value.get(member) if isinstance(value, dict) else None
    return None if found is None else (upstream, found)


Invoke: TypeAlias = Callable[[Call, Effect, str, Mapping[str, Json], Context], Awaitable[Result]]


def _one(
    upstream: Invoker, call: Call, effect: Effect, operation: str, input: Mapping[str, Json], context: Context
) -> Awaitable[Result]:
    """Calls the operation, or asks what became of it."""
    invoke = upstream.look if call.looking else upstream.resume if call.resuming else upstream.call
    return invoke(operation, input, effect=effect, context=context)


async def _whole(
    upstream: Upstream, call: Call, effect: Effect, operation: str, input: Mapping[str, Json], context: Context
) -> Result:
    """The next page of a list that is read as a whole."""
    reading: Reading = call.reading
    asked = {name: value for name, value in input.items() if name not in ("limit", "before")}
    page = await reading.page(lambda: upstream.whole(operation, asked, context), call.page["limit"])
    return Result(page, reading.as_of, (Source(upstream.name, operation, as_of=reading.as_of),))


def _may_be_whole(call: Call, input: Mapping[str, Json]) -> bool:
    """Whether the upstream holds the list to what the caller may see, and has nothing to join."""
    return "expand" not in input and ("rows" in input or call.grant is None or not call.grant.narrows)


async def _invoke(call: Call, route: Route, binding: Binding, input: Mapping[str, Json], invoke: Invoke) -> Result:
    started, begun = time.perf_counter(), time.time()
    traceparent = child_of(call.traceparent)
    outcome = "failed"
    sources: tuple[Any, ...] = ()
    try:
        context = _context(call, route.effect, traceparent, binding)
        if route.content:
            context = context._replace(inline=INLINE)
        if route.effect is not Effect.READ:
            context = context._replace(most=route.max_affected, held=_held(call, binding))
        result = await invoke(call, route.effect, binding.operation, input, context)
        if route.effect is Effect.READ:
            result = not_newer(result, begun)
        outcome, sources = "ok", result.sources
    except AdapterError as error:
        outcome = type(error).__name__
        problem = problem_of(error, writes=route.effect is not Effect.READ and not call.trying)
        if isinstance(error, Moved) and call.repeated:
            problem = UnknownOutcome("It has changed since: the first request may have done it.", note=error.detail)
        elif isinstance(error, Moved) and call.planned is not None and not call.trying:
            problem = stale(note=problem.note)
        elif isinstance(error, Moved) and b"if-match" in call.raw_headers:
            problem = moved(note=problem.note)
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


def _held(call: Call, binding: Binding) -> Held | None:
    """What the write must still find there; None: whatever is there."""
    planned = call.planned
    if planned is None or call.trying or planned.upstream != binding.upstream or not any(planned.held):
        return None
    return planned.held


def not_newer(result: Result, begun: float) -> Result:
    """What a read answered, as old as the moment in which it was asked at least (seconds since the epoch): since then
    the source may have changed, whatever the adapter believes."""
    if result.as_of.timestamp() <= begun + _ADMITTED:
        return result
    asked = datetime.fromtimestamp(begun, UTC)
    sources = (
        each if each.as_of is None or each.as_of <= asked else each._replace(as_of=asked) for each in result.sources
    )
    return result._replace(as_of=asked, sources=tuple(sources))


def _rows_to_write(call: Call, binding: Binding) -> Rows | None:
    """The rows that a write may touch; None: any."""
    if call.grant is None or not call.grant.narrows:
        return None
    rows = visible(call, binding)
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
