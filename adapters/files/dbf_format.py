"""Format `dbf`: dBase III to Visual FoxPro tables; each field by its type, its texts by the table's code page."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple

from adapters.contract import Json
from adapters.files.columns import Column, integer, plain, typed
from adapters.files.columns import decimal as decimal_text
from adapters.files.csv_format import located
from adapters.files.formats import Bad, FieldType, Record
from adapters.files.options import DbfOptions
from adapters.files.read_only import ReadOnlyColumns
from adapters.files.undecodable import Undecodable

_VERSIONS = frozenset((0x02, 0x03, 0x30, 0x31, 0x32, 0x43, 0x63, 0x83, 0x8B, 0x8E, 0xCB, 0xF5, 0xFB))
_FOXPRO = (0x30, 0x31, 0x32)
_PAGES = {
    0x01: "cp437", 0x02: "cp850", 0x03: "cp1252", 0x08: "cp865", 0x09: "cp437", 0x0A: "cp850", 0x0B: "cp437",
    0x0D: "cp437", 0x0E: "cp850", 0x0F: "cp437", 0x10: "cp850", 0x11: "cp437", 0x12: "cp850", 0x13: "cp932",
    0x14: "cp850", 0x15: "cp437", 0x16: "cp850", 0x17: "cp865", 0x18: "cp437", 0x19: "cp437", 0x1A: "cp850",
    0x1B: "cp437", 0x1C: "cp863", 0x1D: "cp850", 0x1F: "cp852", 0x22: "cp852", 0x23: "cp852", 0x24: "cp860",
    0x25: "cp850", 0x26: "cp866", 0x37: "cp850", 0x40: "cp852", 0x4D: "cp936", 0x4E: "cp949", 0x4F: "cp950",
    0x50: "cp874", 0x57: "cp1252", 0x58: "cp1252", 0x59: "cp1252", 0x64: "cp852", 0x65: "cp866", 0x66: "cp865",
    0x67: "cp861", 0x6A: "cp737", 0x6B: "cp857", 0x6C: "cp863", 0x78: "cp950", 0x79: "cp949", 0x7A: "cp936",
    0x7B: "cp932", 0x7C: "cp874", 0x7D: "cp1255", 0x7E: "cp1256", 0x86: "cp737", 0x87: "cp852", 0x88: "cp857",
    0xC8: "cp1250", 0xC9: "cp1251", 0xCA: "cp1254", 0xCB: "cp1253", 0xCC: "cp1257",
}  # fmt: skip
_JULIAN = 1_721_426  # of 0001-01-01
_TRUE, _FALSE, _UNKNOWN = b"TtYy", b"FfNn", b"? \0"
_UNREAD = "MGPW0VQ"


class Field(NamedTuple):
    """One field of a record: what it is called, its type's letter, where it stands, and its bit in _NullFlags or -1."""

    name: str
    kind: str
    start: int
    length: int
    null_bit: int


class DbfFormat(ReadOnlyColumns):
    """Tables of one shape. `encoding`: None for what the table says."""

    def __init__(self, options: DbfOptions, encoding: str | None, key: str | None) -> None:
        self._options = options
        self._columns = options.columns
        self._encoding = encoding
        self._key = key
        self.fields: Mapping[str, FieldType] = {name: each.field for name, each in options.columns.items()}

    def whole(self, size: int) -> bool:
        return size > 32

    def reader(self, file: BinaryIO, size: int) -> DbfReader:
        return DbfReader(self._options, self._encoding, file, size, self._key)


