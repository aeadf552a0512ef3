"""One captured source: loaded once, followed from then on, resumed wherever it stood.

What is read is stored before the source is told that it may forget it. While a load goes on, each of its pages waits
until all changes are stored that were committed before the page was read: so a row never goes back in time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import orjson

from adapters.changes import Batch, Capture, Page, PositionLost
from adapters.contract import Json
from gateway.events.loads import LoadedFile, keyed
from gateway.events.log import EventLog
from gateway.events.model import Phase, Standing
from gateway.freshness.comparing import Comparing

_T = TypeVar("_T")

logger = logging.getLogger("figway")

PATIENCE = 300.0
"""Seconds that one question to the source may take."""
BATCH, PAGE = 2_000, 2_000
_SAY = 1.0
"""Seconds between two notes that nothing has changed."""
_SOON = 0.005
_FEW = 10


class Refused(Exception):
    """A load found so many rows gone that somebody has to say that this is right; the message says how many."""


@dataclass(slots=True)
class Measured:
    """What a process has seen of a capture: changes, loads begun, and the seconds that the source worked for it."""

    changes: int = 0
    loads: int = 0
    busy: float = 0.0
    lag: float = 0.0
    """Seconds from the last change's commit to its being stored, where the source tells when that was."""


class Capturing:
    """Follows one capture. `step` does a little and tells how soon the next one is worth it; whatever it raises, the
    next call goes on where it stood."""

    def __init__(
        self,
        name: str,
        capture: Capture,
        log: EventLog,
        digest: str,
        most_deletes: float = 0.2,
        indexes: Sequence[str] = (),
    ) -> None:
        """`name` is `UPSTREAM.CAPTURE`; `digest` changes when it is asked for otherwise; of `most_deletes` of the
        replica's rows, a load needs somebody's word to delete more. `indexes`: `gateway.events.answers.indexes`."""
        self.name, self._capture, self._log, self._digest = name, capture, log, digest
        self._most_deletes, self._indexes = most_deletes, indexes
        self._standing: Standing | None = None
        self._known = ""
        """The position that is on the disk."""
        self._said = 0.0
        self.comparing = Comparing(name, capture, log, most_deletes)
        self._settled = True
        self._until: float | None = None
        self._as_of: float | None = None
        self.current = 0.0
        """The replica has all that was committed by then; seconds since 1970."""
        self.measured = Measured()

    async def step(self) -> bool:
        """Reads on a little; whether there is more to read already. Raises `AdapterError`s, `StoreError` and
        `Refused`."""
        standing = self._standing or await self._enrolled()
        if standing.phase is Phase.NEW:
            await self._begin()
            return True
        try:
            if standing.phase is Phase.LOADING:
                await self._load(standing)
                return True
            if await self._follow(standing):
                return True
            if self._has(self.comparing.read):
                await self.comparing.step(self._standing or standing)
            return False
        except PositionLost as lost:
            logger.info("%s is loaded anew: %s", self.name, lost.message)
            await self._begin()
            return True

    @property
    def enrolled(self) -> bool:
        """Whether the log knows of it."""
        return self._standing is not None

    @property
    def loading(self) -> bool:
        """Whether a load goes on."""
        return self._standing is not None and self._standing.phase is Phase.LOADING

    async def load_anew(self) -> None:
        """Has everything read once more and held against the replica."""
        await self._begin()

    async def _enrolled(self) -> Standing:
        found = await self._log.write(LoadedFile.enrol, self.name, self._digest)
        await self._log.write(LoadedFile.indexed, self.name, self._indexes)
        self._standing, self.current, self._known = found, found.current, found.position
        self.comparing.resume(found)
        if found.position and found.phase is not Phase.NEW:
            # A process that died may have stored what it couldn't release any more.
            await self._released(found.position)
        return found

    async def _begin(self) -> None:
        position = await self._asked(self._capture.begin(_deadline()))
        self._standing, self._known = await self._log.write(LoadedFile.begin, self.name, position), position
        self.measured.loads += 1

    # ── changes ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _follow(self, standing: Standing) -> bool:
        asked = time.time()
        batch = await self._asked(self._capture.changes(standing.position, BATCH, _deadline()))
        self._until, self._as_of, self._settled = batch.until, batch.as_of, batch.settled
        current = None if batch.more else asked if batch.until is None else batch.until
        if standing.phase is Phase.LOADING:
            current = None  # changes are known up to then, and rows aren't
        if batch.changes or standing.phase is Phase.LOADING or asked - self._said > _SAY:
            await self._stored(standing, batch, current, asked)
        elif batch.position != standing.position:  # what others did: it is read again, should this process die
            self._standing = standing._replace(position=batch.position)
        if current is not None:
            self.current = current
        return batch.more

    async def _stored(self, standing: Standing, batch: Batch, current: float | None, asked: float) -> None:
        """Stores what a batch tells; only then may the source forget it."""
        if batch.changes or batch.position != self._known:
            await self._log.write(LoadedFile.write, self.name, batch, current)
            self._standing, self._known = standing._replace(position=batch.position), batch.position
            self._measure(batch.changes[-1].at.timestamp() if batch.changes and batch.changes[-1].at else None)
            self.measured.changes += len(batch.changes)
            await self._released(batch.position)
        elif current is not None and asked - self._said > _SAY:
            await self._log.write(LoadedFile.current, self.name, current, batch.as_of)
        else:
            return
        self._said = asked

    async def _released(self, position: str) -> None:
        await self._asked(self._capture.release(position, _deadline()))

    def _measure(self, committed: float | None) -> None:
        if committed is not None:
            self.measured.lag = max(0.0, time.time() - committed)

    # ── loads ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _load(self, standing: Standing) -> None:
        cursor = orjson.loads(standing.cursor)
        if cursor is not None and cursor.get("over"):
            await self._end_load()
            return
        page: Page = await self._asked(self._capture.page(cursor and cursor["after"], PAGE, _deadline()))
        await self._catch_up()
        following: Json = {"over": True} if page.after is None else {"after": page.after}
        rows = keyed(page)
        loaded = partial(LoadedFile.loaded, truncates=standing.truncates)
        self._standing = await self._log.write(loaded, self.name, rows, following)

    async def _catch_up(self) -> None:
        """Stores changes until all is stored that was committed before this was called."""
        called = time.time()
        while self._standing and (await self._follow(self._standing) or not self._has(called)):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0 if self._settled else _SOON)

    def _has(self, at: float) -> bool:
        """Whether all is stored that was committed by then, which was before the source was last asked. A log that is
        always written to never rests: there only how far it is proven tells."""
        return self._settled or (self._until or 0.0) >= at

    async def _end_load(self) -> None:
        """Deletes what the load didn't find; raises `Refused` where that is too much to be believed."""
        found = await self._log.standing(self.name)
        assert found is not None
        stale, rows = await self._log.write(LoadedFile.stale, self.name)
        if stale > max(_FEW, self._most_deletes * rows) and found.wanted != "accept":
            await self._catch_up()
            raise Refused(
                f"{stale} of {rows} rows are gone from the source, more than {self._most_deletes:.0%}: "
                f"if that is right, say so by 'figway changes load {self.name} --accept-deletes'"
            )
        while await self._log.write(LoadedFile.sweep, self.name):
            pass
        asked = time.time()
        await self._catch_up()
        self.current = asked if self._until is None else self._until
        self._standing = await self._log.write(LoadedFile.whole, self.name, self.current, self._as_of)

    async def _asked(self, question: Awaitable[_T]) -> _T:
        started = time.monotonic()
        try:
            return await question
        finally:
            self.measured.busy += time.monotonic() - started


def _deadline() -> float:
    return time.monotonic() + PATIENCE
