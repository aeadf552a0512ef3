"""Control records: a file's first record, or its last, that says how many records are between, and what they add up to.

They are no records of the dataset. A file whose control record is missing or says otherwise isn't served: it was cut
off, or isn't what its sender meant. Sums that a field has no room for are told by their last digits (a hash total).
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any, BinaryIO, NamedTuple

from adapters.contract import Json
from adapters.errors import FieldError
from adapters.files.config import ControlRecord
from adapters.files.formats import Bad, FieldType, Format, Reader, Record, at
from adapters.files.manifest import Mismatch
from adapters.files.undecodable import Undecodable

_EXACT = Context(prec=20_000, Emin=-999_999, Emax=999_999)


class Spelling(NamedTuple):
    """How a control record of some format is read and written."""

    starts: Callable[[bytes], bool]
    read: Callable[[bytes], Mapping[str, Json]]
    """Raises `Undecodable`."""
    write: Callable[[Mapping[str, Json]], tuple[bytes, list[FieldError]]]
    room: Callable[[str], int | None]
    """How many digits a field has in front of its point; None: no bound."""


class Control(NamedTuple):
    """A control record as configured, and its spelling."""

    config: ControlRecord
    spelling: Spelling

    def check(self, data: bytes | None, what: str, totals: Totals) -> None:
        """Raises `Mismatch`."""
        if data is None or not self.spelling.starts(data):
            raise Mismatch(f"has no {what}")
        if self.config.count is None and not self.config.sums:
            return
        try:
            said = self.spelling.read(data)
        except Undecodable as error:
            raise Mismatch(f"has a {what} that can't be decoded: {error}") from None
        count = self.config.count
        if count is not None and at(said, count) != totals.records:
            raise Mismatch(f"has {totals.records} records, its {what} says {at(said, count)}")
        for path, name in self.config.sums.items() if totals.whole else ():
            if not self._is(at(said, name), totals.sums[path], name):
                raise Mismatch(f"has another sum of {path} than its {what} says")

    def _is(self, said: Json, total: Decimal, name: str) -> bool:
        if said is None:
            return False
        return Decimal(said) in (total, self._fitted(total, name))

    def _fitted(self, total: Decimal, name: str) -> Decimal:
        """What of a sum the field has room for."""
        room = self.spelling.room(name)
        return total if room is None else _EXACT.remainder(total, Decimal(10) ** room)

    def written(self, totals: Totals) -> tuple[bytes, list[FieldError]]:
        """The record of a file with these totals."""
        value: dict[str, Json] = {} if self.config.count is None else {self.config.count: totals.records}
        for path, name in self.config.sums.items():
            value[name] = f"{self._fitted(totals.sums[path], name):f}"
        return self.spelling.write(value)


@dataclass(slots=True)
class Totals:
    """What was counted between the control records. `whole`: every record could be decoded, so that sums count."""

    sums: dict[str, Decimal]
    records: int = 0
    whole: bool = True

    def add(self, found: Mapping[str, Json] | None) -> None:
        """A record, None where it can't be decoded."""
        self.records += 1
        if found is None:
            self.whole = False
            return
        for path, total in self.sums.items():
            value = at(found, path)
            if value is not None:
                self.sums[path] = _EXACT.add(total, Decimal(value))


@dataclass(frozen=True, slots=True)
class Controlled:
    """A format whose files have control records: `header` in front, `trailer` behind, at least one of them."""

    plain: Format
    """Of a file without control records."""
    inner: Format
    """Of what stands between them."""
    header: Control | None
    trailer: Control | None
    before: Callable[[BinaryIO, int], bytes] | None = None
    """The header's bytes, in a format that passes over its first line; else it is the first record."""
    sums: frozenset[str] = field(default_factory=frozenset)

    @property
    def fields(self) -> Mapping[str, FieldType] | None:
        return self.inner.fields

    def output_schema(self) -> dict[str, Any]:
        return self.inner.output_schema()

    def input_schema(self) -> dict[str, Any]:
        return self.inner.input_schema()

    def whole(self, size: int) -> bool:
        return self.inner.whole(size)

    def reader(self, file: BinaryIO, size: int) -> Reader:
        """Raises `Undecodable`."""
        header = None if self.before is None else self.before(file, size)
        if header is not None and self.header is not None and not self.header.spelling.starts(header):
            raise Mismatch("has no header")
        return _ControlledReader(self, self.inner.reader(file, size), header)

    def encode(self, value: Mapping[str, Json]) -> tuple[bytes, list[FieldError]]:
        data, faults = self.plain.encode(value)
        return (data, faults) if faults else self.wrapped(data)

    def wrapped(self, data: bytes) -> tuple[bytes, list[FieldError]]:
        """A file without control records, and around it those of what it is read back as."""
        totals = self.totals()
        file = io.BytesIO(data)
        for found in self.plain.reader(file, len(data)).scan(file):
            totals.add(found.value if isinstance(found, Record) else None)
        header, faults = (b"", []) if self.header is None else self.header.written(totals)
        trailer, more = (b"", []) if self.trailer is None else self.trailer.written(totals)
        return header + data + trailer, [FieldError("", each.message) for each in (*faults, *more)]

    def totals(self) -> Totals:
        """Nothing counted so far."""
        return Totals(dict.fromkeys(self.sums, Decimal(0)))


class _ControlledReader:
    """One file: what is first and last is held back, and judged when all was counted."""

    def __init__(self, format: Controlled, inner: Reader, header: bytes | None) -> None:
        self._format = format
        self._inner = inner
        self._header = header

    @property
    def fields(self) -> Mapping[str, FieldType] | None:
        return self._inner.fields

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        """Raises `Mismatch` at the end."""
        header, trailer, totals = self._format.header, self._format.trailer, self._format.totals()
        found = self._inner.scan(file)
        first = self._header
        if header is not None and first is None:
            first = _bytes(file, next(found, None))
        held: Record | Bad | None = None
        for each in found:
            ready = each if trailer is None else held
            held = each
            if ready is not None:
                totals.add(ready.value if isinstance(ready, Record) else None)
                yield ready
        if header is not None:
            header.check(first, "header", totals)
        if trailer is not None:
            trailer.check(_bytes(file, held), "trailer", totals)

    def decode(self, data: bytes) -> dict[str, Json]:
        return self._inner.decode(data)


def _bytes(file: BinaryIO, found: Record | Bad | None) -> bytes | None:
    """What stands in the file, which is left where it is being read."""
    if found is None or (isinstance(found, Bad) and found.lost):
        return None
    if isinstance(file, io.BytesIO):
        return bytes(file.getbuffer()[found.start : found.end])
    return os.pread(file.fileno(), found.end - found.start, found.start)
