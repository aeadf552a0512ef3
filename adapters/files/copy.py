"""A copy of what can't be sought: compressed files, and formats whose records have no bytes of their own.

The copy is a temporary file without a name: it is gone with the last reader, also after a kill.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple, cast

import orjson

from adapters.contract import Json
from adapters.files.content import Changed
from adapters.files.formats import Bad, Record
from adapters.files.undecodable import Undecodable

LARGEST_COPY = 4 * 1024**3
"""Bytes of one file's copy."""

MOST_RECORDS = 20_000_000
"""Records of one file that have no bytes of their own: some may take next to none, as an empty row does."""

_LONGEST_RECORD = 64 * 1024 * 1024
_BUFFER = 1 << 20


class Copy:
    """Bytes that are written once, front to back, and read from anywhere."""

    blocking = True

    def __init__(self) -> None:
        self.file = cast(BinaryIO, tempfile.TemporaryFile(buffering=_BUFFER))  # noqa: SIM115
        weakref.finalize(self, self.file.close)
        self.size = 0

    def write(self, data: bytes) -> None:
        """Raises `Undecodable` where the copy would be too large."""
        if self.size + len(data) > LARGEST_COPY:
            raise Undecodable(f"its content is larger than {LARGEST_COPY} bytes")
        self.file.write(data)
        self.size += len(data)

    def done(self) -> None:
        """All is written."""
        self.file.flush()

    def read(self, start: int, end: int) -> bytes:
        data = os.pread(self.file.fileno(), end - start, start)
        if len(data) != end - start:
            raise Changed
        return data


class Placed(NamedTuple):
    """A record, or why there is none; and where it was, such as `row 7 of Orders`."""

    place: str
    value: dict[str, Json] | Undecodable
    key: Json = None
    lost: bool = False


class CopiedRecords:
    """The copy of a file's records as JSON. Offsets are those of the copy."""

    def __init__(self) -> None:
        self.content = Copy()

    def copied(self, found: Iterable[Placed], size: int) -> Iterator[Record | Bad]:
        """The records, each once it is copied. `size`: the file's; a bad record's bytes are somewhere in it."""
        try:
            for number, placed in enumerate(found):
                if number >= MOST_RECORDS:
                    raise Undecodable(f"the file has more than {MOST_RECORDS} records")
                yield self._copied(placed, size)
        except Undecodable as error:
            yield Bad(0, size, str(error), lost=True, place="the rest of the file")
        self.content.done()

    def _copied(self, placed: Placed, size: int) -> Record | Bad:
        if isinstance(placed.value, Undecodable):
            return Bad(0, size, str(placed.value), placed.key, placed.lost, placed.place)
        data = orjson.dumps(placed.value)
        if len(data) > _LONGEST_RECORD:
            return Bad(0, size, f"the record is longer than {_LONGEST_RECORD} bytes", place=placed.place)
        start = self.content.size
        self.content.write(data)
        return Record(start, self.content.size, placed.value)

    def decode(self, data: bytes) -> dict[str, Json]:
        """The record as it was copied."""
        value: dict[str, Json] = orjson.loads(data)
        return value
