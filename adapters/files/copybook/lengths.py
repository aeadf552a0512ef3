"""Records whose length only their own bytes tell: by a field, by an expression over fields, or by tables that vary."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import BinaryIO, TypeAlias

from adapters.contract import Json
from adapters.files.copybook.decoder import Decoder
from adapters.files.copybook.framing import LONGEST, Frame, Framing
from adapters.files.copybook.layout import Field, Group, find, plain
from adapters.files.copybook.options import DecodeOptions
from adapters.files.formats import Bad
from adapters.files.undecodable import Undecodable

Evaluate: TypeAlias = Callable[[Mapping[str, int]], int]

_PART = re.compile(
    r"\s*(?:(?P<number>[0-9]{1,12})|(?P<name>[A-Za-z@#$_][\w@#$]*(?:-(?=[A-Za-z])[\w@#$]+)*)|(?P<sign>[-+*/()]))"
)
_PARTS = 100


def by_decoding(decoder: Decoder, longest: int, options: DecodeOptions) -> Framing:
    """Tables of which each takes as many bytes as it has entries, and no length in front."""

    def measure(head: bytes) -> int:
        return decoder.decode(head).size

    return _measured(measure, longest, options)


def by_field(root: Group, decoders: Mapping[str, Callable[[bytes], Json]], options: DecodeOptions) -> Framing:
    """`record_length_field`: a field, or an expression over fields, says how long the record is that holds it."""
    expression = Expression(options.record_length_field or "")
    needed = max((_end(root, name) for name in expression.names), default=1)
    mapping = options.record_length_map

    def measure(head: bytes) -> int:
        if len(head) < needed:
            raise Undecodable("the file ends inside the field that says how long the record is")
        values = {name: decoders[name](head) for name in expression.names}
        if mapping:
            return _mapped(values, mapping)
        if not all(isinstance(value, int) for value in values.values()):
            values = {name: _whole(value) for name, value in values.items()}
        return expression.value(values) + options.rdw_adjustment

    return _measured(measure, needed, options, longest=LONGEST)


def _mapped(values: Mapping[str, Json], mapping: Mapping[str, int]) -> int:
    text = str(next(iter(values.values()))).strip()
    length = mapping.get(text, mapping.get("_"))
    if length is None:
        raise Undecodable("the record_length_map has no length for what stands in the record's length field")
    return length


def _whole(value: Json) -> int:
    if isinstance(value, int) or (isinstance(value, str) and value.strip().isascii() and value.strip().isdigit()):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\d+\.0*", value):
        return int(Decimal(value))
    raise Undecodable("the field that says how long the record is holds no whole number")


def _measured(
    measure: Callable[[bytes], int], head: int, options: DecodeOptions, *, longest: int | None = None
) -> Framing:
    """Frames of which `measure` tells the length, from the first `head` bytes or what the file still has."""
    before, behind = options.record_start_offset, options.record_end_offset

    def frames(file: BinaryIO, size: int) -> Iterator[Frame | Bad]:
        at, end = options.file_start_offset, size - options.file_end_offset
        while at < end:
            file.seek(at)
            try:
                length = measure(file.read(min(head + before, end - at))[before:]) + before + behind
                if not before + behind < length <= (longest or head) + before + behind or at + length > end:
                    raise Undecodable("the record's own length doesn't fit the layout or the file")
            except Undecodable as error:
                yield Bad(at, end, str(error), lost=True)
                return
            file.seek(at)
            yield at, at + length, file.read(length)
            at += length

    return frames


def _end(root: Group, name: str) -> int:
    found = find(root, name)
    return 1 if found is None else found[1] + found[0].size


class Expression:
    """Names, whole numbers, `+ - * /` and parentheses; raises `ValueError` with a sentence."""

    def __init__(self, text: str) -> None:
        self._parts = _parts(text)
        self.names = sorted({part for part in self._parts if part[0].isalpha() or part[0] in "@#$_"})
        self._at = 0
        self._read = False
        self.value(dict.fromkeys(self.names, 1))
        self._read = True

    def value(self, values: Mapping[str, int]) -> int:
        """What it is for these fields; whole numbers divide to whole numbers."""
        self._at = 0
        found = self._sum(values)
        if self._at < len(self._parts):
            raise ValueError(f"'{self._parts[self._at]}' isn't expected in record_length_field")
        return found

    def _sum(self, values: Mapping[str, int]) -> int:
        found = self._product(values)
        while self._peek() in ("+", "-"):
            found = found + self._product(values) if self._take() == "+" else found - self._product(values)
        return found

    def _product(self, values: Mapping[str, int]) -> int:
        found = self._factor(values)
        while self._peek() in ("*", "/"):
            if self._take() == "*":
                found *= self._factor(values)
            else:
                by = self._factor(values)
                if by == 0 and self._read:
                    raise Undecodable("record_length_field divides by zero")
                found //= by or 1
        return found

    def _factor(self, values: Mapping[str, int]) -> int:
        part = self._take()
        if part == "(":
            found = self._sum(values)
            if self._take() != ")":
                raise ValueError("a parenthesis of record_length_field isn't closed")
            return found
        if part.isdigit():
            return int(part)
        if part not in values:
            raise ValueError(f"'{part}' isn't expected in record_length_field")
        return values[part]

    def _peek(self) -> str:
        return self._parts[self._at] if self._at < len(self._parts) else ""

    def _take(self) -> str:
        if self._at >= len(self._parts):
            raise ValueError("record_length_field ends too early")
        self._at += 1
        return self._parts[self._at - 1]


def _parts(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text.rstrip()):
        match = _PART.match(text, at)
        if match is None or len(found) >= _PARTS:
            raise ValueError("record_length_field must be fields, whole numbers, + - * / and parentheses")
        found.append(plain(match["name"]) if match["name"] else match[match.lastgroup or 0])
        at = match.end()
    if not found:
        raise ValueError("record_length_field is empty")
    return found


def field_decoders(
    root: Group, names: list[str], elementary: Callable[[Field, int], Callable[[bytes], Json]]
) -> dict[str, Callable[[bytes], Json]]:
    """Name → decoder of that field alone; raises `ValueError` where a name isn't a field."""
    decoders = {}
    for name in names:
        found = find(root, name)
        if found is None or not isinstance(found[0], Field):
            raise ValueError(f"record_length_field names {name}, which isn't a field of the copybook")
        decoders[name] = elementary(found[0], found[1])
    return decoders
