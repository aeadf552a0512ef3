"""The log and the replicas, for the event loop: one thread writes, another one reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from gateway.events.loads import LoadedFile
from gateway.events.model import Event, Row, Standing
from gateway.store.offload import Offload

_P = ParamSpec("_P")
_T = TypeVar("_T")


class EventLog:
    """What was captured on this host. The file is made when it is first asked; every method raises `StoreError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[bool, LoadedFile] = {}
        self._threads = {writing: Offload(threads=1, waiting=256) for writing in (False, True)}

    async def write(self, do: Callable[Concatenate[LoadedFile, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """`await log.write(LoadedFile.write, "erp.stock", batch)`: one of the file's methods, on the thread that
        writes."""
        return await self._threads[True](lambda: do(self._file(True), *args, **kwargs))

    async def read(self, after: int, limit: int, capture: str | None = None) -> list[Event]:
        """At most `limit` events behind a sequence number (0: from the first), in order, of one capture or of all.
        Who reads keeps the last one's number as its position; raises `Trimmed` where what is behind it is gone."""
        return await self._threads[False](lambda: self._file(False).read(after, limit, capture))

    async def span(self) -> tuple[int, int]:
        """The numbers of the first event that is kept and of the last."""
        return await self._threads[False](lambda: self._file(False).span())

    async def standings(self) -> list[Standing]:
        """How far each capture is, by name."""
        return await self._threads[False](lambda: self._file(False).standings())

    async def standing(self, name: str) -> Standing | None:
        """How far one of them is; None: nothing of that name is captured."""
        return await self._threads[False](lambda: self._file(False).standing(name))

    def replica(self, name: str) -> Replica:
        """The replica of the capture `UPSTREAM.CAPTURE`."""
        return Replica(self, name)

    async def rows(self, name: str, after: str, limit: int) -> list[Row]:
        """See `Replica.rows`."""
        return await self._threads[False](lambda: self._file(False).rows(name, after, limit))

    async def row(self, name: str, key: str) -> Row | None:
        """See `Replica.row`."""
        return await self._threads[False](lambda: self._file(False).row(name, key))

    def close(self) -> None:
        """Waits for what is under way, and closes the file."""
        for writing, threads in self._threads.items():
            threads.close()
            if writing in self._files:
                self._files.pop(writing).close()

    def _file(self, writing: bool) -> LoadedFile:
        if writing not in self._files:
            self._files[writing] = LoadedFile(self._path)
        return self._files[writing]


class Replica:
    """What a captured table holds, as of the moment that its standing says."""

    def __init__(self, log: EventLog, name: str) -> None:
        self._log, self._name = log, name

    async def standing(self) -> Standing | None:
        """How far it is; `current` says as of when its rows are. None: nothing of that name is captured."""
        return await self._log.standing(self._name)

    async def rows(self, after: str = "", limit: int = 1000) -> list[Row]:
        """At most `limit` rows behind a key as text ("": from the start), in order of that text."""
        return await self._log.rows(self._name, after, limit)

    async def row(self, key: str) -> Row | None:
        """The row of a key as `gateway.events.model.key_text` writes it; None: there is none."""
        return await self._log.row(self._name, key)
