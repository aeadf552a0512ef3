"""What `figway check` says of composites: what their steps may be, and what all of them come to together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from adapters.contract import Effect
from gateway.routing.compose_schema import MOST_ITEMS, MOST_STEPS
from gateway.routing.model import Route, Step
from gateway.routing.report import Place

Say = Callable[..., None]
"""`say(place, sentence, level)`: notes a finding within `x-gateway`."""
_GIVEN_ONCE = ("plan", "approval")
"""What a caller shows for a call as a whole: of a composite, for all its steps."""


def check_composite(
    route: Route, routes: Mapping[str, Route], extensions: Mapping[str, Mapping[str, Any]], deadline: float, say: Say
) -> None:
    """Notes what is wrong with the steps of `route`, which has some; `extensions` is what contracts say of each route,
    `deadline` the workspace's own in seconds."""
    assert route.compose is not None
    own = extensions[route.operation_id]["compose"]["steps"]
    for step in route.compose.steps:
        place: Place = ("compose", "steps", step.name)
        for each in step.routes():
            if (target := routes.get(each)) is not None:
                _check_target(route, target, place, say)
                _check_given_once(route, target, extensions, place, say)
        _check_items(step, own[step.name], routes, place, say)
        _check_deadline(route, routes.get(step.route), deadline, place, say)
        _check_known_before(step, route, place, say)
    if _count(route, routes, frozenset()) > MOST_STEPS:
        say(("compose", "steps"), f"with those of the composites that it calls there are over {MOST_STEPS} steps")


def _check_target(route: Route, target: Route, place: Place, say: Say) -> None:
    if target.content:
        say(
            (*place, "route"),
            f"'{target.operation_id}' answers {target.content}, of which a composite can make nothing",
        )
    if route.effect is Effect.READ and target.effect is not Effect.READ:
        say((*place, "route"), f"the composite says effect: read, but '{target.operation_id}' writes")


def _check_given_once(
    route: Route, target: Route, extensions: Mapping[str, Mapping[str, Any]], place: Place, say: Say
) -> None:
    """Who calls the composite can show nothing step by step."""
    wanted, own = extensions.get(target.operation_id, {}), extensions[route.operation_id]
    for name in _GIVEN_ONCE:
        if wanted.get(name) and not own.get(name):
            say(
                (*place, "route"),
                f"'{target.operation_id}' asks for {name}, and so does the composite, of each call: write {name} in "
                "its own x-gateway, too, for those who read it",
                "warning",
            )


def _check_items(step: Step, own: Mapping[str, Any], routes: Mapping[str, Route], place: Place, say: Say) -> None:
    target = routes.get(step.route)
    writes = target is not None and target.effect is not Effect.READ
    if "concurrency" in own and (step.for_each is None or writes):
        why = "writes go one by one" if writes else "it is for for_each"
        say((*place, "concurrency"), f"{why}: remove concurrency")
    if step.for_each is not None and any(each.for_each is not None for each in _within(target, routes, frozenset())):
        most = f"{MOST_ITEMS * MOST_ITEMS:,}"
        say((*place, "for_each"), f"'{step.route}' has a for_each itself, which together makes up to {most} calls")


def _check_deadline(route: Route, target: Route | None, deadline: float, place: Place, say: Say) -> None:
    own = route.deadline or deadline
    if target is not None and target.deadline is not None and target.deadline > own:
        sentence = f"'{target.operation_id}' may take {target.deadline:g} s, and the composite has {own:g} s in all"
        say((*place, "route"), f"{sentence}: give the composite a longer deadline", "warning")


def _check_known_before(step: Step, route: Route, place: Place, say: Say) -> None:
    """What undoes a step reads only what is known by the time that the step is called."""
    if step.compensate is None or route.compose is None:
        return
    before = _before(step.name, {each.name: each.after for each in route.compose.steps})
    names = {name for each in step.compensate.input.values() for name in each.names()}
    for other in sorted(names & {each.name for each in route.compose.steps} - before - {step.name}):
        say((*place, "compensate", "input"), f"'{other}' needn't have ended before: say after: [{other}] of the step")


def _before(name: str, after: Mapping[str, frozenset[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        fresh = after.get(waiting.pop(), frozenset()) - found
        found |= fresh
        waiting += fresh
    return found


def _within(route: Route | None, routes: Mapping[str, Route], seen: frozenset[str]) -> Iterator[Step]:
    """The steps of a route, if it is a composite, and of those that it calls."""
    if route is None or route.compose is None or route.operation_id in seen:
        return
    for step in route.compose.steps:
        yield step
        yield from _within(routes.get(step.route), routes, seen | {route.operation_id})


def _count(route: Route, routes: Mapping[str, Route], seen: frozenset[str]) -> int:
    count = 0
    for _ in _within(route, routes, seen):
        count += 1
        if count > MOST_STEPS:
            break
    return count


def circles(routes: Mapping[str, Route]) -> Iterator[tuple[str, Place, str]]:
    """Steps that wait for each other, and routes that call each other: the route, the place in its `x-gateway`, and a
    sentence."""
    for name, route in routes.items():
        if route.compose is not None:
            circle = _circle({step.name: step.after for step in route.compose.steps})
            if circle:
                told = f"the steps wait for each other in a circle ({' → '.join(circle)}): break it"
                order = "; writes run in the order in which they are written" if route.effect is not Effect.READ else ""
                yield name, ("compose", "steps"), told + order
    calls = {name: _called(route) for name, route in routes.items()}
    reached: set[str] = set()
    for name in calls:
        if name not in reached:
            circle = _circle(_from(name, calls))
            reached |= set(circle)
            if circle:
                yield name, ("compose",), f"the routes call each other in a circle ({' → '.join(circle)}): break it"


def _called(route: Route) -> set[str]:
    steps = () if route.compose is None else route.compose.steps
    return {name for step in steps for name in step.routes()}


def _from(name: str, calls: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The part of `calls` that `name` reaches."""
    found: dict[str, set[str]] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found[each] = calls.get(each, set())
            waiting += found[each]
    return found


def _circle(graph: Mapping[str, frozenset[str] | set[str]]) -> tuple[str, ...]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return tuple(reversed(error.args[1]))
    return ()
