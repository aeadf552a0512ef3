"""One call of a composite: its steps' calls, and the results as they come in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from adapters.contract import Effect, Json
from gateway.call import MOCKED, NEVER_KEPT, Call, Reply
from gateway.compose.graph import run_items, run_steps
from gateway.compose.parts import Doing
from gateway.compose.step_call import argued, evaluated, given, is_true, place, step_call
from gateway.compose.trace import Told, Trace
from gateway.errors import BadUpstreamReply, InvalidRequest, Problem, UnknownOutcome
from gateway.pipeline import Handler
from gateway.routing.compose_schema import MOST_ITEMS
from gateway.routing.model import Composite, MappingFailed, Route, Step

PARTIAL = b"figway-partial"
# How a write's call of its upstream ends when something was changed, or may have been: one that is cancelled goes on.
_DONE = frozenset({"ok", "cancelled", "UnknownOutcome"})


@dataclass(frozen=True, slots=True)
class Around:
    """What the calls of a composite have in common; `handlers` is filled before any call."""

    composite: Composite
    routes: Mapping[str, Route]
    handlers: Mapping[str, Handler]

    @property
    def lasting(self) -> frozenset[str]:
        """The steps that are never cut off: they write."""
        return frozenset(
            each.name for each in self.composite.steps if self.routes[each.route].effect is not Effect.READ
        )


class Run:
    """One call of a composite. `doing` notes what may have to be undone; None: nothing is."""

    def __init__(self, around: Around, call: Call, scope: Mapping[str, Json], doing: Doing | None) -> None:
        self._around, self._call, self._scope, self._doing = around, call, scope, doing
        self._steps = {step.name: step for step in around.composite.steps}
        self._like: Counter[str] = Counter()
        self.results: dict[str, Json] = {}
        self.trace = Trace()
        self.times: dict[str, datetime] = {}
        """As of when each part is, by the names of the steps."""
        self.served_by: str | None = None
        self.warnings: dict[str, None] = {}
        self.marks: dict[tuple[bytes, bytes], None] = {}
        """What makes the whole an example where a part is one."""
        self.missing: dict[str, None] = {}
        """The parts that aren't there, or not wholly, as they failed."""
        self.changed = False
        """Whether a part has changed something, or may have."""

    async def all(self, lasting: frozenset[str]) -> None:
        """Runs every step; the first failure that isn't allowed for ends the others."""
        await run_steps({name: step.after for name, step in self._steps.items()}, self._step, lasting)

    async def _step(self, name: str) -> None:
        step = self._steps[name]
        with self.trace.step(name, step.route) as told:
            known = {**self._scope, **self.results}
            if step.when is not None and not is_true(await evaluated(step.when, known, name)):
                told.outcome = "skipped"
            elif step.for_each is None:
                await self._one(step, known, told)
            else:
                await self._each(step, known, told)

    async def _one(self, step: Step, known: Mapping[str, Json], told: Told) -> None:
        made = self._made(step, known)
        try:
            self.results[step.name] = await self._called(step, made, known, told)
        except Problem as problem:
            self._allow(step, problem, made)
            told.outcome = "omitted" if step.on_error == "omit" else "default"
            self._miss(step.name, f"The part '{step.name}' is missing: {problem.title.lower()}.")
            if step.on_error == "default":
                self.results[step.name] = step.default

    async def _each(self, step: Step, known: Mapping[str, Json], told: Told) -> None:
        """Calls the route for each item. One that fails and is allowed for leaves its place to null, or the default."""
        assert step.for_each is not None
        found = await evaluated(step.for_each, known, step.name)
        items = listed(step, [] if found is None else found)
        results: list[Json] = [step.default if step.on_error == "default" else None] * len(items)
        failures: Counter[str] = Counter()
        told.items = len(items)

        async def one(index: int) -> None:
            scope = {**known, "item": items[index], "index": index}
            made = self._made(step, scope)
            if made.writes:
                digest = argued(made)
                made.step = f"{step.name}/{digest}.{self._like[digest]}"
                self._like[digest] += 1
            try:
                results[index] = await self._called(step, made, scope, told)
            except Problem as problem:
                self._allow(step, problem, made)
                failures[problem.title.lower()] += 1

        await run_items(len(items), step.concurrency, one)
        told.missing = failures.total()
        self.results[step.name] = results
        if failures:
            why = ", ".join(f"{count} × {title}" if len(failures) > 1 else title for title, count in failures.items())
            self._miss(step.name, f"Of the part '{step.name}' {told.missing} of {len(items)} are missing: {why}.")

    async def _called(self, step: Step, made: Call, known: Mapping[str, Json], told: Told) -> Json:
        handler, route = self._around.handlers[step.route], self._around.routes[step.route]
        try:
            if self._doing is not None and made.writes:
                reply = await self._doing.part(step, made, known, handler)
            else:
                reply = await handler(made)
        except Problem:
            _note_denied(made)
            raise
        finally:
            calls = made.upstream_calls
            self._call.upstream_calls += calls
            told.upstream += sum(each.seconds for each in calls)
            self.changed = self.changed or (made.writes and any(each.outcome in _DONE for each in calls))
        self._note(step, reply)
        return continued(reply.body, made) if route.is_list else reply.body

    def _allow(self, step: Step, problem: Problem, made: Call) -> None:
        """Raises a failure that the step doesn't allow for. What a write may have done is passed over in no case."""
        if step.on_error == "fail" or (made.writes and isinstance(problem, UnknownOutcome)):
            raise problem_of(step, problem) from problem

    def _miss(self, name: str, sentence: str) -> None:
        self.missing[name] = None
        self.warnings[sentence] = None

    def _note(self, step: Step, reply: Reply) -> None:
        self.warnings.update(dict.fromkeys(reply.warnings))
        if MOCKED in reply.headers:
            self.marks |= {MOCKED: None, NEVER_KEPT: None}
        for name, value in reply.headers:
            if name == PARTIAL:
                self.missing |= {f"{step.name}.{each}": None for each in value.decode().split(", ")}
        if reply.as_of is not None:
            self.times[step.name] = min(reply.as_of, self.times.get(step.name, reply.as_of))
        self.served_by = reply.served_by if self.served_by in (None, reply.served_by) else "legacy"

    def _made(self, step: Step, known: Mapping[str, Json]) -> Call:
        route = self._around.routes[step.route]
        made = step_call(self._call, route, step.name)
        place(made, route, asked_for(step, known))
        return made


def asked_for(step: Step, known: Mapping[str, Json]) -> dict[str, Json]:
    """The values of a step's input; raises `BadUpstreamReply`."""
    try:
        return given(step.input, known)
    except MappingFailed as error:
        raise BadUpstreamReply(f"The part '{step.name}' can't be asked for.", note=str(error)) from error


def listed(step: Step, value: Json) -> list[Json]:
    """The items that a step is called for; raises `BadUpstreamReply` where there is no list, or too long a one."""
    if not isinstance(value, list):
        raise BadUpstreamReply(f"The part '{step.name}' is for each item of a list, and there is none.")
    if len(value) > MOST_ITEMS:
        raise BadUpstreamReply(f"The part '{step.name}' is for at most {MOST_ITEMS} items, and there are {len(value)}.")
    return value


def continued(body: Json, made: Call) -> Json:
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


def problem_of(step: Step, problem: Problem) -> Problem:
    """A step that was asked wrongly is no fault of the caller's."""
    if isinstance(problem, InvalidRequest):
        return BadUpstreamReply(
            f"The part '{step.name}' can't be asked for with what came before.", note=problem.detail
        )
    return problem
