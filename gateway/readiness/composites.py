"""Routes of several: asked as a whole, and judged by the systems that their parts ask."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from adapters.contract import Effect
from gateway.lineage.origins import Origins
from gateway.readiness import judging
from gateway.readiness.estate import LONGEST, OFFLINE, Estate, Row, System, asking_of, is_retired, only
from gateway.readiness.model import Answer, Probed, Question
from gateway.readiness.probing import probed
from gateway.routing.groups import Side
from gateway.routing.model import Compiled, Route


async def composites(estate: Estate, systems: Sequence[System], origins: Origins) -> list[Row]:
    """Every composite, judged."""
    by_id = {route.operation_id: route for route in estate.compiled.routes}
    known = {system.name: system for system in systems}
    rows, until = [], time.monotonic() + LONGEST
    for route in estate.compiled.routes:
        if route.compose is None:
            continue
        parts = list(_parts(route, by_id))
        probe = await _probed_composite(estate, route, parts, until)
        behind = dict.fromkeys(name for each in parts for name in _upstreams(estate.compiled, each))
        if probe is not None and probe.problem and any(known[name].timing is None for name in behind):
            # Of a system that couldn't be asked nothing is known, so nor is it of what it has a part in.
            probe = replace(probe, excused=True, next=probe.next or "see the systems behind it")
        groups = {each.group for each in (route, *parts)}
        others = [each for each in estate.compiled.routes if each.group in groups]
        answers: dict[Question, Answer] = {
            "fast": OFFLINE if probe is None else judging.fast(probe, route, ""),
            "acts": judging.acts_of(route, others),
            "visible": judging.visible(route, "legacy", origins, probe),
            "scales": judging.scales_of(route, [known[name].answers["scales"] for name in behind]),
        }
        rows.append(Row(route, "", answers, None if probe is None else probe.timing))
    return rows


async def _probed_composite(estate: Estate, route: Route, parts: Sequence[Route], until: float) -> Probed | None:
    if estate.upstreams is None:
        return None
    if any(each.effect is not Effect.READ for each in (route, *parts)):
        return Probed(problem="it writes, and only reads are asked", excused=True)
    if any(is_retired(estate.compiled, each, side) for each in parts for side in _serving(estate.compiled, each)):
        return Probed(problem="reads of a part are retired, so nothing may ask it", excused=True)
    if time.monotonic() > until:
        return Probed(problem="others were asked first", excused=True, next="call it by hand")
    narrowed = [only(each, side) for each in parts for side in _serving(estate.compiled, each)]
    plain = [each for each in parts if not _serving(estate.compiled, each)]
    asking = asking_of(estate, (route, *narrowed, *plain), route)
    return asking if isinstance(asking, Probed) else await probed(asking, estate.calls, until)


def _parts(route: Route, by_id: Mapping[str, Route]) -> Iterator[Route]:
    """The routes that a composite calls, those within its parts among them, each once."""
    seen: dict[str, Route] = {}
    waiting = [route]
    while waiting:
        steps = waiting.pop().compose
        for step in steps.steps if steps is not None else ():
            if step.route not in seen:
                seen[step.route] = by_id[step.route]
                waiting.append(by_id[step.route])
    yield from seen.values()


def _serving(compiled: Compiled, route: Route) -> tuple[Side, ...]:
    """The side that answers most reads of a route now; none for a composite, or where no system is."""
    stage = compiled.groups[route.group].stage.reads if route.group in compiled.groups else "legacy"
    new = route.replacement is not None and (route.legacy is None or stage in ("live", "new_only", "retired"))
    if new:
        return ("replacement",)
    return ("legacy",) if route.legacy is not None else ()


def _upstreams(compiled: Compiled, route: Route) -> Iterator[str]:
    for side in _serving(compiled, route):
        binding = route.legacy if side == "legacy" else route.replacement
        if binding is not None:
            yield binding.upstream
