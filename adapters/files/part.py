"""One version of one file, read once: where each record is, under which key, and what couldn't be decoded."""

from __future__ import annotations

import io
import os
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

from adapters.contract import Json
from adapters.files.big_columns import BigColumns
from adapters.files.columnar import Column, Columns, Mask
from adapters.files.content import Changed, Content, InMemory, OnDisk, Version
from adapters.files.copy import Copy
from adapters.files.formats import Bad, Copied, FieldType, Format, Reader, Record, at
from adapters.files.index import KEPT_BAD, Index
from adapters.files.store import Store
from adapters.files.turns import giving_way
from adapters.files.undecodable import Undecodable

_BUFFER = 1 << 20
_TOLD_EVERY = 10_000


@dataclass(slots=True)
class Part:
    """One file. `rows` are the decoded records while the dataset is small, else None.

    Either `index` says where the records are, or, in a small file, `keys`, `starts` and `ends` do.
    """

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
    index: Index | None = None
    columns: Columns = field(default_factory=Columns)
    big: BigColumns = field(default_factory=BigColumns)

    @property
    def found(self) -> int:
        """How many records the file has, decodable or not, as far as that can be told."""
        return self.undecodable + (len(self.keys) if self.index is None else self.index.decodable)

    def span(self, ordinal: int) -> tuple[int, int]:
        """The bytes [start, end) of a record."""
        if self.index is not None:
            return self.index.span(ordinal)
        return self.starts[ordinal], self.ends[ordinal]

    def value(self, ordinal: int) -> dict[str, Json]:
        """A record, decoded anew, so that nobody shares it; raises `Changed`."""
        return self.decoded(self.content.read(*self.span(ordinal)))

    def decoded(self, data: bytes) -> dict[str, Json]:
        """The record of these bytes; raises `Changed`."""
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
        read = self._reading()
        for start, stop in zip(self.starts, self.ends, strict=True):
            yield self.decoded(read(start, stop))

    def _reading(self) -> Callable[[int, int], bytes]:
        """What gives bytes that are asked for in ascending order, read in big pieces."""
        begin = end = 0
        data = b""
        last = self.content.size if isinstance(self.content, Copy) else self.version.size

        def read(start: int, stop: int) -> bytes:
            nonlocal begin, end, data
            if stop > end or start < begin:
                begin, end = start, max(stop, min(start + _BUFFER, last))
                data = self.content.read(begin, end)
            return data[start - begin : stop - begin]

        return read

    def frames(self, spans: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        """The bytes of records that are asked for in ascending order, read in big pieces; raises `Changed`."""
        if isinstance(self.content, InMemory):
            data = self.content.read(0, self.version.size)
            return (data[start:stop] for start, stop in spans)
        read = self._reading()
        return (read(start, stop) for start, stop in spans)

    def rows_of(self, mask: Mask | None) -> Iterator[tuple[int, dict[str, Json]]]:
        """(ordinal, record) of the records that a mask lets through, of all where there is none; raises `Changed`."""
        if mask is None:
            return enumerate(self.all_rows())
        return ((ordinal, self.row(ordinal)) for ordinal in mask.nonzero()[0].tolist())

    def indexed_rows(self) -> Iterator[tuple[bytes, int, dict[str, Json]]]:
        """(key as its index has it, ordinal, record) of every decodable one of a big file, in the file's order, read in
        big pieces; raises `Changed`."""
        assert self.index is not None
        read = self._reading()
        for key, ordinal, start, stop in self.index.places():
            yield key, ordinal, self.decoded(read(start, stop))

    def columns_of(self, fields: Mapping[str, FieldType]) -> dict[str, Column] | None:
        """These fields of all records, of a file whose index is in memory; None: they can't be had. Raises
        `Changed`."""
        return self.columns.of(fields, self.all_rows())

    def make_columns(self) -> None:
        """Makes the columns that are wanted of a big file; raises `Changed`."""
        self.big.make((ordinal, row) for _, ordinal, row in self.indexed_rows())

    @property
    def plain(self) -> bool:
        """Is every record of a big file the only one of its key?"""
        index = self.index
        return index is not None and not index.undecodable and index.records == index.decodable


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be kept in memory of one file: its bytes, and its decoded records."""

    content: bool
    rows: bool
    index: bool = True
    """And the places of its records; else these go to the disk."""


ReadFile = Callable[[str, int, int], Part]
"""Reads the file of a path by its handle, which it takes over, and its size; raises `Changed`."""

Progress = Callable[[int, int], None]
"""Called now and then while a file is indexed, with how many of how many bytes are done."""


def read(
    path: str, handle: int, format: Format, key: str, budget: Budget, store: Store, progress: Progress = lambda *_: None
) -> Part:
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
        if budget.index:
            _index(part, file, format, key, rows=budget.rows)
        else:
            _index_on_disk(part, file, format, store, progress)
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


def _index_on_disk(part: Part, file: BinaryIO, format: Format, store: Store, progress: Progress) -> None:
    def scan() -> Iterator[Record | Bad]:
        for number, found in enumerate(giving_way(_scan(part, file, format))):
            if number % _TOLD_EVERY == 0:
                progress(found.start, part.version.size)
            yield found
        if not part.version.same_bytes(Version.of(file.fileno())):
            raise Changed

    index, built = store.index(part.path, file.fileno(), part.version, scan)
    if not built:
        with suppress(Undecodable):
            part.reader = format.reader(file, part.version.size)
            if isinstance(part.reader, Copied):  # a copy lives as long as its process
                part.content = part.reader.content
                deque(part.reader.scan(file), maxlen=0)
    part.index, part.undecodable, part.lost = index, index.undecodable, index.lost
    part.bad = index.all_bad(KEPT_BAD) if built else []


def _scan(part: Part, file: BinaryIO, format: Format) -> Iterator[Record | Bad]:
    try:
        part.reader = format.reader(file, part.version.size)
    except Undecodable as error:
        yield Bad(0, part.version.size, str(error), lost=True)
        return
    if isinstance(part.reader, Copied):
        part.content = part.reader.content
    yield from part.reader.scan(file)
