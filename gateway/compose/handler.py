"""One route from several: its steps call routes, never upstreams, so that each keeps its own governance.

Steps run as parallel as their references allow: a step starts when the last step that it comes after has ended.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from gateway.call import NEVER_KEPT, Call, Reply
from gateway.compose.parts import Doing
from gateway.compose.run import PARTIAL, Around, Run
from gateway.compose.step_call import evaluated
from gateway.compose.undoing import Undoing, told
from gateway.errors import Problem, UnknownOutcome
from gateway.instants import spelt
from gateway.pipeline import Handler
from gateway.routing.model import Composite, Route
from gateway.routing.scope import scope_builder


def compose(
    route: Route, routes: Mapping[str, Route], handlers: Mapping[str, Handler], undoing: Undoing | None = None
) -> Handler:
    """The handler of a composite; `handlers` holds the snapshot's by operationId, filled before any call. Without
    `undoing` nothing of it is undone."""
    assert route.compose is not None
    composite = route.compose
    around, scope = Around(composite, routes, handlers), scope_builder(names_read(composite))
    lasting: frozenset[str] | None = None

    async def handler(call: Call) -> Reply:
        nonlocal lasting
        lasting = around.lasting if lasting is None else lasting
        doing = None
        if composite.undoes and undoing is not None and call.kept and call.principal is not None:
            undoing.check(composite, call.principal)
            doing = Doing(undoing.ledger, routes, call)
        run = Run(around, call, scope(call), doing)
        try:
            await run.all(lasting)
            body = await evaluated(composite.output, run.results, route.operation_id)
        except Problem as problem:
            if doing is not None and undoing is not None:
                raise await _undone(undoing, call, route, problem, doing) from problem
            if run.changed and call.idempotency_key is None and not isinstance(problem, UnknownOutcome):
                raise _half_done(problem) from problem
            raise
        finally:
            run.trace.note(call)
        headers = list(run.marks)
        if run.missing:
            names = ", ".join(run.missing).encode()
            headers = [*headers, (PARTIAL, names), *(() if NEVER_KEPT in headers else (NEVER_KEPT,))]
        if run.times:
            headers.append((b"figway-parts-as-of", parts_as_of(run.times)))
        oldest = min(run.times.values(), default=None)
        return Reply(route.status, body, oldest, run.served_by, headers, tuple(run.warnings))

    return handler


def parts_as_of(times: Mapping[str, datetime]) -> bytes:
    """As of when each part of a reply is: a dictionary of strings (RFC 8941 §3.2), in RFC 3339, UTC."""
    told = {name: spelt(at, "milliseconds") for name, at in times.items()}
    return ", ".join(f'{name}="{at}"' for name, at in sorted(told.items())).encode()


def names_read(composite: Composite) -> frozenset[str]:
    """The names of the scope that its steps read."""
    undone = [each for step in composite.steps if step.compensate for each in step.compensate.input.values()]
    reads = [each for step in composite.steps for each in step.reads()]
    return frozenset().union(*(each.names() for each in (*reads, *undone)))


async def _undone(undoing: Undoing, call: Call, route: Route, problem: Problem, doing: Doing) -> Problem:
    """Undoes what was done before it failed; returns what the caller is told."""
    if not doing.count:
        return problem
    ledger, until = undoing.ledger, time.monotonic() + undoing.deadline(route)
    await ledger.undo(call.kept)
    try:
        undone = await undoing.undo(call, until)
    except Problem as failed:
        await ledger.wait(call.kept, 0)
        return UnknownOutcome(f"{problem.detail} What was done before it is undone later.", note=failed.note)
    if undone.again:
        await ledger.wait(call.kept, 0)
    else:
        await ledger.undo(call.kept, "settled")
    sentences = told(undone.parts, again=undone.again)
    if not undone.clean:
        return UnknownOutcome(f"A part of the change failed. {sentences}", note=problem.note or problem.detail)
    if sentences:
        problem.detail = f"{problem.detail} {sentences}"
    return problem


def _half_done(problem: Problem) -> UnknownOutcome:
    """Some of it was done. Without a key there is no way to go on where it failed, so nobody should just try again."""
    return UnknownOutcome(
        "A part of the change failed when another had been made, or may have been.",
        fix="Read the entities to learn what became of it. With an Idempotency-Key such a call can be sent again.",
        note=problem.note or problem.detail,
    )
