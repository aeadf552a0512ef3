"""Composites as contracts say them: what is compiled of them, and what all of their steps may come to together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.contract import Effect
from gateway.limits.plan import costs
from gateway.routing.compose_schema import StepModel
from gateway.routing.lint_composites import check_composite
from gateway.routing.mapping import expression
from gateway.routing.model import Composite, Route, Step


def _route(name: str, *steps: Step, effect: Effect = Effect.READ) -> Route:
    compose = Composite(steps, expression("@")) if steps else None
    return Route(name, "POST", f"/{name}", effect, "a", (), None, 200, None, compose=compose)


def _found(name: str, *routes: Route, extensions: dict[str, Any] | None = None) -> list[str]:
    by_id = {route.operation_id: route for route in routes}
    own = {each.operation_id: {"compose": {"steps": {step.name: {} for step in each.compose.steps}}}
           for each in routes if each.compose is not None}  # fmt: skip
    found: list[str] = []

    def say(place: tuple[str, ...], sentence: str, level: str = "error") -> None:
        found.append(f"{level} {'.'.join(place)}: {sentence}")

    said = {key: {**own.get(key, {}), **(extensions or {}).get(key, {})} for key in by_id}
    check_composite(by_id[name], by_id, said, 10.0, say)
    return found


def test_steps_of_composites_within_count() -> None:
    leaf, inner = _route("leaf"), _route("inner", *(Step(f"i{at}", "leaf", {}) for at in range(12)))
    fits = _route("fits", Step("a", "inner", {}), *(Step(f"l{at}", "leaf", {}) for at in range(12)))
    many = _route("many", Step("a", "inner", {}), Step("b", "inner", {}))
    assert _found("fits", leaf, inner, fits) == []
    assert _found("many", leaf, inner, many) == [
        "error compose.steps: with those of the composites that it calls there are over 25 steps"
    ]


def test_a_circle_of_composites_is_looked_at_once() -> None:
    one, two = _route("one", Step("a", "two", {})), _route("two", Step("b", "one", {}))
    assert _found("one", one, two) == []  # that is told elsewhere; here it only has to end


@pytest.mark.parametrize("name", ["plan", "approval"])
def test_what_a_step_asks_for_the_composite_asks_for(name: str) -> None:
    leaf, whole = _route("leaf"), _route("whole", Step("a", "leaf", {}))
    asked = {"leaf": {name: "required"}}
    told = _found("whole", leaf, whole, extensions=asked)
    assert told == [
        f"warning compose.steps.a.route: 'leaf' asks for {name}, and so does the composite, of each call: "
        f"write {name} in its own x-gateway, too, for those who read it"
    ]
    assert _found("whole", leaf, whole, extensions=asked | {"whole": {name: "required"}}) == []


def test_a_list_costs_as_often_as_it_may_have_items() -> None:
    leaf = _route("leaf")
    whole = _route("whole", Step("a", "leaf", {}), Step("b", "leaf", {}, for_each=expression("body.ids")))
    assert costs([leaf, whole]) == {"leaf": 1, "whole": 501}


def test_a_step_that_may_take_longer_than_the_composite_is_told() -> None:
    leaf, whole = replace(_route("leaf"), deadline=60.0), _route("whole", Step("a", "leaf", {}))
    told = "'leaf' may take 60 s, and the composite has 10 s in all: give the composite a longer deadline"
    assert _found("whole", leaf, whole) == [f"warning compose.steps.a.route: {told}"]
    assert _found("whole", leaf, replace(whole, deadline=60.0)) == []


def test_what_a_failure_may_mean_is_told_in_one_sentence() -> None:
    for given in ("ignore", {"defualt": 1}, {}, None):
        with pytest.raises(ValidationError) as refused:
            StepModel.model_validate({"route": "a", "on_error": given})
        assert [each["msg"] for each in refused.value.errors()] == [
            "Value error, must be fail, omit or {default: VALUE}"
        ]
    assert StepModel.model_validate({"route": "a", "on_error": {"default": None}}).on_error == {"default": None}
