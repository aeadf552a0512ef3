"""What is assessed, what comes of it, and how one side of a route is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.contract import Adapter
from gateway.handlers import handlers
from gateway.identity.signing import Keyring
from gateway.readiness import judging
from gateway.readiness.model import Answer, Probed, Question, Timing
from gateway.readiness.probing import Asking, Once
from gateway.readiness.samples import NoSample, sample
from gateway.routing.groups import Side
from gateway.routing.model import Compiled, Route
from gateway.upstream import Upstream

CALLS, MOST_CALLS = 10, 50
LONGEST = 60.0
"""Seconds that probing one upstream, or the composites, may take; a call that was begun is waited for."""
OFFLINE = judging.unchecked("no system was asked", "leave --offline out")


@dataclass(frozen=True, slots=True)
class Row:
    """A route at one side, judged. `side` is empty for a composite."""

    route: Route
    side: str
    answers: Mapping[Question, Answer]
    timing: Timing | None = None


@dataclass(frozen=True, slots=True)
class System:
    """An upstream, judged, with its routes."""

    name: str
    kind: str
    answers: Mapping[Question, Answer]
    rows: tuple[Row, ...]
    timing: Timing | None = None
    """Of its slowest read."""


@dataclass(frozen=True, slots=True)
class Report:
    """The whole assessment."""

    made: datetime
    live: bool
    calls: int
    systems: tuple[System, ...]
    composites: tuple[Row, ...]
    absent: tuple[Route, ...]
    """Routes that no system is behind."""

    def answers(self) -> Iterator[Answer]:
        """Every verdict that there is."""
        rows = (*(row for system in self.systems for row in system.rows), *self.composites)
        for answers in (*(each.answers for each in self.systems), *(each.answers for each in rows)):
            yield from answers.values()


@dataclass(frozen=True, slots=True)
class Estate:
    """What is assessed. Without `upstreams` nothing is asked; `cursors` sign what lists are continued by."""

    compiled: Compiled
    adapters: Mapping[str, Adapter]
    upstreams: Mapping[str, Upstream] | None
    cursors: Keyring
    calls: int = CALLS


def asking_of(estate: Estate, routes: Sequence[Route], route: Route) -> Asking | Probed:
    """What asks a route, among `routes` that it needs; or why that can't be done."""
    assert estate.upstreams is not None
    compiled = estate.compiled
    try:
        asked = sample(route, compiled.document)
    except NoSample as missing:
        step = "give it an example in the contract, of something that is there"
        return Probed(problem=f"the contract has no example of {missing}", excused=True, next=step)
    once = {name: Once(each) for name, each in estate.upstreams.items()}
    made = handlers(replace(compiled, routes=tuple(routes)), once, lambda _: [], estate.cursors).answers
    return Asking(routes[0], made[route.operation_id], asked, route.deadline or compiled.defaults.deadline)


def only(route: Route, side: Side) -> Route:
    """The route with one side's binding alone; some fields are no whole reply."""
    if side == "legacy":
        return replace(route, replacement=None, missing=None)
    part = route.replacement is not None and bool(route.replacement.owns)
    return replace(route, legacy=None, missing=None, enforcement="off" if part else route.enforcement)


def is_retired(compiled: Compiled, route: Route, side: Side) -> bool:
    return side == "legacy" and route.group in compiled.groups and compiled.groups[route.group].stage.reads == "retired"
