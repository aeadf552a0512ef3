"""The continuous comparison of a replica with its source, where changes alone are what it follows.

Now and then all rows are read once more, slowly, and held against the replica. A page is compared when all is stored
that was committed before it was read; what differs then is looked at again a little later, as some databases show what
they have committed before their log tells of it. What still differs, though no change told of it, is mended, and
counted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from adapters.changes import Capture
from adapters.contract import Json
from adapters.errors import AdapterError
from gateway.events.loads import LoadedFile, keyed
from gateway.events.log import EventLog
from gateway.events.model import Phase, Standing
from gateway.instants import spelt_of

logger = logging.getLogger("figway")

_PAGE = 500
_FIRST, _LEAST = 120.0, 300.0
"""Seconds before the first comparison of a process, and at least between two of them."""
_SHARE, _REST = 4, 10
"""A page is followed by a pause of so many times what it took, a comparison by so many times what that took."""
_LATER = 2.0
_FEW = 10
_PATIENCE = 10.0
"""Seconds that a page may take; meanwhile no changes are read."""


class _Page(NamedTuple):
    """A page in hand: it was read when the log ended with the event `since`."""

    rows: list[tuple[str, bytes]]
    after: Json
    since: int


class _Suspects(NamedTuple):
    """Rows that differed, to be looked at again at `due`."""

    rows: list[tuple[str, bytes]]
    since: int
    due: float


class Comparing:
    """Compares one capture's replica. `step` does a little, where it is time; it is called only when all is stored that
    was committed before the last page was read."""

    def __init__(
        self,
        name: str,
        capture: Capture,
        log: EventLog,
        most_deletes: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`most_deletes`: see `Capturing`."""
        self._name, self._capture, self._log, self._clock = name, capture, log, clock
        self._most_deletes = most_deletes
        self._next = clock() + _FIRST
        self._begun: float | None = None
        self._load = self._start = self._count = 0
        self._after: Json = None
        self._page: _Page | None = None
        self._suspects: list[_Suspects] = []
        self._read_all = False
        self.read = 0.0
        """When the last page was read, in seconds since 1970."""
        self.differed = 0
        """Rows that this process has found to differ."""
        self.alarm = ""
        """What somebody should look at; empty: in the last comparison nothing differed."""
        self.needed = capture.guarantee.deletes == "all"  # the others read everything again anyway

    def resume(self, standing: Standing) -> None:
        """Takes up what is known from an earlier process."""
        self.alarm = told(standing)

    async def step(self, standing: Standing) -> None:
        """Goes on, where it is time; raises `StoreError`. A page that can't be read ends the comparison: another one
        begins later."""
        if not self.needed or standing.phase is not Phase.LIVE:
            return
        if self._begun is not None and standing.load != self._load:  # everything was read anew meanwhile
            self._end(self._clock())
        if self._page is not None:
            await self._compare(self._page)
        elif self._suspects and self._clock() >= self._suspects[0].due:  # before there are more of them
            await self._mend()
        elif self._clock() >= self._next:
            await self._go_on(standing)

    async def _go_on(self, standing: Standing) -> None:
        if self._begun is None:
            self._start = await self._log.write(LoadedFile.compare, self._name)
            self._begun, self._load, self._after = self._clock(), standing.load, None
            self._read_all, self._count = False, 0
        if self._read_all:
            await self._finish()
            return
        started, since = self._clock(), (await self._log.span())[1]
        try:
            page = await self._capture.page(self._after, _PAGE, time.monotonic() + _PATIENCE)
        except AdapterError as error:
            logger.info("%s can't be compared with its source now: %s", self._name, error)
            self._end(self._clock())
            return
        self.read = time.time()
        self._page = _Page(keyed(page), page.after, since)
        self._next = self._clock() + _SHARE * (self._clock() - started)

    async def _compare(self, page: _Page) -> None:
        rows = await self._log.write(LoadedFile.suspects, self._name, page.rows, page.since)
        if rows:
            self._suspects.append(_Suspects(rows, page.since, self._clock() + _LATER))
        self._page, self._after, self._read_all = None, page.after, page.after is None
        if self._read_all:  # what was deleted last may be told last
            self._next = max(self._next, self._clock() + _LATER)

    async def _mend(self) -> None:
        suspects = self._suspects[0]
        found = await self._log.write(LoadedFile.mend, self._name, suspects.rows, suspects.since, self._id)
        del self._suspects[0]
        self._found(found)

    async def _standing(self) -> Standing:
        found = await self._log.standing(self._name)
        assert found is not None  # it is being followed
        return found

    async def _finish(self) -> None:
        """Every page was compared: what none of them had isn't there any more."""
        while self._suspects:
            await self._mend()
        unseen = await self._log.write(LoadedFile.unseen, self._name, self._start)
        believed = unseen <= max(_FEW, self._most_deletes * (await self._standing()).rows)
        while believed and await self._log.write(LoadedFile.remove_unseen, self._name, self._start, self._id):
            pass
        self._found(unseen)
        await self._log.write(LoadedFile.compared, self._name, self._count)
        self.alarm = told(await self._standing()) if believed else _disbelieved(self._name, unseen)
        if self.alarm:
            logger.warning("%s: %s", self._name, self.alarm)
        self._end(self._clock())

    @property
    def _id(self) -> str:
        return f"compare-{self._start}"

    def _found(self, rows: int) -> None:
        self._count += rows
        self.differed += rows

    def _end(self, now: float) -> None:
        took = 0.0 if self._begun is None else now - self._begun
        self._begun, self._page, self._suspects = None, None, []
        self._next = now + max(_LEAST, _REST * took)


def told(standing: Standing) -> str:
    """What the last comparison found; empty: nothing."""
    if not standing.differed:
        return ""
    at = spelt_of(standing.compared, "auto")
    return (
        f"{standing.differed} rows differed from the source when all were compared ({at}), though no change told of "
        "it; they were mended"
    )


def _disbelieved(name: str, unseen: int) -> str:
    return (
        f"{unseen} rows of the replica weren't at the source when all were compared, though no change told of it; they "
        f"were left, as they are so many: have them read anew by 'figway changes load {name}'"
    )
