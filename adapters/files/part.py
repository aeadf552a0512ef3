"""One version of one file, read once: where each record is, under which key, and what couldn't be decoded."""

from __future__ import annotations

import io
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

from adapters.contract import Json
from adapters.files.content import Changed, Content, InMemory, OnDisk, Version
from adapters.files.formats import Bad, Copied, Format, Reader, Record, at
from adapters.files.undecodable import Undecodable

KEPT_BAD = 10_000
"""Undecodable records of a file that are remembered one by one; further ones are counted."""

_BUFFER = 1 << 20


@dataclass(slots=True)
class Part:
    """The index of one file. `rows` are the decoded records while the dataset is small, else None."""

    path: str
    version: Version
    as_of: datetime
    content: Content
    reader: Reader | None
    keys: list[Json] = field(default_factory=list)
    starts: array[int] = field(default_factory=lambda: array("Q"))
    ends: array[int] = field(default_factory=lambda: array("Q"))
    rows: list[dict[str, Json]] | None = None
    bad: list[Bad] = field(default_factory=list)
    lost: Bad | None = None
    """The first bytes in which any record may be."""
    undecodable: int = 0

    def span(self, ordinal: int) -> tuple[int, int]:
        """The bytes [start, end) of a record."""
        return self.starts[ordinal], self.ends[ordinal]

    def value(self, ordinal: int) -> dict[str, Json]:
        """A record, decoded anew, so that nobody shares it; raises `Changed`."""
        return self._decoded(self.content.read(*self.span(ordinal)))

    def _decoded(self, data: bytes) -> dict[str, Json]:
        if self.reader is None:
            raise Changed
        try:
            return self.reader.decode(data)
        except Undecodable as error:  # it was decodable when it was indexed
            raise Changed from error

    def row(self, ordinal: int) -> dict[str, Json]:
        """A record to look at only; raises `Changed`."""
        return self.value(ordinal) if self.rows is None else self.rows[ordinal]

    def all_rows(self) -> Iterator[dict[str, Json]]:
        """Every record to look at, in the file's order, read in big pieces; raises `Changed`."""
        if self.rows is not None:
            yield from self.rows
            return
        begin = end = 0
        data = b""
        for start, stop in zip(self.starts, self.ends, strict=True):
            if stop > end:
                begin, end = start, max(stop, min(start + _BUFFER, self.version.size))
                data = self.content.read(begin, end)
            yield self._decoded(data[start - begin : stop - begin])


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be kept in memory of one file: its bytes, and its decoded records."""

    content: bool
    rows: bool


def read(path: str, handle: int, format: Format, key: str, budget: Budget) -> Part:
    """Indexes an open file and takes over its handle; raises `Changed` when it was written to meanwhile."""
    version = Version.of(handle)
    as_of = datetime.fromtimestamp(version.modified_ns / 1e9, UTC)
    if budget.content:
        with open(handle, "rb", closefd=True) as file:
            data = file.read()
            if len(data) != version.size or not version.same_bytes(Version.of(file.fileno())):
                raise Changed
        part = Part(path, version, as_of, InMemory(data), None)
        _index(part, io.BytesIO(data), format, key, rows=budget.rows)
        return part
    disk = OnDisk(handle, version)  # kept to the end, also where the reader makes a copy: it owns the handle
    part = Part(path, version, as_of, disk, None)
    with open(os.dup(handle), "rb", buffering=_BUFFER) as file:
        _index(part, file, format, key, rows=budget.rows)
    if not version.same_bytes(Version.of(handle)):
        raise Changed
    return part


def _index(part: Part, file: BinaryIO, format: Format, key: str, *, rows: bool) -> None:
    part.rows = [] if rows else None
    for found in _scan(part, file, format):
        if isinstance(found, Record):
            name = at(found.value, key)
            if name is not None and name != "":
                part.keys.append(name)
                part.starts.append(found.start)
                part.ends.append(found.end)
                if part.rows is not None:
                    part.rows.append(found.value)
                continue
            found = Bad(found.start, found.end, f"its key {key} is empty")
        part.undecodable += 1
        if len(part.bad) < KEPT_BAD:
            part.bad.append(found)
        if found.lost and part.lost is None:
            part.lost = found


def _scan(part: Part, file: BinaryIO, format: Format) -> Iterator[Record | Bad]:
    try:
        part.reader = format.reader(file, part.version.size)
    except Undecodable as error:
        yield Bad(0, part.version.size, str(error), lost=True)
        return
    if isinstance(part.reader, Copied):
        part.content = part.reader.content
    yield from part.reader.scan(file)
