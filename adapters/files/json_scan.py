"""The elements of an array in a JSON document of any size: where each begins and ends, and its bytes.

Only brackets and strings are looked at; that an element is JSON, its decoder says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from adapters.files.undecodable import Undecodable

LONGEST = 64 * 1024 * 1024
"""Bytes of an element, or of a name."""

_PIECE = 1 << 18
_SPACE = re.compile(rb"[ \t\r\n]*")
_MARK = re.compile(rb'["{}\[\]]')
_QUOTE = re.compile(rb'["\\]')
_SCALAR = re.compile(rb"[^ \t\r\n,\]}:]*")


class Scan:
    """A place in a document. Methods raise `Undecodable`."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        file.seek(start)
        self._file = file
        self._data = b""
        self._base = start
        self._pos = 0
        self._keep: int | None = None

    @property
    def at(self) -> int:
        """The byte of the file."""
        return self._base + self._pos

    def elements(self, pointer: Sequence[str]) -> Iterator[tuple[int, bytes]]:
        """(first byte, bytes) of each element of the array that the pointer's tokens lead to."""
        for token in pointer:
            self._enter(token)
        if self._next() != b"[":
            raise Undecodable("there is no array at the pointer")
        self._pos += 1
        for _ in self._entries(b"]"):
            yield self._value(kept=True)
        self._close(len(pointer))

    def _enter(self, token: str) -> None:
        kind = self._next()
        self._pos += 1
        if kind == b"{":
            for _ in self._entries(b"}"):
                if self._name() == token:
                    return
                self._value(kept=False)
        elif kind == b"[":
            for number in self._entries(b"]"):
                if str(number) == token:
                    return
                self._value(kept=False)
        raise Undecodable("the pointer leads nowhere")

    def _entries(self, end: bytes) -> Iterator[int]:
        """Stands at an entry each time; what the caller leaves must be the entry's end."""
        if self._next() == end:
            self._pos += 1
            return
        number = 0
        while True:
            yield number
            number += 1
            mark = self._next()
            self._pos += 1
            if mark == end:
                return
            if mark != b",":
                raise Undecodable("the document isn't JSON: a comma is missing")

    def _close(self, depth: int) -> None:
        """The containers around the array end, and the document with them."""
        while depth:
            mark = self._mark(_MARK)
            if mark == b'"':
                self._string()
            else:
                depth += 1 if mark in b"{[" else -1
        self._skip()
        if self._pos < len(self._data):
            raise Undecodable("something stands behind the end of the document")

    def _name(self) -> str:
        if self._next() != b'"':
            raise Undecodable("the document isn't JSON: a name is missing")
        _, data = self._value(kept=True)
        if self._next() != b":":
            raise Undecodable("the document isn't JSON: a colon is missing")
        self._pos += 1
        try:
            return str(json.loads(data))
        except ValueError:
            raise Undecodable("a name in the document isn't JSON") from None

    def _value(self, *, kept: bool) -> tuple[int, bytes]:
        kind = self._next()
        self._keep = self._pos if kept else None
        start = self.at
        depth = 0
        while True:
            if kind == b'"':
                self._pos += 1
                self._string()
            elif kind and kind in b"{[":
                self._pos += 1
                depth += 1
            elif kind and kind in b"}]":
                self._pos += 1
                depth -= 1
            else:
                self._scalar()
            if depth <= 0:
                break
            kind = self._mark(_MARK)
            self._pos -= 1
        if depth < 0 or self.at == start:
            raise Undecodable("the document isn't JSON: a value is missing")
        data = self._data[self._keep : self._pos] if self._keep is not None else b""
        self._keep = None
        return start, data

    def _string(self) -> None:
        """Behind its first quote; to behind the last."""
        while self._mark(_QUOTE) == b"\\":
            if self._pos >= len(self._data) and not self._more():
                raise Undecodable("the document ends inside a string")
            self._pos += 1

    def _scalar(self) -> None:
        while True:
            found = _SCALAR.match(self._data, self._pos)
            assert found is not None
            self._pos = found.end()
            if self._pos < len(self._data) or not self._more():
                return

    def _mark(self, pattern: re.Pattern[bytes]) -> bytes:
        """The next byte of a pattern; stands behind it."""
        while (found := pattern.search(self._data, self._pos)) is None:
            self._pos = len(self._data)
            if not self._more():
                raise Undecodable("the document ends too early")
        self._pos = found.end()
        return found[0]

    def _skip(self) -> None:
        while True:
            found = _SPACE.match(self._data, self._pos)
            assert found is not None
            self._pos = found.end()
            if self._pos < len(self._data) or not self._more():
                return

    def _next(self) -> bytes:
        """The byte that comes next, behind space."""
        self._skip()
        if self._pos >= len(self._data):
            raise Undecodable("the document ends too early")
        return self._data[self._pos : self._pos + 1]

    def _more(self) -> bool:
        piece = self._file.read(_PIECE)
        keep = self._pos if self._keep is None else self._keep
        if len(self._data) - keep > LONGEST:
            raise Undecodable(f"an element is longer than {LONGEST} bytes")
        self._data = self._data[keep:] + piece
        self._base += keep
        self._pos -= keep
        if self._keep is not None:
            self._keep = 0
        return bool(piece)
