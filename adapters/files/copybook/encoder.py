"""A layout → one function from a JSON value to a record's bytes: the decoder's inverse, compiled once.

What the input leaves out is filled as INITIALIZE would: spaces for text and FILLER, zero for numbers. Every fault
of the input is found, each with its JSON Pointer. Of fields that share bytes by REDEFINES, one may be given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from adapters.contract import Json
from adapters.errors import FieldError
from adapters.files.copybook import number_writer
from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.layout import Area, Field, Group, Layout, Node, Occurs, own_names
from adapters.files.copybook.number_writer import Unwritable
from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.picture import Category

_ABSENT = object()


@dataclass(slots=True)
class _Writing:
    """What encoding one record remembers: faults, and how many occurrences each counting field must state."""

    faults: list[FieldError]
    counted: dict[int, tuple[str, int]]
    counts: dict[int, tuple[str, Json]]


_Encode: TypeAlias = Callable[[Json, str, _Writing], bytes]


class Encoder:
    """Encodes records of one layout."""

    def __init__(self, layout: Layout, page: CodePage, options: CopybookOptions) -> None:
        self._layout = layout
        self._page = page
        self._options = options
        self._encode = self._group(layout.root)

    def __call__(self, value: Mapping[str, Json]) -> tuple[bytes, list[FieldError]]:
        """The record, and what is wrong with `value`; with a fault the bytes mean nothing."""
        writing = _Writing([], {}, {})
        record = self._encode(value, "", writing)
        for ordinal, (pointer, length) in writing.counted.items():
            where, count = writing.counts.get(ordinal, ("", None))
            if count != length:
                writing.faults.append(FieldError(where, f"must be {length}, the number of items in {pointer}"))
        return record, writing.faults

    def _group(self, group: Group) -> _Encode:
        names = frozenset(name for area in group.areas for node in area.nodes for name in own_names(node))
        write = self._members(group)

        def encode(value: Json, pointer: str, writing: _Writing) -> bytes:
            if value is _ABSENT:
                value = {}
            if not isinstance(value, Mapping):
                writing.faults.append(FieldError(pointer, "must be an object"))
                return b""
            for name in value:
                if name not in names:
                    writing.faults.append(FieldError(f"{pointer}/{_escaped(name)}", "isn't a field of the record"))
            return write(value, pointer, writing)

        return encode

    def _members(self, group: Group) -> _Encode:
        """Encodes the members of a group from the object that holds them."""
        pieces: list[_Encode] = []
        at = 0
        for area in group.areas:
            pieces += [*_slack(area.offset - at), self._area(area)]
            at = area.offset + area.size
        pieces += _slack(group.size - at)

        def write(value: Json, pointer: str, writing: _Writing) -> bytes:
            return b"".join([piece(value, pointer, writing) for piece in pieces])

        return write

    def _area(self, area: Area) -> _Encode:
        ways = [(frozenset(own_names(node)), self._member(node)) for node in area.nodes]
        size, space = area.size, self._page.space

        def write(value: Json, pointer: str, writing: _Writing) -> bytes:
            given = [(names, way) for names, way in ways if not names.isdisjoint(value)]
            if len(given) > 1:
                names = sorted(name for names, _ in given for name in names if name in value)
                writing.faults.append(FieldError(pointer, f"{' and '.join(names)} share their bytes; give one of them"))
            written = (given or ways)[0][1](value, pointer, writing)
            return written.ljust(size, space) if len(ways) > 1 else written

        return write

    def _member(self, node: Node) -> _Encode:
        """Encodes one node from the object that its parent is."""
        if node.shown == "lifted" and isinstance(node, Group):
            return self._members(node)
        if node.shown == "hidden" and isinstance(node, Field) and node.occurs is None:
            blank = self._page.space * node.size
            return lambda value, pointer, writing: blank
        encode = self._group(node) if isinstance(node, Group) else self._field(node)
        if node.occurs is not None:
            encode = self._table(encode, node, node.occurs)
        if node.shown == "hidden":
            return lambda value, pointer, writing: encode(_ABSENT, pointer, writing)
        name = node.name
        return lambda value, pointer, writing: encode(value.get(name, _ABSENT), f"{pointer}/{name}", writing)

    def _table(self, encode: _Encode, node: Node, occurs: Occurs) -> _Encode:
        slide = self._options.variable_size_occurs and occurs.depends_on is not None

        def table(value: Json, pointer: str, writing: _Writing) -> bytes:
            items = [] if value is _ABSENT else value
            if not isinstance(items, list) or len(items) > occurs.high:
                writing.faults.append(FieldError(pointer, f"must be an array of at most {occurs.high} items"))
                return b""
            if occurs.depends_on is not None:
                writing.counted[occurs.depends_on] = (pointer, len(items))
            elif value is not _ABSENT and len(items) != occurs.high:
                writing.faults.append(FieldError(pointer, f"must have {occurs.high} items"))
            written = [encode(item, f"{pointer}/{index}", writing) for index, item in enumerate(items)]
            missing = 0 if slide else occurs.high - len(items)
            return b"".join(written + [encode(_ABSENT, pointer, writing)] * missing)

        return table

    def _field(self, node: Field) -> _Encode:
        writer, blank = self._elementary(node)
        counting = node.ordinal in self._layout.counts

        def encode(value: Json, pointer: str, writing: _Writing) -> bytes:
            if counting:
                writing.counts[node.ordinal] = (pointer, 0 if value is _ABSENT else value)
            if value is _ABSENT:
                return blank
            try:
                return writer(value)
            except Unwritable as fault:
                writing.faults.append(FieldError(pointer, str(fault)))
                return blank

        return encode

    def _elementary(self, node: Field) -> tuple[Callable[[Json], bytes], bytes]:
        """(writer, what an absent value becomes)."""
        picture = node.picture
        if picture is None:
            return number_writer.floating(node, self._options)
        if node.usage == "packed":
            return number_writer.packed(node, picture)
        if node.usage == "unsigned packed":
            return number_writer.unsigned_packed(node, picture)
        if node.usage in ("bytes", "dbcs"):
            return _unwritable(node), bytes(node.size)
        if node.usage in ("binary", "native", "little"):
            return number_writer.binary(node, picture, self._options)
        if picture.category is Category.NUMBER and node.usage == "display":
            return number_writer.zoned(node, picture, self._page)
        if picture.category is Category.EDITED:
            return _unwritable(node), self._page.space * node.size
        if node.usage == "national":
            return _text(node, "utf-16-be" if self._options.is_utf16_big_endian else "utf-16-le")
        return _text(node, node.encoding or self._page.name)


def _slack(size: int) -> list[_Encode]:
    """Bytes that SYNCHRONIZED puts between items; nobody reads them."""
    return [lambda value, pointer, writing: bytes(size)] if size else []


def _text(node: Field, encoding: str) -> tuple[Callable[[Json], bytes], bytes]:
    size, space = node.size, " ".encode(encoding)

    def padded(data: bytes) -> bytes:
        gap = space * ((size - len(data)) // len(space))
        return gap + data if node.right else data + gap

    def write(value: Json) -> bytes:
        if value is None:
            return padded(b"")
        if not isinstance(value, str):
            raise Unwritable("must be a string")
        try:
            data = value.encode(encoding)
        except UnicodeEncodeError as error:
            raise Unwritable(f"{value[error.start]!r} can't be written in code page {encoding}") from None
        if len(data) > size:
            raise Unwritable(f"is longer than {size // len(space)} characters")
        return padded(data)

    return write, padded(b"")


def _unwritable(node: Field) -> Callable[[Json], bytes]:
    def write(value: Json) -> bytes:
        raise Unwritable(
            f"{node.cobol} is {'an edited number' if node.usage == 'display' else 'bytes'}, which can't be written"
        )

    return write


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
