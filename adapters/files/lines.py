"""Lines of text in any encoding, each with the bytes it takes."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO, cast

LONGEST_LINE = 1 << 20
"""Characters."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_WITHOUT_MARK = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}
_UNSEEKABLE = ("utf-7", "utf-32", "hz", "iso2022", "utf_7", "utf_32", "idna", "punycode", "unicode", "raw_unicode")
_PIECE = 1 << 16


def encoding(name: str) -> str:
    """The codec's own name; raises `LookupError`: not known, no text, or what a byte means depends on those before."""
    found = codecs.lookup(name)
    if not found._is_text_encoding or found.name.startswith(_UNSEEKABLE):
        raise LookupError(name)
    return found.name


def without_bom(file: BinaryIO, encoding: str) -> tuple[str, int]:
    """(encoding, where the text begins): a byte order mark tells more than the configuration."""
    file.seek(0)
    head = file.read(3)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name, len(mark)
    return _WITHOUT_MARK.get(encoding, encoding), 0


def line_feeds(encoding: str) -> bytes | None:
    """In EBCDIC a line may end in NEL as well as in LF: a table that makes one of both. None for other encodings."""
    try:
        feed, next_line = "\n".encode(encoding), "\x85".encode(encoding)
    except UnicodeEncodeError:
        return None
    if feed == b"\n" or len(feed) != 1 or len(next_line) != 1:
        return None
    table = bytearray(range(256))
    table[next_line[0]] = feed[0]
    return bytes(table)


def lines(file: BinaryIO, encoding: str, start: int) -> Iterator[str]:
    """The lines from byte `start` on, their ends included; what isn't in the encoding as lone surrogates.

    A line that is too long comes in pieces. Raises `UnicodeError` where the encoding can't go on.
    """
    file.seek(start)
    table = line_feeds(encoding)
    source = file if table is None else cast(BinaryIO, io.BufferedReader(_Translated(file, table), _PIECE))
    text = io.TextIOWrapper(source, encoding, errors="surrogateescape", newline="")
    try:
        while line := text.readline(LONGEST_LINE):
            yield line
    finally:
        text.detach()


class _Translated(io.RawIOBase):
    def __init__(self, file: BinaryIO, table: bytes) -> None:
        self._file = file
        self._table = table

    def readable(self) -> bool:
        return True

    def readinto(self, target: bytearray) -> int:  # type: ignore[override]
        data = self._file.read(len(target)).translate(self._table)
        target[: len(data)] = data
        return len(data)
