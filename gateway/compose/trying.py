"""A dry run of a composite: its reads are made, its writes are tried by their own routes, and what it would do is told
step by step. What a write would answer isn't known, so what depends on it is told to be open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

from adapters.contract import Effect, Json
from gateway.call import Call, Reply
from gateway.compose.handler import names_read
from gateway.compose.run import asked_for, continued, listed, problem_of
from gateway.compose.step_call import evaluated, is_true, place, step_call
from gateway.errors import BadRequest, Problem
from gateway.pipeline import Handler
from gateway.routing.model import Expression, Route, Step
from gateway.routing.scope import scope_builder

_WHOLE = frozenset({"dry_run", "plan_token", "expires", "needs"})
"""What a dry run tells of a call, which a step isn't."""
_UNTRIED = "it can't be tried, only made"


def trial(route: Route, all_routes: Sequence[Route], handlers: Mapping[str, Handler]) -> Handler:
    """What tries a composite; `handlers` is filled before any call. It fails as the composite would."""
    assert route.compose is not None
    routes = {each.operation_id: each for each in all_routes}
    composite, scope = route.compose, scope_builder(names_read(route.compose))
    steps = {step.name: step for step in composite.steps}
    order = list(TopologicalSorter({name: sorted(step.after) for name, step in steps.items()}).static_order())

    async def handler(call: Call) -> Reply:
        trying = _Trying(call, routes, handlers, scope(call))
        for name in order:
            trying.told[name] = await trying.step(steps[name])
        return Reply(200, {"steps": [trying.told[name] for name in steps]})

    return handler


@dataclass(slots=True)
class _Trying:
    call: Call
    routes: Mapping[str, Route]
    handlers: Mapping[str, Handler]
    known: dict[str, Json]
    open: set[str] = field(default_factory=set)
    """The steps whose results nobody has: they write, or depend on one that does."""
    told: dict[str, dict[str, Json]] = field(default_factory=dict)

    async def step(self, step: Step) -> dict[str, Json]:
        """What the step would do."""
        route = self.routes[step.route]
        told: dict[str, Any] = {"step": step.name, "route": step.route, "effect": route.effect.value}
        if step.compensate is not None:
            told["undone_by"] = step.compensate.route
        for name, condition in (("called", step.when), ("called for which items", step.for_each)):
            if condition is not None and (waits := self._open(condition)):
                self.open.add(step.name)
                return {**told, "does": "open", "why": f"whether it is {name} depends on {_listed(waits)}"}
        if step.when is not None and not is_true(await evaluated(step.when, self.known, step.name)):
            return {**told, "does": "nothing", "why": "its condition isn't met"}
        if step.for_each is None:
            return told | await self._one(step, route, self.known)
        items = await evaluated(step.for_each, self.known, step.name)
        made = [
            await self._one(step, route, {**self.known, "item": item, "index": index})
            for index, item in enumerate(listed(step, [] if items is None else items))
        ]
        if step.name not in self.open:
            self.known[step.name] = [each.get("reply") for each in made]
        return {**told, "items": made}

    async def _one(self, step: Step, route: Route, known: Mapping[str, Json]) -> dict[str, Json]:
        waits = {name: waits for name, each in step.input.items() if (waits := self._open(each))}
        if waits:
            self.open.add(step.name)
            sooner = {name: each for name, each in step.input.items() if name not in waits}
            why = "; ".join(f"{name} depends on {_listed(each)}" for name, each in waits.items())
            return {"does": "open", "input": _given(sooner, step, known), "why": why}
        made = step_call(self.call, route, step.name)
        input = asked_for(step, known)
        place(made, route, dict(input))
        if route.effect is Effect.READ:
            return {"does": "reads", "input": input, **await self._read(step, route, made)}
        self.open.add(step.name)
        made.writes, made.trying = False, True
        return {"input": input, **await self._tried(step, made)}

    async def _read(self, step: Step, route: Route, made: Call) -> dict[str, Json]:
        try:
            reply = await self._called(made)
        except Problem as problem:
            if step.on_error == "fail":
                raise problem_of(step, problem) from problem
            if step.on_error == "default":
                self.known[step.name] = step.default
            return {"why": f"it is missing: {problem.title.lower()}"}
        body = continued(reply.body, made) if route.is_list else reply.body
        self.known[step.name] = body
        return {"reply": body}

    async def _tried(self, step: Step, made: Call) -> dict[str, Json]:
        try:
            reply = await self._called(made)
        except BadRequest as problem:  # its system can't
            return {"does": "writes", "why": _UNTRIED if problem.fix else problem.detail}
        except Problem as problem:
            if step.on_error == "fail":
                raise problem_of(step, problem) from problem
            return {"does": "writes", "why": f"it would fail: {problem.title.lower()}"}
        told = reply.body if isinstance(reply.body, dict) else {}
        return {"does": "writes", "tried": {name: value for name, value in told.items() if name not in _WHOLE}}

    async def _called(self, made: Call) -> Reply:
        try:
            return await self.handlers[made.operation](made)
        finally:
            self.call.upstream_calls += made.upstream_calls

    def _open(self, expression: Expression) -> list[str]:
        return sorted(expression.names() & self.open)


def _given(input: Mapping[str, Expression], step: Step, known: Mapping[str, Json]) -> dict[str, Json]:
    return asked_for(Step(step.name, step.route, input), known)


def _listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) + ", which isn't made"
