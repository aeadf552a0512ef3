"""The criteria: from what probes and the snapshot show to a verdict, a reason and the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.contract import Adapter, Effect
from gateway.lineage.origins import Origins
from gateway.readiness.model import SECOND, Answer, Burst, Probed, Timing, spelt, worst
from gateway.routing.model import Route, UpstreamSpec

_QUICK = 0.1
"""Seconds below which how much longer they take says nothing."""
_NAMED = 3


def unchecked(why: str, step: str) -> Answer:
    """Nothing is known, which is no verdict on anybody."""
    return Answer("unchecked", why, step)


def fast(probed: Probed, route: Route, upstream: str) -> Answer:
    """95 of 100 calls are answered within a second."""
    timing = probed.timing
    if probed.excused or (timing is None and not probed.problem):
        return unchecked(probed.problem or "nothing was measured", probed.next)
    owner = f"the owner of {upstream}" if upstream else "the owners of the systems behind it"
    if probed.problem:
        return Answer("no", f"no answer at {probed.problem}", f"ask {owner} why; `figway doctor` looks at each system")
    assert timing is not None
    if timing.at(0.95) < SECOND:
        return Answer("yes", _measured(timing))
    step = f"let the replacement answer the group '{route.group}': `figway route flip {route.group}` takes it there"
    if route.replacement is None and route.legacy is not None:
        step = f"give {route.operation_id} a replacement, or have {owner} speed up {route.legacy.operation}"
    if route.compose is not None:
        step = "speed up its slowest part: see the routes that it calls"
    return Answer("no", f"too slow: {_measured(timing)}", step)


def _measured(timing: Timing) -> str:
    return f"{timing} over {len(timing.seconds)} calls"


def fast_of_all(answers: Mapping[str, Answer], upstream: str) -> Answer:
    """A system is fast if all its routes are that could be asked."""
    slow = [name for name, each in answers.items() if each.verdict == "no"]
    asked = [name for name, each in answers.items() if each.verdict != "unchecked"]
    if slow:
        first = answers[slow[0]]
        return Answer("no", f"{_named(slow)}: {first.why}", first.next)
    if not asked:
        first_of = next(iter(answers.values()), None)
        why = "it has no read to ask" if first_of is None else first_of.why
        return unchecked(why, "" if first_of is None else first_of.next)
    left = len(answers) - len(asked)
    return Answer("yes", f"{len(asked)} of its reads were asked" + (f", {left} weren't" if left else ""))


def acts(spec: UpstreamSpec, routes: Sequence[Route], adapter: Adapter | None) -> Answer:
    """At least one write of the system is a route."""
    writes = sorted({each.operation_id for each in routes if each.effect is not Effect.READ})
    if writes:
        return Answer("yes", f"{len(writes)} can be called: {_named(writes)}")
    offered = [] if adapter is None else [op.name for op in adapter.operations().values() if op.effect != Effect.READ]
    if offered:
        return Answer("no", "only reads are routes", f"bind a write that it offers, such as {_named(sorted(offered))}")
    step = "let it be written (`read_only: false`), and bind a write" if getattr(spec.config, "read_only", False) else (
        "give it operations that write, or keep what is to be changed in another system"
    )  # fmt: skip
    return Answer("no", "it offers reads only", step)


def acts_of(route: Route, others: Sequence[Route]) -> Answer:
    """A route that writes, or that stands beside one that does in its group."""
    if route.effect is not Effect.READ:
        return Answer("yes", f"it is one ({route.effect.value})")
    writes = sorted(each.operation_id for each in others if each.effect is not Effect.READ)
    if writes:
        return Answer("yes", f"beside it: {_named(writes)}")
    return Answer("no", "nothing beside it changes what it shows", f"bind a write in the group '{route.group}'")


def visible(route: Route, side: str, origins: Origins, probed: Probed | None) -> Answer:
    """Each field of the reply is traced to what the system calls it, and answers name their sources."""
    if route.reply is None:
        return Answer("yes", "it answers no data")
    told = origins.fields(route, side)
    if not told:
        step = "declare the reply's properties in the contract, so that each can be traced"
        return Answer("no", "the contract names no field of the reply", step)
    if probed is not None and probed.timing is not None and not (probed.sources or probed.empty):
        return Answer("no", "answers don't name what they came from", "have the adapter give each result its sources")
    mapped = sum(1 for each in told if each.origins)
    live = ", and answers name their sources" if probed is not None and probed.sources else ""
    return Answer("yes", f"{mapped} of {len(told)} fields come from the system, each traced{live}")


def visible_of_all(answers: Mapping[str, Answer]) -> Answer:
    """A system's data is visible if all its routes' is."""
    dark = {name: each for name, each in answers.items() if each.verdict == "no"}
    if dark:
        first = next(iter(dark.values()))
        return Answer("no", f"{_named(list(dark))}: {first.why}", first.next)
    if not answers:
        return unchecked("no route shows its data", "bind one of its operations")
    return Answer("yes", f"every field of {len(answers)} routes is traced: `figway lineage ID` tells of each reply")


def scales(shown: Burst, alone: Timing, concurrency: int) -> Answer:
    """Several callers at once wait about as long as one does."""
    if shown.at_once < 2:
        return Answer("no", "`concurrency: 1`: callers wait for each other", "raise it, if the system takes more")
    if shown.failed or shown.timing is None:
        why = f"{shown.failed} of {shown.calls} calls weren't answered that were made {shown.at_once} at once"
        return Answer("no", why, "lower `concurrency` to what it takes, and let a replacement take the rest")
    one, several = alone.at(0.5), shown.timing.at(0.95)
    compared = f"{shown.at_once} at once took {spelt(several)}, one alone {spelt(one)}"
    # Halfway between waiting for nobody and waiting for all the others.
    if several > max((1 + shown.at_once) / 2 * one, _QUICK):
        step = "read from a replica or a replacement; until then hold callers back by policies/limits.yaml"
        return Answer("no", f"callers wait for each other: {compared}", step)
    room = f"; with `concurrency: {concurrency}` that is some {concurrency / several:,.1f} calls a second"
    return Answer("yes", compared + (room if several > _QUICK else ""))


def scales_of(route: Route, of_upstreams: Sequence[Answer]) -> Answer:
    """A composite scales as the systems behind it do."""
    verdict = worst(of_upstreams)
    held = next((each for each in of_upstreams if each.verdict == verdict), None)
    if verdict == "yes" or held is None:
        return Answer(verdict, "as the systems behind it do")
    return Answer(verdict, held.why, held.next)


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
