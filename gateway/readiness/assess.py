"""The assessment: each upstream with its routes, then the composites, probed where that can be done and judged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.contract import Context, Effect
from adapters.errors import AdapterError
from gateway.limits.calendar import Closing
from gateway.lineage.origins import Origins
from gateway.readiness import judging
from gateway.readiness.composites import composites
from gateway.readiness.estate import (
    LONGEST,
    OFFLINE,
    Estate,
    Report,
    Row,
    System,
    asking_of,
    is_retired,
    only,
)
from gateway.readiness.model import Answer, Burst, Probed, Question, Timing
from gateway.readiness.probing import Asking, burst, probed
from gateway.routing.groups import Side
from gateway.routing.limits_schema import Limits
from gateway.routing.model import Compiled, Route
from gateway.upstream import Upstream

_MOST_ROUTES = 20
"""Reads of one upstream that are probed; the report says which weren't."""
_HEALTH = 10.0


@dataclass(slots=True)
class _Looks:
    """What probing one upstream showed, by operationId and side."""

    reads: dict[tuple[str, str], Probed] = field(default_factory=dict)
    burst: Burst | None = None
    alone: Timing | None = None
    unreachable: str = ""

    def is_quicker(self, timing: Timing) -> bool:
        """Whether it's the quickest read so far: the one that the system can best be asked several times at once."""
        return self.alone is None or timing.at(0.5) < self.alone.at(0.5)


async def assess(estate: Estate) -> Report:
    """Asks every upstream at the same time, and judges all that there is."""
    compiled = estate.compiled
    bound = {name: list(_bound(compiled, name)) for name in compiled.upstreams}
    looks = dict(zip(bound, await asyncio.gather(*(_looked(estate, *each) for each in bound.items())), strict=True))
    origins = Origins(compiled)
    systems = tuple(_system(estate, name, bound[name], looks[name], origins) for name in bound)
    return Report(
        made=datetime.now(UTC),
        live=estate.upstreams is not None,
        calls=estate.calls,
        systems=systems,
        composites=tuple(await composites(estate, systems, origins)),
        absent=tuple(each for each in compiled.routes if each.absent is not None),
    )


def _bound(compiled: Compiled, upstream: str) -> Iterator[tuple[Route, Side]]:
    sides: tuple[Side, ...] = ("legacy", "replacement")
    for route in compiled.routes:
        for side in sides:
            binding = route.legacy if side == "legacy" else route.replacement
            if binding is not None and binding.upstream == upstream:
                yield route, side


async def _unreachable(compiled: Compiled, upstream: Upstream, reads: Sequence[tuple[Route, Side]]) -> str:
    """Why an upstream can't, or mustn't, be asked; empty: it can."""
    if all(is_retired(compiled, *each) for each in reads):
        return "its reads are retired, so nothing may ask it"
    limits = compiled.policy_files.get("limits.yaml")
    for rule in limits.rules if isinstance(limits, Limits) else ():
        said = rule.match.model_dump(exclude_none=True)
        if rule.closed and said in ({}, {"upstream": upstream.name}) and Closing(rule.closed).until(time.time()):
            return "policies/limits.yaml closes it at this time"
    try:
        health = await upstream.probe(Context(deadline=time.monotonic() + _HEALTH))
    except AdapterError:
        return "it refuses to be looked at"
    return "" if health.ok else "it isn't reachable from here"


async def _looked(estate: Estate, name: str, bound: Sequence[tuple[Route, Side]]) -> _Looks:
    looks = _Looks()
    reads = [(route, side) for route, side in bound if route.effect is Effect.READ]
    if estate.upstreams is None or not reads:
        return looks
    upstream = estate.upstreams[name]
    looks.unreachable = await _unreachable(estate.compiled, upstream, reads)
    if looks.unreachable:
        return looks
    until, best = time.monotonic() + LONGEST, None
    for number, (route, side) in enumerate(reads):
        asking = asking_of(estate, (only(route, side),), route)
        if isinstance(asking, Probed):
            found = asking
        elif is_retired(estate.compiled, route, side):
            found = Probed(problem="its reads are retired, so nothing may ask it", excused=True)
        elif number >= _MOST_ROUTES or time.monotonic() > until:
            found = Probed(problem=f"{number} others were asked first", excused=True, next="call it by hand")
        else:
            found = await probed(asking, estate.calls, until)
        looks.reads[(route.operation_id, side)] = found
        timing = found.timing
        if isinstance(asking, Asking) and timing is not None and not found.problem and looks.is_quicker(timing):
            looks.alone, best = timing, asking
    if best is not None and looks.alone is not None:
        looks.burst = await burst(best, upstream.limits.concurrency, looks.alone.at(0.5))
    return looks


def _system(estate: Estate, name: str, bound: Sequence[tuple[Route, Side]], looks: _Looks, origins: Origins) -> System:
    spec = estate.compiled.upstreams[name]
    scaling = _scaling(estate, name, looks)
    rows = tuple(_row(estate, name, each, looks, origins, scaling) for each in bound)
    routes = [route for route, _ in bound]
    reads = {_label(row): row for row in rows if row.route.effect is Effect.READ}
    answers: dict[Question, Answer] = {
        "fast": judging.fast_of_all({label: row.answers["fast"] for label, row in reads.items()}, name),
        "acts": judging.acts(spec, routes, estate.adapters.get(name)),
        "visible": judging.visible_of_all({_label(row): row.answers["visible"] for row in rows}),
        "scales": scaling,
    }
    slowest = max((row.timing for row in rows if row.timing), key=lambda each: each.at(0.95), default=None)
    return System(name, spec.kind, answers, rows, slowest)


def _row(estate: Estate, name: str, bound: tuple[Route, Side], looks: _Looks, origins: Origins, scaling: Answer) -> Row:
    route, side = bound
    probe = looks.reads.get((route.operation_id, side))
    others = [each for each in estate.compiled.routes if each.group == route.group]
    answers: dict[Question, Answer] = {
        "fast": _fast(estate, name, route, looks, probe),
        "acts": judging.acts_of(route, others),
        "visible": judging.visible(route, side, origins, probe),
        "scales": scaling,
    }
    return Row(route, side, answers, None if probe is None else probe.timing)


def _fast(estate: Estate, name: str, route: Route, looks: _Looks, probe: Probed | None) -> Answer:
    if estate.upstreams is None:
        return OFFLINE
    if route.effect is not Effect.READ:
        return judging.unchecked("it is a write, and only reads are asked", "")
    if probe is None:
        return judging.unchecked(looks.unreachable, "`figway doctor` says why")
    return judging.fast(probe, only(route, "legacy") if route.legacy is None else route, name)


def _scaling(estate: Estate, name: str, looks: _Looks) -> Answer:
    if estate.upstreams is None:
        return OFFLINE
    if looks.unreachable:
        return judging.unchecked(looks.unreachable, "`figway doctor` says why")
    if looks.burst is None or looks.alone is None:
        return judging.unchecked("none of its reads was answered", "see its routes")
    return judging.scales(looks.burst, looks.alone, estate.upstreams[name].limits.concurrency)


def _label(row: Row) -> str:
    both = row.route.legacy is not None and row.route.replacement is not None
    return f"{row.route.operation_id} ({row.side})" if both else row.route.operation_id
