"""The adapter over a file of Access: its operations are a database's, asked of the file's latest snapshot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from adapters.contract import Context, Json, Probe, Result
from adapters.errors import AdapterError, Unavailable, UnknownOutcome
from adapters.odbc.access import AccessFile, Signature
from adapters.odbc.adapter import OdbcAdapter
from adapters.odbc.config import Config
from adapters.odbc.model import Model
from adapters.odbc.pool import Pool
from adapters.odbc.session import Session

DRIVER = "Driver=SQLite3;Database={}"
_WARNING = "The file behind this can't be read now: this is how it was last seen."
_LOOK = 1.0
"""Seconds for which nobody looks again whether the file has changed."""


class SnapshotAdapter(OdbcAdapter):
    """Reads of one file. Each sees one snapshot; its `as_of` is when the file was last seen to be as it was copied."""

    def __init__(self, name: str, config: Config, model: Model, file: AccessFile) -> None:
        super().__init__(name, config, model)
        self._file = file
        self._of: Signature | None = None
        self._path: Path | None = None
        self._seen = datetime.fromtimestamp(0, UTC)
        self._looked = float("-inf")
        self._trouble = ""
        """Why the last look made no snapshot; empty: it did, or the file hasn't changed."""
        self._making: asyncio.Task[None] | None = None
        self._retired: set[asyncio.Task[None]] = set()

    def _session(self, *, bulk: bool = False) -> Session:
        return Session(DRIVER.format(self._path), self._dialect, bulk=bulk)

    async def open(self) -> None:
        await self._current()
        await super().open()

    async def close(self) -> None:
        if self._making is not None:
            await asyncio.wait((self._making,))
        await super().close()
        if self._retired:
            await asyncio.wait(self._retired)

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        await self._within(context)
        seen = self._seen
        result = await super().invoke(operation, input, context)
        sources = tuple(each._replace(as_of=seen) for each in result.sources)
        return result._replace(as_of=seen, sources=sources, warnings=(_WARNING,) if self._trouble else ())

    async def bulk(
        self, operation: str, input: Mapping[str, Json], context: Context
    ) -> AsyncGenerator[Sequence[Json], None]:
        await self._within(context)
        async with aclosing(super().bulk(operation, input, context)) as batches:
            async for batch in batches:
                yield batch

    async def probe(self, context: Context) -> Probe:
        started = time.monotonic()
        try:
            self._looked = float("-inf")
            await self._within(context)
        except AdapterError as error:
            return Probe(False, error.message, time.monotonic() - started)
        found = await super().probe(context)
        return (
            replace(found, ok=False, detail=f"{self._trouble}; an earlier snapshot serves") if self._trouble else found
        )

    async def _within(self, context: Context) -> None:
        try:
            async with asyncio.timeout(context.remaining()):
                await self._current()
        except TimeoutError:
            raise UnknownOutcome("the file wasn't read before the deadline") from None

    async def _current(self) -> None:
        """Looks whether the file has changed, once for all callers; raises where there is no snapshot yet, while a
        later one can't be made the earlier one serves."""
        if self._path is not None and time.monotonic() - self._looked < _LOOK:
            return
        if self._making is None:
            self._making = asyncio.create_task(self._renewed())
        try:
            await asyncio.shield(self._making)
        except AdapterError:
            if self._path is None:
                raise

    async def _renewed(self) -> None:
        try:
            at = datetime.now(UTC)
            signature = await asyncio.to_thread(self._file.signature)
            if signature != self._of:
                self._path = await asyncio.to_thread(self._file.snapshot, signature)
                self._of = signature
                self._retire()
            self._seen, self._trouble = at, ""
        except AdapterError as error:
            self._trouble = error.message
            raise
        except OSError as error:
            self._trouble = "no snapshot of the file can be kept"
            raise Unavailable(self._trouble, detail=str(error)) from error
        finally:
            self._looked, self._making = time.monotonic(), None

    def _retire(self) -> None:
        """Lets the calls under way end on the snapshot that they began on."""
        pool, self._pool = self._pool, None
        self._bulk = None  # its lists end by themselves, or by their readers' deadlines
        if pool is not None:
            task = asyncio.create_task(_closed(pool))
            self._retired.add(task)
            task.add_done_callback(self._retired.discard)


async def _closed(pool: Pool) -> None:
    await pool.close()
