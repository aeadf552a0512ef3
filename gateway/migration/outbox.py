"""The outbox as a process's writes use it: an entry before the first side is asked, its outcome after it, one write of
an entity at a time.

Writes of one entity take turns, within a process in the order in which they come, among the host's processes by looking
again: so the other side can be told of them in the order in which they happened.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from gateway.call import Reply
from gateway.errors import Overloaded, StateUnavailable, UpstreamBusy
from gateway.migration.entries import Begun, Entry, EntryState, StoredEntry
from gateway.migration.outbox_file import NEVER, OutboxFile
from gateway.migration.pending import Pending
from gateway.operations.ledger import Writing
from gateway.store.contract import StoreError

T = TypeVar("T")
_LOOK_AGAIN, _LONGEST_LOOK = 0.005, 0.05
MOST_WAITING = 1024
"""Writes of one process that wait for their turn, or are under way."""


class Outbox(Writing[OutboxFile]):
    """One process's way to the outbox. Belongs to one event loop; `pending` may be asked by any."""

    def __init__(self, file: OutboxFile, pending: Pending) -> None:
        super().__init__(file)
        self.pending = pending
        self.woken = asyncio.Event()
        self._turns: dict[tuple[str, str], tuple[asyncio.Lock, list[None]]] = {}
        self._running: dict[asyncio.Task[Any], int] = {}

    @classmethod
    def open(cls, path: Path) -> Outbox:
        """Opens the outbox and what its readers look at; blocks; raises `StoreError`."""
        pending = Pending(path.with_suffix(".pending"))
        file = OutboxFile(path, pending)
        try:
            # Its counters outlive processes, and a power failure perhaps as they were long before.
            with file.transaction():
                file.recount()
        except sqlite3.Error as error:
            file.close()
            raise StoreError(f"the outbox {path} can't be read: {error}") from error
        return cls(file, pending)

    async def run(self, work: Coroutine[Any, Any, Reply], snapshot: int) -> Reply:
        """Does a write in a task of its own, so that its outcome is noted even when its caller has left."""
        if len(self._running) >= MOST_WAITING:
            work.close()
            raise Overloaded("Too many writes are under way.", retry_after=1)
        task = asyncio.create_task(work)
        self._running[task] = snapshot
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        del self._running[task]
        if not task.cancelled():
            task.exception()  # told to whoever waits; a caller that has left isn't there to hear it

    def busy(self, snapshot: int) -> bool:
        """Whether writes that a snapshot admitted are under way."""
        return snapshot in self._running.values()

    async def finish(self, seconds: float) -> None:
        """Waits for the writes under way."""
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=seconds)

    def close(self) -> None:
        """Writes what is queued and stops; blocks."""
        super().close()
        self.pending.close()

    @asynccontextmanager
    async def turn(self, entry: Entry, deadline: float) -> AsyncIterator[Begun]:
        """The entry's turn among the writes of its entity, the entry being kept; raises `UpstreamBusy` or
        `StateUnavailable`, and then nothing may be sent. `deadline` on `time.monotonic()`'s clock."""
        place = (entry.group, entry.entity)
        lock, waiting = self._turns.setdefault(place, (asyncio.Lock(), []))
        waiting.append(None)
        try:
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await lock.acquire()
            except TimeoutError:
                raise _busy() from None
            try:
                yield await self._begin(entry, deadline)
            finally:
                lock.release()
        finally:
            waiting.pop()
            if not waiting:
                self._turns.pop(place, None)

    async def _begin(self, entry: Entry, deadline: float) -> Begun:
        pause = _LOOK_AGAIN
        while True:
            begun = await self._kept(entry)
            if begun.what == "fenced":
                raise StateUnavailable("A newer snapshot has the writes; nothing was sent.", retry_after=1)
            if begun.what == "owing":
                raise StateUnavailable(
                    "The system that had the last word before hasn't told all of it yet; nothing was sent.",
                    retry_after=5,
                )
            if begun.what != "busy":
                return begun
            if time.monotonic() + pause >= deadline:
                raise _busy()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK)

    async def _kept(self, entry: Entry) -> Begun:
        def undo(begun: Begun) -> None:
            if begun.entry is not None and begun.what in ("taken", "resumed"):
                sent = begun.entry._replace(state=EntryState.SENT)
                after = EntryState.VOID if begun.what == "taken" else EntryState.UNKNOWN
                self.do_later(lambda: self._file.move(sent, after))

        try:
            begun: Begun = await self.do(lambda: self._file.begin(entry), given_up=undo)
        except StoreError as error:
            raise StateUnavailable(
                "Writes can't be kept at present; nothing was sent.", retry_after=5, note=str(error)
            ) from error
        return begun

    async def move(self, found: StoredEntry, state: EntryState, **members: Any) -> None:
        """Notes how far an entry is: on the disk when this returns or, where the disk fails, later."""
        await self.do_surely(lambda: self._file.move(found, state, **members), found.id, durable=True)
        self.woken.set()

    async def unknown(self, found: StoredEntry, tells: bool, problem: str) -> None:
        """Notes that nobody knows what became of an entry that was sent. Who `tells` is asked later."""
        due = time.time() + found.patience if tells else NEVER
        await self.move(found, EntryState.UNKNOWN, due=due, problem=problem)

    async def due(self, limit: int) -> list[StoredEntry]:
        """The entries whose time has come, one an entity."""
        found: list[StoredEntry] = await self.ask(lambda: self._file.due(limit))
        return found

    async def take(self, found: StoredEntry) -> StoredEntry | None:
        """Has this process go on with an entry, which is on the disk when this returns; None: another one does."""
        taken: StoredEntry | None = await self.do(lambda: self._file.take(found.id, (found.state,)))
        return taken

    async def recount(self) -> None:
        """Counts anew what readers look at."""
        await self.ask(self._file.recount)

    async def drained(self, group: str) -> bool:
        """Whether both sides have seen all writes of a group; raises `StoreError`."""
        return not await self.count(group)

    async def count(self, group: str) -> dict[str, int]:
        """How many writes of a group one side hasn't seen, by state; raises `StoreError`."""
        found: dict[str, int] = await self.ask(lambda: self._file.count(group))
        return found

    async def open_entries(self, group: str | None, limit: int = 500) -> list[StoredEntry]:
        """The entries that aren't over, the oldest first; raises `StoreError`."""
        found: list[StoredEntry] = await self.ask(lambda: self._file.open_entries(group, limit))
        return found

    async def newest(self, group: str, entity: str) -> tuple[int, int]:
        """The number of the entity's newest write (0: none is known), and how many of its writes one side hasn't seen;
        raises `StoreError`."""
        found: tuple[int, int] = await self.ask(lambda: self._file.newest(group, entity))
        return found

    async def last(self) -> int:
        """The number of the newest write of all (0: none is known); raises `StoreError`."""
        found: int = await self.ask(self._file.last)
        return found

    async def oldest(self, group: str) -> float | None:
        """When the oldest write of a group was made that one side hasn't seen; None: there is none."""
        found: float | None = await self.ask(lambda: self._file.oldest(group))
        return found

    async def owe(self, entry: Entry, newest: int) -> bool:
        """`OutboxFile.owe`, on the disk when this returns; raises `StoreError`."""
        kept: bool = await self.do(lambda: self._file.owe(entry, newest))
        self.woken.set()
        return kept

    async def read(self, id: str) -> StoredEntry | None:
        """An entry as it stands; raises `StoreError`."""
        found: StoredEntry | None = await self.ask(lambda: self._file.read(id))
        return found

    async def decide(self, id: str, *, happened: bool) -> StoredEntry | None:
        """A person's word (`OutboxFile.decide`); raises `StoreError`."""
        found: StoredEntry | None = await self.do(lambda: self._file.decide(id, happened))
        self.woken.set()
        return found


def _busy() -> UpstreamBusy:
    return UpstreamBusy("Another change of the same entity is under way; nothing was sent.", retry_after=1)
