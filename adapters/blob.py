"""Content too large to be held as text: bytes in memory while they are few, in an unnamed temporary file beyond.

A file goes when the last `Blob` of it does. Nothing here waits for the network; reading a file may wait for the disk,
so what is large is read on a thread.
"""

from __future__ import annotations

import base64
import binascii
import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

IN_MEMORY = 256 * 1024
"""Bytes that a `Spool` keeps in memory before it opens a file."""
CHUNK = 192 * 1024
"""Bytes read at once; a multiple of three, so that base64 of the pieces is base64 of the whole."""


_BLANKS = b" \r\n\t"


class _Source:
    """Bytes, or a file of ours."""

    __slots__ = ("data", "file")

    def __init__(self, data: bytes, file: IO[bytes] | None) -> None:
        self.data, self.file = data, file

    def __del__(self) -> None:
        if self.file is not None:
            self.file.close()


class Blob:
    """An immutable run of bytes; `media_type` as its sender called it, or "". May be read by several threads."""

    __slots__ = ("_source", "_start", "media_type", "size")

    def __init__(self, source: _Source | bytes, start: int = 0, size: int | None = None, media_type: str = "") -> None:
        self._source = _Source(source, None) if isinstance(source, bytes) else source
        self._start = start
        self.size = len(self._source.data) - start if size is None else size
        self.media_type = media_type

    @property
    def in_memory(self) -> bool:
        """Whether reading it waits for no disk."""
        return self._source.file is None

    def slice(self, start: int, end: int, media_type: str = "") -> Blob:
        """The bytes [start, end) of it, not copied."""
        return Blob(self._source, self._start + start, end - start, media_type)

    def as_type(self, media_type: str) -> Blob:
        """The same bytes, called `media_type`."""
        return Blob(self._source, self._start, self.size, media_type)

    def read(self, at: int = 0, size: int | None = None) -> bytes:
        """`size` bytes from `at` on; fewer at its end."""
        left = self.size - at
        size = left if size is None else min(size, left)
        start = self._start + at
        if self._source.file is None:
            return self._source.data[start : start + size]
        return os.pread(self._source.file.fileno(), size, start)

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, `CHUNK` at a time."""
        return (self.read(at, CHUNK) for at in range(0, self.size, CHUNK))

    def base64(self) -> str:
        """Its bytes as base64 text (RFC 4648 section 4)."""
        return "".join(base64.b64encode(chunk).decode() for chunk in self.chunks())

    def of_base64(self, media_type: str = "") -> Blob:
        """The bytes that its own, base64 text, stand for, little of it in memory; raises `ValueError`."""
        spool, rest, ended = Spool(), b"", False
        for chunk in self.chunks():
            rest += chunk.translate(None, _BLANKS)
            whole = len(rest) // 4 * 4
            if whole and ended:
                raise ValueError("not base64: padding within")
            spool.write(binascii.a2b_base64(rest[:whole], strict_mode=True))
            ended, rest = ended or rest[:whole].endswith(b"="), rest[whole:]
        if rest:
            raise ValueError("not base64: cut off")
        return spool.blob(media_type)

    @contextmanager
    def searched(self) -> Iterator[bytes | mmap.mmap]:
        """All of it, to be searched: a file is mapped, not read. Not for slices."""
        if self._source.file is None:
            yield self._source.data
            return
        with mmap.mmap(self._source.file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped


class Spool:
    """Takes bytes as they come; `blob` is all of them. For one thread at a time."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[bytes] = []
        self._file: _Source | None = None

    def write(self, data: bytes) -> None:
        """Adds `data`; raises `OSError` when the disk is full."""
        self.size += len(data)
        if self._file is not None and self._file.file is not None:
            self._file.file.write(data)
            return
        self._parts.append(data)
        if self.size > IN_MEMORY:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - its source closes it
            self._file = _Source(b"", file)
            file.writelines(self._parts)
            self._parts.clear()

    def blob(self, media_type: str = "") -> Blob:
        """What was written; nothing may be written after."""
        if self._file is None or self._file.file is None:
            return Blob(b"".join(self._parts), media_type=media_type)
        self._file.file.flush()
        return Blob(self._file, 0, self.size, media_type)


def of_base64(text: str, media_type: str = "") -> Blob:
    """The bytes that base64 `text` stands for (RFC 4648 section 4, blanks skipped); raises `ValueError`."""
    if not text.isascii():
        raise ValueError("not base64")
    if any(blank in text for blank in " \r\n\t"):
        text = "".join(text.split())
    spool, step = Spool(), CHUNK // 3 * 4
    for at in range(0, len(text), step):
        piece = binascii.a2b_base64(text[at : at + step], strict_mode=True)
        if at + step < len(text) and len(piece) != CHUNK:
            raise ValueError("not base64: padding within")
        spool.write(piece)
    return spool.blob(media_type)