class DbfReader:
    """One table; raises `Undecodable` where its header isn't one, or its file ends before the records do."""

    def __init__(self, options: DbfOptions, encoding: str | None, file: BinaryIO, size: int, key: str | None) -> None:
        file.seek(0)
        head = file.read(32)
        if len(head) < 32 or head[0] not in _VERSIONS:
            raise Undecodable("the file isn't a DBF table of a known version")
        self._count, self._start, self._length = struct.unpack("<IHH", head[4:12])
        if head[15]:
            raise Undecodable("the table is encrypted")
        found = _fields(file.read(max(self._start - 32, 0)), head[0] in _FOXPRO)
        if 1 + sum(field.length for field in found) != self._length or self._start + self._count * self._length > size:
            raise Undecodable("the file ends before its records, or its header doesn't fit them")
        self._encoding = encoding or _PAGES.get(head[29], "ascii")
        self._deleted = options.deleted
        self._key = key
        self.fields: Mapping[str, FieldType] = {name: each.field for name, each in options.columns.items()}
        self._flags = next((slice(each.start, each.start + each.length) for each in found if each.kind == "0"), None)
        self._columns = self._chosen(options.columns, found)

    def _chosen(
        self, columns: Mapping[str, Column], found: list[Field]
    ) -> list[tuple[str, slice, int, Callable[[bytes], Json]]]:
        places = located(columns, [field.name for field in found], self._key)
        chosen = []
        for name, column in columns.items():
            field = found[places[name]] if places[name] < len(found) else None
            if field is None or field.kind in _UNREAD:
                raise Undecodable(f"{name} is no field of the table, or a memo, whose content is in another file")
            place = slice(field.start, field.start + field.length)
            chosen.append((name, place, field.null_bit, _reader(field, column, self._encoding)))
        return chosen

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        file.seek(self._start)
        for number in range(self._count):
            start = self._start + number * self._length
            data = file.read(self._length)
            if data[:1] == b"*" and not self._deleted:
                continue
            end = start + self._length
            try:
                yield Record(start, end, self.decode(data))
            except Undecodable as error:
                yield Bad(start, end, str(error), self._key_of(data))

    def decode(self, data: bytes) -> dict[str, Json]:
        if len(data) != self._length or data[:1] not in (b" ", b"*"):
            raise Undecodable("the record doesn't begin with a deletion mark")
        nulls = 0 if self._flags is None else int.from_bytes(data[self._flags], "little")
        value: dict[str, Json] = {}
        for name, place, bit, read in self._columns:
            try:
                value[name] = None if bit >= 0 and nulls >> bit & 1 else read(data[place])
            except (ValueError, OverflowError) as error:
                said = "isn't text in the table's code page" if isinstance(error, UnicodeError) else error
                raise Undecodable(f"{name} {said}") from None
        return value

    def _key_of(self, data: bytes) -> Json:
        try:
            return next(read(data[place]) for name, place, _, read in self._columns if name == self._key)
        except (ValueError, OverflowError, StopIteration):
            return None


def _fields(data: bytes, foxpro: bool) -> list[Field]:
    found: list[Field] = []
    start, bits = 1, 0
    for at in range(0, len(data) - 31, 32):
        entry = data[at : at + 32]
        if entry[0] in (0x0D, 0x00):
            break
        name = entry[:11].partition(b"\0")[0].decode("latin-1").strip()
        kind = chr(entry[11])
        length, places = entry[16], entry[17]
        if kind == "C" and not foxpro:
            length += 256 * places
        bits += kind in "VQ" and foxpro
        nullable = foxpro and bool(entry[18] & 2)
        found.append(Field(name, kind, start, length, bits if nullable else -1))
        bits += nullable
        start += length
    return found


def _reader(field: Field, column: Column, encoding: str) -> Callable[[bytes], Json]:
    read = typed(column)
    own = _READERS.get(field.kind)
    if own is not None:
        return lambda data: read(_declared(own(data), column))
    if field.kind != "C":
        raise Undecodable(f"{field.name} is of type {field.kind}, which isn't read")
    return lambda data: read(data.rstrip(b" \0").decode(encoding))


def _declared(value: Any, column: Column) -> Any:
    """A number or a truth in a column of texts is its text."""
    return str(value) if column.type == "text" and value is not None else value


def _number(data: bytes) -> str | None:
    text = data.strip(b" \0").decode("ascii")
    if not text:
        return None
    if text.startswith("*"):
        raise ValueError("didn't fit its field when it was written")
    return decimal_text(text)


def _truth(data: bytes) -> bool | None:
    if data in _UNKNOWN:
        return None
    if data not in _TRUE and data not in _FALSE:
        raise ValueError("is neither true nor false")
    return data in _TRUE


def _date(data: bytes) -> str | None:
    text = data.strip(b" \0").decode("ascii")
    if not text or text == "00000000":
        return None
    if len(text) != 8 or not text.isdigit():
        raise ValueError("isn't a date")
    return date(int(text[:4]), int(text[4:6]), int(text[6:])).isoformat()


def _stamp(data: bytes) -> str | None:
    day, milliseconds = struct.unpack("<II", data)
    if not day:
        return None
    moment = datetime.min + timedelta(days=day - _JULIAN, milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds")


def _double(data: bytes) -> str:
    return plain(Decimal(repr(struct.unpack("<d", data)[0])))


def _currency(data: bytes) -> str:
    whole, rest = divmod(abs(value := struct.unpack("<q", data)[0]), 10_000)
    return f"{'-' if value < 0 else ''}{whole}.{rest:04}"


def _whole(data: bytes) -> int:
    return integer(str(int.from_bytes(data, "little", signed=True)))


_READERS: dict[str, Callable[[bytes], Any]] = {
    "N": _number,
    "F": _number,
    "L": _truth,
    "D": _date,
    "T": _stamp,
    "I": _whole,
    "B": _double,
    "Y": _currency,
}
