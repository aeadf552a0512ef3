"""The rule about writes whose answer is lost."""

from __future__ import annotations

from collections.abc import Callable

from adapters.contract import Adapter, Effect, Result
from adapters.errors import AdapterError, BadReply, UnknownOutcome
from adapters.testing.bench import Bench, NotAsked, broken, told
from adapters.testing.faults import SHORT
from adapters.testing.subject import SECONDS, Sample
from adapters.testing.wire import Fault

_MOST_TURNS = 12


class Writes:
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


def writes_of(bench: Bench, adapter: Adapter) -> Writes:
    subject = bench.subject
    if subject.write is None or subject.written is None:
        if any(operation.effect is not Effect.READ for operation in adapter.operations().values()):
            broken("it has writes, and the subject names none: give write and written")
        raise NotAsked("it has no writes")
    return Writes(bench, subject.write, subject.written)


async def outcome(bench: Bench) -> None:
    """Makes a write, counts its turns, then loses the answer to each by a reset, and to the last by silence."""
    adapter = bench.build()
    writes = writes_of(bench, adapter)
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
