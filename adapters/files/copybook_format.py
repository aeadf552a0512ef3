"""Format `copybook`: COBOL records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from adapters.contract import Json
from adapters.errors import FieldError
from adapters.files.copybook import builder, framing, items, layout, schema
from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.copying import Copies
from adapters.files.copybook.decoder import Decoder
from adapters.files.copybook.encoder import Encoder
from adapters.files.copybook.layout import Field, Layout
from adapters.files.copybook.numbers import MAX_INTEGER_DIGITS
from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.overlays import unknown_names, with_overlays
from adapters.files.copybook.picture import Category
from adapters.files.formats import Bad, FieldType, Record, at
from adapters.files.undecodable import Undecodable


class CopybookFormat:
    """Records of one layout in one code page and record format; `key` is a dotted field path, or None to not care."""

    def __init__(
        self,
        source: str,
        page: CodePage,
        record_format: str,
        options: CopybookOptions,
        key: str | None,
        copies: Copies | None = None,
    ) -> None:
        """Raises `CopybookError`, and `ValueError` where the options name what the copybook hasn't."""
        copybook = items.read(source, columns=options.columns(), copies=copies)
        built = builder.build(copybook, record=options.record, shape=options.shape())
        unknown = unknown_names([node.cobol for node in layout.walk(built.root)], options)
        if unknown:
            raise ValueError(f"the copybook has no item of the name in {', '.join(unknown)}")
        self.layout: Layout = with_overlays(built, options)
        self._fixed = record_format == "F"
        self._trim = options.file_start_offset + options.file_end_offset
        short = record_format in ("V", "VB")
        self._decoder = Decoder(self.layout, page, options, short=short)
        self._encoder = Encoder(self.layout, page, options)
        self._key = key
        self._key_decoder = _key_decoder(self.layout, key, page, options, short=short)
        self._framing = _framing(self.layout.size, page, record_format, options)
        self._line_end = b"\n" if record_format == "text" else b""
        self._padding = page.space if record_format == "text" else b""
        self._fields = {path: _type(field) for path, field in layout.fields(self.layout.root)}

    @property
    def fields(self) -> Mapping[str, FieldType]:
        return self._fields

    def output_schema(self) -> dict[str, Any]:
        return schema.output_schema(self.layout)

    def input_schema(self) -> dict[str, Any]:
        return schema.input_schema(self.layout, (self._key or "").partition(".")[0])

    def whole(self, size: int) -> bool:
        """A file of fixed-length records has a multiple of the length."""
        return not self._fixed or (size >= self._trim and (size - self._trim) % self.layout.size == 0)

    def reader(self, file: BinaryIO, size: int) -> CopybookFormat:
        """The reader is the format itself: every file is read the same way."""
        return self

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        size = file.seek(0, 2)
        decode = self._decoder
        for frame in self._framing(file, size):
            if isinstance(frame, Bad):
                yield frame
                continue
            start, end, data = frame
            try:
                yield Record(start, end, decode(data))
            except Undecodable as error:
                yield Bad(start, end, str(error), self._key_of(data))

    def decode(self, data: bytes) -> dict[str, Json]:
        return self._decoder(data.ljust(self.layout.size, self._padding) if self._padding else data)

    def encode(self, value: Mapping[str, Json]) -> tuple[bytes, list[FieldError]]:
        record, faults = self._encoder(value)
        return (record.rstrip(self._padding) if self._padding else record) + self._line_end, faults

    def _key_of(self, data: bytes) -> Json:
        if self._key_decoder is None or self._key is None:
            return None
        try:
            return at(self._key_decoder(data), self._key)
        except Undecodable:
            return None


def _key_decoder(
    whole: Layout, key: str | None, page: CodePage, options: CopybookOptions, *, short: bool
) -> Decoder | None:
    """Decodes nothing but the key, so that an undecodable record can still be told by it.

    None where tables vary in size: the key's place may depend on what can't be decoded.
    """
    group = layout.only(whole.root, key) if key and not options.variable_size_occurs else None
    return Decoder(Layout(group, frozenset()), page, options, short=short) if group else None


def _framing(length: int, page: CodePage, record_format: str, options: CopybookOptions) -> framing.Framing:
    if record_format == "text":
        return framing.lines(length, page, options, strict=True)
    if record_format == "F":
        return framing.fixed(length, options)
    return framing.described(options, length, blocked=record_format == "VB")


def _type(field: Field) -> FieldType:
    picture = field.picture
    if picture is None:
        return "number"
    if picture.category in (Category.TEXT, Category.NATIONAL):
        return "text"
    return "integer" if picture.scale <= 0 and picture.digits <= MAX_INTEGER_DIGITS else "decimal"
