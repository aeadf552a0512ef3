"""What runs when: steps as soon as those before them have ended, items of a list a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from typing import Any


async def run_steps(
    after: Mapping[str, Collection[str]],
    work: Callable[[str], Coroutine[Any, Any, None]],
    lasting: Collection[str] = (),
) -> None:
    """Runs `work` for each name once it has ended for all those that the name comes `after`, all others at once.

    The first failure is raised, of several at a time that of the name that stands first. Nothing is begun then any
    more; what is under way is cancelled, but for the `lasting`, whose ends are waited for. `after` has no circle.
    """
    waiting, ended, failed = dict(after), set[str](), dict[str, BaseException]()
    under_way: dict[asyncio.Task[None], str] = {}
    places = {name: place for place, name in enumerate(after)}
    try:
        while True:
            ready = [] if failed else [name for name, before in waiting.items() if ended.issuperset(before)]
            for name in ready:
                del waiting[name]
                under_way[asyncio.create_task(work(name))] = name
            if not under_way:
                break
            done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            first = not failed
            for task in sorted(done, key=lambda each: places[under_way[each]]):
                _note(task, under_way.pop(task), ended, failed)
            if failed and first:
                for task, name in under_way.items():
                    if name not in lasting:
                        task.cancel()
    finally:
        await _all_cancelled(under_way)
    if failed:
        raise next(iter(failed.values()))


async def run_items(count: int, at_once: int, work: Callable[[int], Awaitable[None]]) -> None:
    """Runs `work` for 0 … `count` - 1, begun in that order, at most `at_once` at a time. The first failure is raised,
    and ends the others."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    if at_once == 1:
        await worker()
        return
    workers = [asyncio.create_task(worker()) for _ in range(min(at_once, count))]
    try:
        for each in asyncio.as_completed(workers):
            await each
    finally:
        await _all_cancelled(workers)


def _note(task: asyncio.Task[None], name: str, ended: set[str], failed: dict[str, BaseException]) -> None:
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is None:
        ended.add(name)
    else:
        failed[name] = error


async def _all_cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)
