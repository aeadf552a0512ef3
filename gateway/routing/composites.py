"""`compose` of an operation: its steps, what they read and the order in which they run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Literal

from adapters.contract import Effect, JsonSchema
from gateway.nearest import nearest
from gateway.routing.bindings import Compiler, Signature, among, object_of
from gateway.routing.compose_schema import AT_ONCE, CompensateModel, ComposeModel, StepModel
from gateway.routing.mapping import Mapped
from gateway.routing.model import Compensation, Composite, Step
from gateway.routing.report import Place

_ANY: JsonSchema = {}
ITEM_NAMES = ("item", "index")
"""What the input of a `for_each` reads of the item that it is called for."""


class Composer(Compiler):
    """Compiles what one contract's operations are served by, composites included."""

    def composite(
        self, model: ComposeModel, signature: Signature, routes: Mapping[str, Signature], place: Place
    ) -> Composite | None:
        """The composite, its steps' order found from what they read, what they name and which of them write."""
        results = {name: _result(step, routes) for name, step in model.steps.items()}
        given = signature.scope()
        self._check_names(model, given, place)
        steps: list[Step] = []
        write: str | None = None
        for name, step in model.steps.items():
            at = (*place, "steps", name)
            scope = given | {other: schema for other, schema in results.items() if other != name}
            made = self._step(name, step, scope, routes, at)
            reads = {each for read in made.reads() for each in read.names() if each in model.steps}
            after = reads | self._named(name, step, model, at)
            if _writes(step.route, routes):
                after |= {write} if write is not None else set()
                write = name
            undone = self._compensation(name, step, scope, routes, at)
            steps.append(replace(made, after=frozenset(after), compensate=undone))
        output = self._output(model.output, object_of(dict(results)), signature, (*place, "output"))
        return None if output is None else Composite(tuple(steps), output)

    def _step(
        self, name: str, step: StepModel, scope: Mapping[str, Any], routes: Mapping[str, Signature], at: Place
    ) -> Step:
        when = self._condition(step.when, scope, (*at, "when"))
        for_each = self._condition(step.for_each, scope, (*at, "for_each"))
        inner = {**scope, **dict.fromkeys(ITEM_NAMES, _ANY)} if step.for_each is not None else scope
        given = self._inputs(step.input, inner, (*at, "input")) or {}
        self._check_step(step.route, given, routes, at)
        fallback = step.on_error["default"] if isinstance(step.on_error, dict) else None
        on_error: Literal["fail", "omit", "default"] = "default" if isinstance(step.on_error, dict) else step.on_error
        at_once = 1 if _writes(step.route, routes) else step.concurrency or AT_ONCE
        return Step(name, step.route, given, on_error, fallback, frozenset(), when, for_each, at_once)

    def _condition(self, source: str | None, scope: Mapping[str, Any], place: Place) -> Mapped | None:
        return None if source is None else self._expression(source, object_of(dict(scope)), place)

    def _named(self, name: str, step: StepModel, model: ComposeModel, at: Place) -> set[str]:
        """The steps that it says it comes after."""
        for other in step.after:
            if other not in model.steps or other == name:
                known = sorted(set(model.steps) - {name})
                self._say((*at, "after"), f"there is no other step '{other}'{among(known)}")
        return {other for other in step.after if other in model.steps and other != name}

    def _compensation(
        self, name: str, step: StepModel, scope: Mapping[str, Any], routes: Mapping[str, Signature], at: Place
    ) -> Compensation | None:
        model, at = step.compensate, (*at, "compensate")
        if model is None:
            return None
        own = {} if model.if_unknown else {name: _reply(step.route, routes)}
        inner = {**scope, **own, **(dict.fromkeys(ITEM_NAMES, _ANY) if step.for_each is not None else {})}
        given = self._inputs(model.input, inner, (*at, "input")) or {}
        self._check_step(model.route, given, routes, at)
        self._check_compensation(step, model, routes, at)
        return Compensation(model.route, given, model.if_unknown)

    def _check_compensation(
        self, step: StepModel, model: CompensateModel, routes: Mapping[str, Signature], at: Place
    ) -> None:
        if step.route in routes and not _writes(step.route, routes):
            self._say(at, f"'{step.route}' only reads, so there is nothing to undo: remove compensate")
        elif model.route in routes and not _writes(model.route, routes):
            self._say((*at, "route"), f"'{model.route}' only reads, so it undoes nothing: name a route that writes")

    def _check_step(self, route: str, given: Collection[str], routes: Mapping[str, Signature], place: Place) -> None:
        target = routes.get(route)
        if target is None:
            self._say(
                (*place, "route"), f"there is no route '{route}'{nearest(route, routes) or among(sorted(routes))}"
            )
            return
        accepts = target.accepts()
        if "body" in given and "body" not in accepts and target.body is not None:  # the whole of it
            accepts = {**{each.name: each.required for each in target.parameters}, "body": target.body.required}
        for name in sorted(set(given) - set(accepts)):
            self._say((*place, "input", name), f"'{route}' takes no '{name}'{among(sorted(accepts))}")
        for name in sorted(name for name, must in accepts.items() if must and name not in given):
            self._say((*place, "input"), f"'{route}' needs '{name}': give it an expression or a value")

    def _check_names(self, model: ComposeModel, given: Mapping[str, Any], place: Place) -> None:
        taken = {*given, *(ITEM_NAMES if any(each.for_each for each in model.steps.values()) else ())}
        for name in model.steps:
            if name in taken:
                self._say((*place, "steps", name), f"'{name}' means something else in expressions: rename the step")


def _writes(route: str, routes: Mapping[str, Signature]) -> bool:
    target = routes.get(route)
    return target is not None and target.effect is not Effect.READ


def _reply(route: str, routes: Mapping[str, Signature]) -> JsonSchema:
    target = routes.get(route)
    return _ANY if target is None or target.reply is None else target.reply


def _result(step: StepModel, routes: Mapping[str, Signature]) -> JsonSchema:
    """The schema of what a step comes to: the route's reply, or a list of them."""
    reply = _reply(step.route, routes)
    if step.for_each is None:
        return reply
    inner = {name: value for name, value in reply.items() if name != "$defs"}
    return {"$defs": reply.get("$defs", {}), "type": "array", "items": inner}
