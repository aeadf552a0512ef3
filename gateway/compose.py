"""One route from several: its steps call routes, never upstreams, so that each keeps its own governance.

Steps run as parallel as their references allow: a step starts when the last step that its input reads has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from adapters.contract import Effect, Json
from gateway.call import MOCKED, NEVER_KEPT, Call, Reply
from gateway.errors import BadUpstreamReply, InvalidRequest, Problem, UnknownOutcome
from gateway.pipeline import Handler
from gateway.routing.model import Composite, MappingFailed, Route, Step
from gateway.routing.scope import is_given, scope_builder

_OMITTED = object()
# How a write's call of its upstream ends when something was changed, or may have been: one that is cancelled goes on.
_DONE = frozenset({"ok", "cancelled", "UnknownOutcome"})


def compose(route: Route, routes: Mapping[str, Route], handlers: Mapping[str, Handler]) -> Handler:
    """The handler of a composite; `handlers` holds the snapshot's by operationId, filled before any call."""
    assert route.compose is not None
    composite = route.compose
    names = [each.names() for step in composite.steps for each in step.input.values()]
    scope = scope_builder(frozenset().union(*names))

    async def handler(call: Call) -> Reply:
        run = _Run(composite, call, scope(call), routes, handlers)
        try:
            await run.all()
        except Problem as problem:
            if run.changed and call.idempotency_key is None and not isinstance(problem, UnknownOutcome):
                raise _half_done(problem) from problem
            raise
        try:
            body = composite.output(run.results)
        except MappingFailed as error:
            raise BadUpstreamReply("The parts can't be mapped to the route's contract.", note=str(error)) from error
        marks, warnings = list(dict.fromkeys(run.marks)), tuple(dict.fromkeys(run.warnings))
        return Reply(route.status, body, run.oldest, run.served_by, marks, warnings)

    return handler


class _Run:
    """One call of a composite: the steps' results as they come in."""

    def __init__(
        self,
        composite: Composite,
        call: Call,
        scope: dict[str, Json],
        routes: Mapping[str, Route],
        handlers: Mapping[str, Handler],
    ) -> None:
        self._composite, self._call, self._scope = composite, call, scope
        self._routes, self._handlers = routes, handlers
        self.results: dict[str, Json] = {}
        self.oldest: datetime | None = None
        self.served_by: str | None = None
        self.warnings: list[str] = []
        self.marks: list[tuple[bytes, bytes]] = []
        """What makes the whole an example where a part is one."""
        self.changed = False
        """Whether a part has changed something, or may have."""

    async def all(self) -> None:
        """Runs every step; the first failure that isn't allowed for ends the others."""
        done = {step.name: asyncio.Event() for step in self._composite.steps}
        try:
            async with asyncio.TaskGroup() as group:
                for step in self._composite.steps:
                    group.create_task(self._when_ready(step, done))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _when_ready(self, step: Step, done: Mapping[str, asyncio.Event]) -> None:
        for name in step.after:
            await done[name].wait()
        result = await self._step(step)
        if result is not _OMITTED:
            self.results[step.name] = result
        done[step.name].set()

    async def _step(self, step: Step) -> Json:
        made = self._step_call(step)
        try:
            reply = await self._handlers[step.route](made)
        except Problem as problem:
            _note_denied(made)
            if step.on_error == "fail":
                raise _told(step, problem) from problem
            self.warnings.append(f"The part '{step.name}' is missing: {problem.title.lower()}.")
            return step.default if step.on_error == "default" else _OMITTED
        finally:
            self._call.upstream_calls += made.upstream_calls
            self.changed = self.changed or (made.writes and any(each.outcome in _DONE for each in made.upstream_calls))
        self._note(reply)
        return _continued(reply.body, made) if self._routes[step.route].is_list else reply.body

    def _note(self, reply: Reply) -> None:
        self.warnings.extend(reply.warnings)
        if MOCKED in reply.headers:
            self.marks += [MOCKED, NEVER_KEPT]
        if reply.as_of is not None and (self.oldest is None or reply.as_of < self.oldest):
            self.oldest = reply.as_of
        self.served_by = reply.served_by if self.served_by in (None, reply.served_by) else "legacy"

    def _step_call(self, step: Step) -> Call:
        call, route = self._call, self._routes[step.route]
        made = Call(
            id=call.id,
            operation=step.route,
            snapshot=call.snapshot,
            method=route.method,
            target=route.path,
            deadline=call.deadline,
            traceparent=call.traceparent,
            path={},
            raw_headers=call.raw_headers,
            parent=call,
            batch=call.batch,
            step=step.name,
            route=route.path,
            effect=route.effect.value,
            writes=route.effect is not Effect.READ,
            peer=call.peer,
            subject_token=call.subject_token,
        )
        self._place(made, route, self._input(step))
        return made

    def _input(self, step: Step) -> dict[str, Json]:
        known = {**self._scope, **self.results}
        try:
            values = {name: (each(known), is_given(each, known)) for name, each in step.input.items()}
        except MappingFailed as error:
            raise BadUpstreamReply(f"The part '{step.name}' can't be asked for.", note=str(error)) from error
        return {name: value for name, (value, given) in values.items() if value is not None or given}

    @staticmethod
    def _place(call: Call, route: Route, input: dict[str, Json]) -> None:
        """Puts each value where the step's route declares it; what it doesn't declare belongs to the body."""
        places = {"path": call.path, "query": call.query, "header": call.header}
        for parameter in route.parameters:
            if parameter.name in input:
                value = input.pop(parameter.name)
                if value is not None:  # no parameter is null
                    places[parameter.where][parameter.name] = value
        call.body = input.pop("body") if set(input) == {"body"} else input


def _continued(body: Json, made: Call) -> Json:
    """A step's page, with the cursor of the next in place of its URL: nobody has asked for that, and a composite that
    is a list itself goes on by it."""
    if not isinstance(body, dict):
        return body
    return {name: value for name, value in body.items() if name != "previous"} | {"next": made.following}


def _note_denied(made: Call) -> None:
    """Has the audit tell which part was denied, and by what: of a part there is no record of its own."""
    if made.decision == "deny":
        whole = made
        while whole.parent is not None:
            whole = whole.parent
        whole.noted.setdefault("denied", {})[made.operation] = list(made.policies)


def _half_done(problem: Problem) -> UnknownOutcome:
    """Some of it was done. Without a key there is no way to go on where it failed, so nobody should just try again."""
    return UnknownOutcome(
        "A part of the change failed when another had been made, or may have been.",
        fix="Read the entities to learn what became of it. With an Idempotency-Key such a call can be sent again.",
        note=problem.note or problem.detail,
    )


def _told(step: Step, problem: Problem) -> Problem:
    """A step that was asked wrongly is no fault of the caller's."""
    if isinstance(problem, InvalidRequest):
        return BadUpstreamReply(
            f"The part '{step.name}' can't be asked for with what came before.", note=problem.detail
        )
    return problem
