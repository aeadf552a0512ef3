"""Rules about writes whose answer is lost, and about what an adapter claims of dry runs, lookups and bulk reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from adapters.capabilities import SupportsBulk, SupportsDryRun, SupportsLookup
from adapters.contract import Adapter, Context, Effect, Json, Result
from adapters.errors import AdapterError, BadReply, NotTried, UnknownOutcome
from adapters.testing.bench import Bench, NotAsked, broken, told
from adapters.testing.faults import SHORT
from adapters.testing.subject import SECONDS, Sample
from adapters.testing.wire import Fault

_MOST_TURNS = 12


class _Writes:
    """The subject's writes, one after another, and what became of each."""

    def __init__(self, bench: Bench, write: Callable[[int], Sample], written: Callable[[], int]) -> None:
        self._bench = bench
        self._write = write
        self._written = written
        self._number = 0

    def next(self) -> Sample:
        self._number += 1
        return self._write(self._number)

    async def tried(self, adapter: Adapter, seconds: float, key: str | None = None) -> Result | AdapterError:
        """Makes one write and holds its outcome against what the system knows."""
        sample, before = self.next(), self.count()
        outcome = await self._bench.call(adapter, sample, seconds, key)
        happened = self.count() - before
        if happened > 1:
            broken(f"{sample.operation} was sent again after its answer was lost: it happened {happened} times")
        if isinstance(outcome, Result) and not happened:
            broken(f"{sample.operation} has a result, and never happened")
        if happened and not isinstance(outcome, Result | UnknownOutcome | BadReply):
            broken(f"{sample.operation} happened, and is {told(outcome)}; it should be UnknownOutcome")
        return outcome

    def count(self) -> int:
        return self._written()


def _writes(bench: Bench, adapter: Adapter) -> _Writes:
    subject = bench.subject
    if subject.write is None or subject.written is None:
        if any(operation.effect is not Effect.READ for operation in adapter.operations().values()):
            broken("it has writes, and the subject names none: give write and written")
        raise NotAsked("it has no writes")
    return _Writes(bench, subject.write, subject.written)


async def outcome(bench: Bench) -> None:
    """Makes a write, counts its turns, then loses the answer to each by a reset, and to the last by silence."""
    adapter = bench.build()
    writes = _writes(bench, adapter)
    before = writes.count()
    await bench.call(adapter, writes.next(), -1.0)
    if writes.count() != before:
        broken("a write whose deadline had passed before it was sent happened")
    await bench.answer(adapter, bench.subject.reads[0])
    if bench.subject.address is not None:
        bench.wire.begin()
    outcome = await writes.tried(adapter, SECONDS)
    if isinstance(outcome, AdapterError):
        broken(f"the sample write fails with {told(outcome)}")
    if bench.subject.address is None:
        return
    turns = min(bench.wire.turns, _MOST_TURNS)
    cuts = [(Fault.CUT, turn, SECONDS) for turn in range(1, turns + 1)]
    for fault, turn, seconds in [*cuts, (Fault.HOLD, turns, SHORT)]:
        fresh = bench.build()
        await bench.answer(fresh, bench.subject.reads[0])
        bench.wire.begin(fault, turn)
        await writes.tried(fresh, seconds)
        bench.wire.release()


async def claims(bench: Bench) -> None:
    """Tries what it says that it can do beside the five verbs."""
    adapter = bench.build()
    asked = False
    if isinstance(adapter, SupportsDryRun) and bench.subject.write is not None:
        asked = True
        await _check_dry_run(bench, adapter, _writes(bench, adapter))
    if isinstance(adapter, SupportsLookup) and bench.subject.write is not None:
        asked = True
        await _check_lookup(bench, adapter, _writes(bench, adapter))
    if isinstance(adapter, SupportsBulk) and bench.subject.listed is not None:
        asked = True
        await _check_bulk(bench, adapter, bench.subject.listed)
    if not asked:
        raise NotAsked("it claims nothing more")


async def _check_dry_run(bench: Bench, adapter: SupportsDryRun, writes: _Writes) -> None:
    sample, before = writes.next(), writes.count()
    context = Context(time.monotonic() + SECONDS, principal="ann")
    tries = adapter.tries(sample.operation)
    try:
        await adapter.dry_run(sample.operation, sample.input, context)
        tried = True
    except NotTried:
        tried = False
    except AdapterError as error:
        if tries:
            broken(f"a dry run of {sample.operation} is {told(error)}, though it says that it tries it")
        return
    if writes.count() != before:
        broken(f"a dry run of {sample.operation} changed the system")
    if tries is not None and tries != tried:
        broken(f"it says that it {'tries' if tries else 'does not try'} {sample.operation}, and does the opposite")


async def _check_lookup(bench: Bench, adapter: Adapter, writes: _Writes) -> None:
    assert isinstance(adapter, SupportsLookup)
    operation = writes.next().operation
    context = Context(time.monotonic() + SECONDS, principal="ann")
    if await adapter.lookup(operation, "figway-never-used", context) is not None:
        broken("a lookup knows of a write that never happened")
    await writes.tried(adapter, SECONDS, "figway-used-once")
    if await adapter.lookup(operation, "figway-used-once", context) is None:
        broken("a lookup doesn't know of a write that happened")


async def _check_bulk(bench: Bench, adapter: Adapter, listed: Sample) -> None:
    assert isinstance(adapter, SupportsBulk)
    whole = await bench.answer(adapter, replace(listed, input={**listed.input, "limit": 1000}))
    context = Context(time.monotonic() + SECONDS, principal="ann")
    found: list[Json] = []
    async for batch in adapter.bulk(listed.operation, listed.input, context):
        found += batch
    if found != whole["items"]:
        broken(f"read in bulk, {listed.operation} has other items than its pages")
