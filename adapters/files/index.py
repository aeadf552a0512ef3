"""The index of one version of a big file: an SQLite file in the cache folder that is written once and then only read.

Keys and indexed fields are stored as bytes that order as the values do (`values.stored`), so that one kind of
comparison serves all types. SQLite sorts within a bounded cache, so building takes constant memory.
"""

from __future__ import annotations

import json
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from adapters.contract import Json
from adapters.errors import Unavailable
from adapters.files.formats import Bad, FieldType, Record, at
from adapters.files.values import stored

KEPT_BAD = 10_000
"""Undecodable records of a file that are remembered one by one; further ones are counted."""

_BUILD_CACHE_KIB = 64 * 1024
_READ_CACHE_KIB = 2 * 1024
_MAPPED = 1 << 28
_FEW = 20_000
"""Records that are sooner found one by one than by walking through all."""

Order: TypeAlias = Sequence[tuple[str, bool]]
"""(path of a field, is it descending), the key last."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is indexed: the key, and the fields that lists may be sorted and searched by."""

    key: str
    key_type: FieldType
    fields: Mapping[str, FieldType]

    @property
    def columns(self) -> Mapping[str, str]:
        """Field → column of the index; "" is the key, too."""
        return {"": "key", self.key: "key", **{path: f"f{number}" for number, path in enumerate(self.fields)}}


@dataclass(slots=True)
class Tally:
    """What was found beside the records."""

    decodable: int = 0
    undecodable: int = 0
    bad: int = 0
    lost: Bad | None = None


def build(path: Path, shape: Shape, found: Iterable[Record | Bad]) -> None:
    """Writes an index of records; `path` mustn't exist, and means nothing until this returns."""
    path.touch(0o600, exist_ok=False)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(f"PRAGMA cache_size=-{_BUILD_CACHE_KIB}")
        _fill(connection, shape, found)
    finally:
        connection.close()


def _fill(connection: sqlite3.Connection, shape: Shape, found: Iterable[Record | Bad]) -> None:
    names = [f"f{number}" for number in range(len(shape.fields))]
    extra = "".join(f", {name} BLOB NOT NULL" for name in names)
    connection.execute(f"CREATE TABLE record (key BLOB NOT NULL, start INTEGER, stop INTEGER, bad INTEGER{extra})")
    connection.execute("CREATE TABLE bad (start INTEGER, stop INTEGER, reason TEXT, place TEXT)")
    connection.execute("CREATE TABLE about (value TEXT)")
    tally = Tally()
    connection.execute("BEGIN")
    marks = ", ".join("?" * (4 + len(names)))
    rows = _rows(connection, shape, found, tally)
    connection.executemany(f"INSERT INTO record VALUES ({marks})", rows)  # noqa: S608
    connection.execute("CREATE INDEX by_key ON record (key)")
    for name in names:
        connection.execute(f"CREATE INDEX by_{name} ON record ({name}, key)")
    (count,) = connection.execute("SELECT count(DISTINCT key) FROM record").fetchone()
    lost = None if tally.lost is None else [tally.lost.start, tally.lost.end, tally.lost.reason, tally.lost.place]
    about = {"records": count, "decodable": tally.decodable, "undecodable": tally.undecodable, "lost": lost}
    connection.execute("INSERT INTO about VALUES (?)", (json.dumps(about),))
    connection.execute("COMMIT")


def _rows(
    connection: sqlite3.Connection, shape: Shape, found: Iterable[Record | Bad], tally: Tally
) -> Iterator[tuple[Any, ...]]:
    key_of = stored(shape.key_type)
    readers: list[tuple[str, Callable[[Json], bytes]]] = [(path, stored(kind)) for path, kind in shape.fields.items()]
    nothing = (b"",) * len(readers)
    for each in found:
        if isinstance(each, Record):
            key = at(each.value, shape.key)
            if key is not None and key != "":
                tally.decodable += 1
                yield (key_of(key), each.start, each.end, None, *(read(at(each.value, path)) for path, read in readers))
                continue
            each = Bad(each.start, each.end, f"its key {shape.key} is empty")
        tally.undecodable += 1
        if each.lost and tally.lost is None:
            tally.lost = each
        if tally.bad < KEPT_BAD:
            tally.bad += 1
            row = (each.start, each.end, each.reason, each.place)
            place = connection.execute("INSERT INTO bad VALUES (?, ?, ?, ?)", row).lastrowid
            if each.key is not None:
                yield (key_of(each.key), each.start, each.end, place, *nothing)


