"""Compressed files: unpacked once into a copy, whatever the format inside."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from adapters.contract import Json
from adapters.errors import FieldError
from adapters.files.config import Compression
from adapters.files.content import Content
from adapters.files.copy import Copy
from adapters.files.extras import pyarrow
from adapters.files.formats import Bad, Copied, FieldType, Format, Reader, Record
from adapters.files.undecodable import Undecodable
from adapters.files.xlsx import BROKEN_ZIP

_PIECE = 1 << 20
_FREE = 64 * 1024 * 1024
_RATIO = 200
_MEMORY = 256 * 1024 * 1024


class CompressedFormat:
    """`inner`, behind a compression; can't be appended to."""

    def __init__(self, inner: Format, compression: Compression) -> None:
        self._inner = inner
        self._compression: Compression = compression

    @property
    def fields(self) -> Mapping[str, FieldType] | None:
        return self._inner.fields

    def output_schema(self) -> dict[str, Any]:
        return self._inner.output_schema()

    def input_schema(self) -> dict[str, Any]:
        return self._inner.input_schema()

    def whole(self, size: int) -> bool:
        return size > 0

    def reader(self, file: BinaryIO, size: int) -> CompressedReader:
        """Raises `Undecodable`: not such a file, cut off, or so large that it is meant to fill a disk."""
        copy = unpacked(file, size, self._compression)
        copy.file.seek(0)
        inner = self._inner.reader(copy.file, copy.size)
        if not self._inner.whole(copy.size):
            raise Undecodable("what is inside isn't a whole number of records")
        return CompressedReader(inner, copy)

    def encode(self, value: Mapping[str, Json]) -> tuple[bytes, list[FieldError]]:
        return b"", [FieldError("", "can't be written into a compressed file")]


class CompressedReader:
    """The reader of what is inside; offsets are those of the unpacked bytes."""

    def __init__(self, inner: Reader, copy: Copy) -> None:
        self._inner = inner
        self._copy = copy

    @property
    def content(self) -> Content:
        return self._inner.content if isinstance(self._inner, Copied) else self._copy

    @property
    def fields(self) -> Mapping[str, FieldType] | None:
        return self._inner.fields

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        self._copy.file.seek(0)
        return self._inner.scan(self._copy.file)

    def decode(self, data: bytes) -> dict[str, Json]:
        return self._inner.decode(data)


def unpacked(file: BinaryIO, size: int, compression: Compression) -> Copy:
    """The file's content; raises `Undecodable`."""
    copy = Copy()
    file.seek(0)
    try:
        for data in _pieces(file, compression):
            copy.write(data)
            if copy.size > _FREE and copy.size > size * _RATIO:
                raise Undecodable(f"it unpacks to more than {_RATIO} times its size")
    except (*BROKEN_ZIP, lzma.LZMAError, RuntimeError):
        raise Undecodable(f"the file isn't {compression}, or is cut off or damaged") from None
    copy.done()
    return copy


def _pieces(file: BinaryIO, compression: Compression) -> Iterator[bytes]:
    if compression == "xz":
        yield from _xz(file)
        return
    with _opened(file, compression) as source:
        while data := source.read(_PIECE):
            yield data


def _xz(file: BinaryIO) -> Iterator[bytes]:
    """LZMAFile would take as much memory as the file asks for."""
    packed = file.read(_PIECE)
    while packed:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY)
        while not stream.eof:
            if stream.needs_input and not packed and not (packed := file.read(_PIECE)):
                raise EOFError
            yield stream.decompress(packed if stream.needs_input else b"", _PIECE)
            packed = b""
        packed = (stream.unused_data or file.read(_PIECE)).lstrip(b"\0")  # padding between streams


def _opened(file: BinaryIO, compression: Compression) -> Any:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=file)
    if compression == "bz2":
        return bz2.BZ2File(file)
    if compression == "zip":
        return _member(file)
    return pyarrow().CompressedInputStream(file, "zstd")


def _member(file: BinaryIO) -> Any:
    """The one file of an archive."""
    with zipfile.ZipFile(file) as archive:
        members = [each for each in archive.infolist() if not each.is_dir()]
        if len(members) != 1:
            raise Undecodable(f"the archive holds {len(members)} files; it must hold one")
        return archive.open(members[0])
