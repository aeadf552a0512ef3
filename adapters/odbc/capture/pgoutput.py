"""PostgreSQL's logical replication messages, version 1 of the protocol (PostgreSQL documentation, §55.9)."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from adapters.errors import BadReply

UNCHANGED = b"u"
"""Stands for a large value that an update didn't change, and which therefore wasn't logged."""

Tuple: TypeAlias = list[str | bytes | None]
"""A row's values as the database writes them; None is NULL, `UNCHANGED` itself."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Begin(NamedTuple):
    """A transaction begins, which was committed at `lsn`."""

    lsn: int
    at: datetime


class Commit(NamedTuple):
    """It ends; `end` is behind all of it."""

    lsn: int
    end: int


class Column(NamedTuple):
    """A column of a relation: its type's OID and modifier, and whether it is part of the replica identity."""

    name: str
    type: int
    modifier: int
    key: bool


class Relation(NamedTuple):
    """A table as the messages behind this one mean it."""

    id: int
    schema: str
    name: str
    identity: str
    columns: tuple[Column, ...]


class Written(NamedTuple):
    """A row was inserted, updated or deleted: `kind` is I, U or D. `old` is the row before (`whole`), or its key with
    None in place of all else; None: the key is what it was."""

    kind: str
    relation: int
    old: Tuple | None
    whole: bool
    new: Tuple | None


class Truncated(NamedTuple):
    """Tables were emptied."""

    relations: tuple[int, ...]


class Other(NamedTuple):
    """What doesn't matter here: origins, types, messages."""

    kind: str


Message: TypeAlias = Begin | Commit | Relation | Written | Truncated | Other


def message(data: bytes) -> Message:
    """One message; raises `BadReply`."""
    try:
        return _Reader(data).message()
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise BadReply("the database's replication message can't be understood", detail=f"{data[:80]!r}") from error


def lsn_text(lsn: int) -> str:
    """`0/15291D8`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lsn_of(text: str) -> int:
    """The number of `0/15291D8`; raises ValueError."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 1

    def message(self) -> Message:
        kind = chr(self._data[0])
        if kind == "B":
            lsn, micros, _ = self._take("!QqI")
            return Begin(lsn, _EPOCH + timedelta(microseconds=micros))
        if kind == "C":
            _, lsn, end, _ = self._take("!BQQq")
            return Commit(lsn, end)
        if kind == "R":
            return self._relation()
        if kind in "IUD":
            return self._written(kind)
        if kind == "T":
            count, _ = self._take("!IB")
            return Truncated(self._take(f"!{count}I"))
        return Other(kind)

    def _relation(self) -> Relation:
        (id,) = self._take("!I")
        schema, name = self._text(), self._text()
        identity, count = self._take("!cH")
        columns = tuple(self._column() for _ in range(count))
        return Relation(id, schema, name, identity.decode(), columns)

    def _column(self) -> Column:
        (flags,) = self._take("!B")
        name = self._text()
        type, modifier = self._take("!Ii")
        return Column(name, type, modifier, bool(flags & 1))

    def _written(self, kind: str) -> Written:
        (relation,) = self._take("!I")
        (part,) = self._take("!c")
        old, whole = None, False
        if part in b"KO":
            old, whole = self._tuple(), part == b"O"
            if kind != "D":
                (part,) = self._take("!c")
        if kind == "D":
            return Written(kind, relation, old, whole, None)
        if part != b"N":
            raise ValueError(f"no new row but {part!r}")
        return Written(kind, relation, old, whole, self._tuple())

    def _tuple(self) -> Tuple:
        (count,) = self._take("!H")
        return [self._value() for _ in range(count)]

    def _value(self) -> str | bytes | None:
        (kind,) = self._take("!c")
        if kind == b"n":
            return None
        if kind == b"u":
            return UNCHANGED
        if kind != b"t":
            raise ValueError(f"a value of kind {kind!r}")
        (size,) = self._take("!I")
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise ValueError("the message ends too early")
        return self._data[start : self._at].decode()

    def _text(self) -> str:
        end = self._data.index(b"\0", self._at)
        start, self._at = self._at, end + 1
        return self._data[start:end].decode()

    def _take(self, form: str) -> tuple[Any, ...]:
        start, self._at = self._at, self._at + struct.calcsize(form)
        return struct.unpack_from(form, self._data, start)
