"""What runs when: order, parallelism, failures and bounds, on graphs of any shape."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.compose.graph import run_items, run_steps


@st.composite
def _graphs(draw: st.DrawFn) -> dict[str, frozenset[str]]:
    """Up to 25 steps, each after some of those drawn before it, in any written order."""
    count = draw(st.integers(1, 25))
    after = {
        f"s{at}": draw(st.frozensets(st.sampled_from([f"s{before}" for before in range(at)]), max_size=3))
        if at
        else frozenset[str]()
        for at in range(count)
    }
    return {name: after[name] for name in draw(st.permutations(list(after)))}


def _depth(after: Mapping[str, frozenset[str]]) -> int:
    def of(name: str) -> int:
        return 1 + max((of(before) for before in after[name]), default=0)

    return max(map(of, after))


@dataclass
class _Watch:
    """Steps that each take one turn, and what was seen of them."""

    fails: frozenset[str] = frozenset()
    turn: int = 0
    began: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)

    async def step(self, name: str) -> None:
        self.began[name] = self.turn
        gate = asyncio.Event()
        self.gates.append(gate)
        try:
            await gate.wait()
        except asyncio.CancelledError:
            self.cut.add(name)
            raise
        if name in self.fails:
            raise ValueError(name)
        self.ended[name] = self.turn

    gates: list[asyncio.Event] = field(default_factory=list)

    async def run(self, after: Mapping[str, frozenset[str]], lasting: frozenset[str] = frozenset()) -> None:
        """Runs them, a turn once nothing else can begin."""
        task = asyncio.create_task(run_steps(after, self.step, lasting))
        while not task.done():
            for _ in range(4):
                await asyncio.sleep(0)
            self.turn += 1
            gates, self.gates = self.gates, []
            for gate in gates:
                gate.set()
            for _ in range(4):
                await asyncio.sleep(0)
        await task


@given(_graphs())
def test_every_step_runs_once_in_order_and_as_soon_as_it_can(after: dict[str, frozenset[str]]) -> None:
    watch = _Watch()
    asyncio.run(watch.run(after))
    assert watch.ended.keys() == after.keys()
    for name, before in after.items():
        assert all(watch.ended[each] <= watch.began[name] for each in before)
    assert watch.turn == _depth(after)  # nothing waited for more than it had to


@given(_graphs(), st.data())
def test_a_failure_begins_nothing_more_and_cuts_only_what_may_be_cut(
    after: dict[str, frozenset[str]], data: st.DataObject
) -> None:
    fails = data.draw(st.frozensets(st.sampled_from(sorted(after)), min_size=1))
    lasting = data.draw(st.frozensets(st.sampled_from(sorted(after))))
    watch = _Watch(fails)
    with pytest.raises(ValueError, match=r"^s[0-9]+$") as raised:
        asyncio.run(watch.run(after, lasting))
    assert str(raised.value) in fails
    assert not watch.cut & lasting
    failed = {name for name in watch.began if name in fails and name not in watch.cut}
    at = min(watch.began[name] for name in failed)
    assert max(watch.began.values()) <= at
    of_these = [name for name in after if name in failed and watch.began[name] == at and name not in lasting]
    if len({watch.began[name] for name in failed}) == 1 and of_these:
        assert str(raised.value) == next(name for name in after if name in failed)


@given(st.integers(0, 60), st.integers(1, 9))
def test_items_are_begun_in_order_and_never_too_many_at_once(count: int, at_once: int) -> None:
    begun: list[int] = []
    running = most = 0

    async def work(number: int) -> None:
        nonlocal running, most
        begun.append(number)
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    asyncio.run(run_items(count, at_once, work))
    assert begun == list(range(count))
    assert most == min(at_once, count)


async def test_the_first_item_that_fails_ends_the_others() -> None:
    begun = []

    async def work(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0)
        if number == 3:
            raise ValueError("three")
        await asyncio.sleep(0)

    with pytest.raises(ValueError, match="three"):
        await run_items(100, 2, work)
    assert max(begun) <= 6


async def test_who_is_cancelled_leaves_nothing_running() -> None:
    ended = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    task = asyncio.create_task(run_steps({"a": (), "b": ()}, work, ["b"]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == ["a", "b"]
