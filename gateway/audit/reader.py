"""Searching the audit: newest first, page by page, bounded in rows and in time. What is shown comes from the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import orjson

from gateway.audit.archive import Archive, Readable
from gateway.audit.feeding import feed
from gateway.audit.index import Entry, Index, Key
from gateway.audit.question import NO_RECORD, Question
from gateway.audit.sink import AuditError

Opener: TypeAlias = Callable[[], AbstractContextManager[Archive]]
Unseal: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

# Records looked at for one page; a question about texts may pass over many. The next page goes on from there.
_MOST_LOOKED_AT = 20_000
_CHUNK = 500


class NotReady(AuditError):
    """The index is still being made; asking again goes on with it."""


class Page(NamedTuple):
    """Some records, newest first, and behind which place there may be more (None: there is none)."""

    items: list[dict[str, Any]]
    next: Key | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Searches one archive. Blocks; safe to call from several threads at once."""

    open: Opener
    index: Path
    """The side file; readers of several archives don't share one."""
    source: str
    """What the archive is called; another one's index is begun anew."""
    unseal: Unseal

    def find(self, id: str, seconds: float = 5.0) -> list[dict[str, Any]]:
        """What is written of one call: how it ended, and the intent before it. Raises `AuditError`."""
        return self.search(Question({"id": id}), 100, seconds=seconds).items

    def search(self, question: Question, limit: int, after: Key | None = None, seconds: float = 5.0) -> Page:
        """At most `limit` records. Raises `AuditError`: `NotReady`, `TooBroad` or one that tells what is broken."""
        until = time.monotonic() + seconds
        with self.open() as archive, closing(Index(self.index, self.source)) as index:
            if not feed(index, archive, until):
                raise NotReady("the audit's index is still being made: ask again in a moment")
            sources = {source.writer: source for source in archive}
            return self._page(index, sources, question, limit, after, until)

    def catch_up(self, seconds: float) -> bool:
        """Notes what was written since the last search; False: there is more."""
        with self.open() as archive, closing(Index(self.index, self.source)) as index:
            return feed(index, archive, time.monotonic() + seconds)

    def _page(
        self,
        index: Index,
        sources: Mapping[str, Readable],
        question: Question,
        limit: int,
        key: Key | None,
        until: float,
    ) -> Page:
        found: list[dict[str, Any]] = []
        looked_at = 0
        while True:
            wanted = _CHUNK if question.text is not None else limit - len(found) + 1
            entries = index.search(question, wanted, key, until)
            for entry in entries:
                if len(found) == limit:
                    return Page(found, key)
                key = entry.key
                # What isn't a record, or another one than the index says, isn't shown: `verify` tells of it.
                with suppress(*NO_RECORD):
                    record = self._record(sources, entry)
                    if record is not None and question.matches(record):
                        found.append(record)
            if len(entries) < wanted:
                return Page(found, None)
            looked_at += len(entries)
            if looked_at >= _MOST_LOOKED_AT or time.monotonic() >= until:
                return Page(found, key)

    def _record(self, sources: Mapping[str, Readable], entry: Entry) -> dict[str, Any] | None:
        """The record that stands there, and where that is; None: none does, whatever the index says."""
        source = sources.get(entry.writer)
        line = None if source is None else source.piece(entry.segment, entry.start, entry.size)
        if line is None:
            return None
        return {**self.unseal(orjson.loads(line)), "written": {"writer": entry.writer, "number": entry.key[2]}}
