"""The threads of one files upstream, and what is waited for: the event loop itself never touches a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from adapters.contract import Json
from adapters.errors import Unavailable
from adapters.files.calls import awaited, with_value
from adapters.files.dataset import Dataset
from adapters.files.generation import Found, Generation

_T = TypeVar("_T")

_THREADS = 4
_LARGE = 8 * 1024
"""Bytes of a record that is decoded on a thread, since decoding it takes more than a millisecond."""
_GRACE = 0.25
"""Seconds that a read waits for a new generation before the old one answers."""


class Threads:
    """A few threads for reads and writes, and as many that look at folders: indexing a big file takes minutes, and
    reads mustn't wait for a thread meanwhile."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._working: ThreadPoolExecutor | None = None
        self._looking: ThreadPoolExecutor | None = None
        self._looks: dict[str, Future[Generation]] = {}

    @property
    def open(self) -> bool:
        """Have they been started?"""
        return self._working is not None

    def start(self) -> None:
        """Starts them, unless they run."""
        if self._working is None:
            self._working = ThreadPoolExecutor(_THREADS, f"files-{self._name}")
            self._looking = ThreadPoolExecutor(_THREADS, f"files-{self._name}-look")

    def stop(self) -> None:
        """Waits for nothing; what hasn't begun never will."""
        pools = (self._working, self._looking)
        self._working = self._looking = None
        self._looks.clear()
        for threads in pools:
            if threads is not None:
                threads.shutdown(wait=False, cancel_futures=True)

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Raises `Unavailable` when they were stopped."""
        if self._working is None:
            raise Unavailable(f"{self._name} is closed")
        return self._working.submit(work)

    async def run(self, work: Callable[[], _T]) -> _T:
        """Waits for work, which goes on when nobody waits any more."""
        return await asyncio.shield(awaited(self.submit(work)))

    async def run_long(self, work: Callable[[], _T]) -> _T:
        """The same for work that may take minutes."""
        return await asyncio.shield(awaited(self.beside(work)))

    def look(self, dataset: Dataset, *, force: bool) -> Future[Generation]:
        """Looks at a dataset's folders."""
        return self.beside(lambda: dataset.refresh(force=force))

    def beside(self, work: Callable[[], _T]) -> Future[_T]:
        """Work that may take minutes; raises `Unavailable` when they were stopped."""
        if self._looking is None:
            raise Unavailable(f"{self._name} is closed")
        return self._looking.submit(work)

    async def current(self, dataset: Dataset, *, force: bool = False) -> Generation:
        """The dataset's generation, after a look at the folder where one is due."""
        generation = dataset.generation
        if generation is not None and not force and not dataset.due:
            return generation
        name = dataset.description.name
        looking = self._looks.get(name)
        if looking is None or looking.done() or force:
            looking = self._looks[name] = self.look(dataset, force=force)
        future = awaited(looking)
        if generation is None or force:
            return await asyncio.shield(future)
        await asyncio.wait({future}, timeout=_GRACE)
        return future.result() if future.done() else generation

    async def found(self, generation: Generation, key: Json) -> tuple[Found | None, Json]:
        """Where the record of a key is, and its value; None while the file is being rewritten."""
        if generation.blocking:
            return await self.run(lambda: with_value(generation.find(key)))
        found = generation.find(key)
        if found is None or found.bad is not None:
            return found, None
        start, end = found.part.span(found.ordinal)
        if found.part.content.blocking or end - start > _LARGE:
            return await self.run(lambda: with_value(found))
        return with_value(found)
