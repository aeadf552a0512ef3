"""Who waits for a busy upstream goes by class and by how long; a full queue sheds the least."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import bulkhead
from gateway.bulkhead import AGENT, BATCH, INTERACTIVE, Busy, Slots

POINTS = st.sampled_from([INTERACTIVE, AGENT, BATCH])


async def served(arrivals: Sequence[tuple[float, int]], queue: int = 1000) -> list[int]:
    """The order in which those who came at those moments, with those points, got the one slot; −1 is a refusal."""
    slots, order, now = Slots(1, queue), [], 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulkhead.time, "monotonic", lambda: now)
        assert slots.take()

        async def wait(name: int, points: int) -> None:
            try:
                await slots.wait(3600, points)
            except Busy:
                order.append(-1 - name)
            else:
                order.append(name)

        tasks = []
        for name, (at, points) in enumerate(arrivals):
            now = at
            tasks.append(asyncio.create_task(wait(name, points)))
            await asyncio.sleep(0)
        for _ in tasks:
            slots.release()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
    return order


async def test_at_one_moment_the_class_decides_and_then_who_came_first() -> None:
    came = [(0.0, each) for each in (BATCH, AGENT, INTERACTIVE, BATCH, AGENT, INTERACTIVE)]
    assert await served(came) == [2, 5, 1, 4, 0, 3]


async def test_nobody_is_overtaken_for_longer_than_the_points_are_worth() -> None:
    came = [(0.0, BATCH), (1.9, INTERACTIVE), (2.1, INTERACTIVE)]
    assert await served(came) == [1, 0, 2]


@given(st.lists(st.tuples(st.floats(0, 10), POINTS), max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_order_is_by_moment_less_points(arrivals: list[tuple[float, int]]) -> None:
    came = sorted(arrivals, key=lambda each: each[0])
    expected = sorted(range(len(came)), key=lambda name: (came[name][0] - came[name][1], name))
    assert asyncio.run(served(came)) == expected


async def test_a_full_queue_sheds_the_lowest_class_and_of_it_the_last() -> None:
    came = [(0.0, each) for each in (AGENT, BATCH, BATCH, INTERACTIVE, AGENT, BATCH)]
    # Room for three: the person takes the second batch's place, the agent the first's; then no lower class is left.
    assert await served(came, queue=3) == [-3, -2, -6, 3, 0, 4]


@given(st.lists(POINTS, max_size=30), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_nobody_is_shed_for_a_call_of_no_higher_class(classes: list[int], queue: int) -> None:
    order = asyncio.run(served([(0.0, each) for each in classes], queue))
    assert sorted(each if each >= 0 else -1 - each for each in order) == list(range(len(classes)))
    kept, shed = ([classes[each if each >= 0 else -1 - each] for each in order if (each >= 0) is told] for told in (True, False))  # fmt: skip  # noqa: E501
    assert len(kept) == min(queue, len(classes))
    assert not kept or not shed or min(kept) >= max(min(shed), 0)
    assert sorted(kept, reverse=True) == sorted(classes, reverse=True)[: len(kept)]