class Index:
    """An index to read. Threads may share it; an ordinal is a record's number in the file, from 1.

    Raises `sqlite3.Error` and `ValueError` when it isn't one; later `Unavailable`.
    """

    def __init__(self, path: Path, shape: Shape) -> None:
        self._columns = shape.columns
        address = f"file:{quote(str(path))}?mode=ro&immutable=1"
        self._connection = sqlite3.connect(address, uri=True, check_same_thread=False, isolation_level=None)
        self._closing = weakref.finalize(self, self._connection.close)
        self._connection.execute(f"PRAGMA cache_size=-{_READ_CACHE_KIB}")
        self._connection.execute(f"PRAGMA mmap_size={_MAPPED}")
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (page,) = self._connection.execute("PRAGMA page_size").fetchone()
        if pages * page != path.stat().st_size:
            raise ValueError("the index isn't whole")
        (text,) = self._connection.execute("SELECT value FROM about").fetchone() or ("{}",)
        about = json.loads(text)
        if about.keys() != {"records", "decodable", "undecodable", "lost"}:
            raise ValueError("the index says nothing of itself")
        self.records: int = about["records"]
        self.decodable: int = about["decodable"]
        self.undecodable: int = about["undecodable"]
        self.lost = None if about["lost"] is None else _bad(about["lost"], lost=True)

    def has(self, fields: Iterable[str]) -> bool:
        """Can a list be put in order by these fields?"""
        return all(field in self._columns for field in fields)

    def find(self, key: bytes) -> int | None:
        """The ordinal of the last record of that key."""
        row = self._one("SELECT rowid FROM record WHERE key = ? ORDER BY rowid DESC LIMIT 1", key)
        return None if row is None else row[0]

    def span(self, ordinal: int) -> tuple[int, int]:
        """The bytes [start, end) of a record."""
        row = self._one("SELECT start, stop FROM record WHERE rowid = ?", ordinal)
        assert row is not None
        return row[0], row[1]

    def bad(self, ordinal: int) -> Bad | None:
        """What is wrong with a record."""
        row = self._one("SELECT bad FROM record WHERE rowid = ?", ordinal)
        return None if row is None or row[0] is None else self._bad(row[0])

    def all_bad(self, limit: int) -> list[Bad]:
        """The first undecodable records."""
        rows = self._all("SELECT start, stop, reason, place FROM bad ORDER BY rowid LIMIT ?", (limit,))
        return [_bad(row) for row in rows]

    def places(self) -> Iterator[tuple[bytes, int, int, int]]:
        """(key, ordinal, start, end) of every decodable record, in the file's order."""
        rows = self._all("SELECT key, rowid, start, stop FROM record WHERE bad IS NULL ORDER BY rowid", ())
        yield from ((key, ordinal, start, stop) for key, ordinal, start, stop in rows)

    def _bad(self, place: int) -> Bad | None:
        row = self._one("SELECT start, stop, reason, place FROM bad WHERE rowid = ?", place)
        return None if row is None else _bad(row)

    def walk(
        self, order: Order, after: Sequence[bytes] | None, equal: Mapping[str, bytes], mask: Any = None
    ) -> Iterator[tuple[tuple[bytes, ...], int]]:
        """(values of the order's fields, ordinal) behind a position, of records with these values, older ones of one
        key included; `mask` tells by ordinal which are wanted, none beyond its end."""
        names = [self._columns[path] for path, _ in order]
        tests, given = _behind(names, order, after)
        for path, value in equal.items():
            if path in self._columns:
                tests.append(f"{self._columns[path]} = ?")
                given.append(value)
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        sort = ", ".join(f"{name} DESC" if down else name for name, (_, down) in zip(names, order, strict=True))
        few = [] if mask is None else mask.nonzero()[0].tolist() if mask.sum() <= _FEW else None
        if few is not None and mask is not None:
            yield from self._chosen(few, names, where, given, order)
            return
        text = f"SELECT rowid, {', '.join(names)} FROM record{where} ORDER BY {sort}"  # noqa: S608
        for row in self._all(text, given):
            if mask is None or (row[0] < len(mask) and mask[row[0]]):
                yield row[1:], row[0]

    def _chosen(
        self, ordinals: Sequence[int], names: Sequence[str], where: str, given: Sequence[Any], order: Order
    ) -> Iterator[tuple[tuple[bytes, ...], int]]:
        """The same of a few records, which are found by their ordinals and then put in order."""
        tests = where.replace(" WHERE ", " AND ", 1)
        text = f"SELECT rowid, {', '.join(names)} FROM record WHERE rowid = ?{tests}"  # noqa: S608
        rows = [row for ordinal in ordinals for row in self._all(text, (ordinal, *given))]
        for place, (_, down) in reversed([*enumerate(order, 1)]):
            rows.sort(key=lambda row: row[place], reverse=down)
        yield from ((row[1:], row[0]) for row in rows)

    def _one(self, text: str, value: int | bytes) -> tuple[Any, ...] | None:
        return next(self._all(text, (value,)), None)

    def _all(self, text: str, values: Sequence[int | bytes]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(text, values)
        except sqlite3.Error as error:
            raise Unavailable("the index of a file can't be read", detail=str(error)) from error


def _bad(row: Sequence[Any], *, lost: bool = False) -> Bad:
    start, stop, reason, place = row
    return Bad(start, stop, reason, lost=lost, place=place)


def _behind(names: Sequence[str], order: Order, after: Sequence[bytes] | None) -> tuple[list[str], list[bytes]]:
    """The condition for what stands behind a position. Its first part says again what the rest does, in a way that
    SQLite finds the place by."""
    if after is None:
        return [], []
    signs = ["<" if down else ">" for _, down in order]
    text, values = f"{names[-1]} {signs[-1]} ?", [after[-1]]
    for name, sign, value in [*zip(names, signs, after, strict=True)][-2::-1]:
        text, values = f"({name} {sign} ? OR ({name} = ? AND {text}))", [value, value, *values]
    return [f"{names[0]} {signs[0]}= ?", text], [after[0], *values]
