"""A whole file of COBOL records: framed, told apart by segment, decoded, numbered, put together."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from adapters.contract import Json
from adapters.files.copybook import builder, framing, items, lengths
from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.copying import Copies
from adapters.files.copybook.decoder import Decoder
from adapters.files.copybook.framing import LONGEST, Frame, Framing
from adapters.files.copybook.layout import Field, Layout, walk
from adapters.files.copybook.options import DecodeOptions
from adapters.files.copybook.overlays import unknown_names, with_overlays
from adapters.files.copybook.plans import Progress
from adapters.files.copybook.segments import Families, Member, SegmentIds
from adapters.files.formats import Bad, Record
from adapters.files.undecodable import Undecodable

_FAMILY = 64 * 1024 * 1024


class Records:
    """One copybook and its options, ready to read files. `wrong` counts values that are null as they couldn't be
    decoded, `skipped` records that the options leave out."""

    def __init__(self, source: str, page: CodePage, options: DecodeOptions, copies: Copies | None = None) -> None:
        """Raises `CopybookError`, and `ValueError` where options and copybook don't go together."""
        copybook = items.read(source, columns=options.columns(), copies=copies)
        built = builder.build(copybook, record=options.record, shape=options.shape())
        unknown = unknown_names([node.cobol for node in walk(built.root)], options)
        if unknown:
            raise ValueError(f"the copybook has no item of the name in {', '.join(unknown)}")
        self.layout: Layout = with_overlays(built, options)
        self.options = options
        self.page = page
        self.whole = _is_whole(options)
        self.decoder = Decoder(self.layout, page, options, short=not self.whole)
        self._framing = self._framed()
        self._families = Families(self.layout, self.decoder, options) if options.segment_children else None
        self.wrong = self.skipped = 0

    def _framed(self) -> Framing:
        options, size = self.options, self.layout.size
        around = options.record_start_offset + options.record_end_offset
        if options.record_format in ("V", "VB"):
            longest = size + around if options.strict else LONGEST
            return framing.described(options, longest, blocked=options.record_format == "VB")
        length = options.record_length or size + around
        if options.record_format == "text":
            split = options.allow_partial_records
            return framing.lines(length, self.page, options, strict=options.strict, split=split)
        if options.record_length_field is not None:
            return self._by_field()
        if options.record_format == "FB" and not (options.block_length or options.records_per_block):
            return framing.fixed_blocks(length, options)
        if options.variable_size_occurs and options.record_length is None:
            return lengths.by_decoding(self.decoder, size, options)
        return framing.fixed(length, options)

    def _by_field(self) -> Framing:
        names = lengths.Expression(self.options.record_length_field or "").names

        def elementary(field: Field, at: int) -> Callable[[bytes], Json]:
            decode = self.decoder.elementary(field)
            return lambda head: decode(head, at, Progress())

        decoders = lengths.field_decoders(self.layout.root, names, elementary)
        return lengths.by_field(self.layout.root, decoders, self.options)

    def frames(self, file: BinaryIO, size: int) -> Iterator[Frame | Bad]:
        """The records' bytes, those that are too short or too long left out."""
        options = self.options
        before, behind = options.record_start_offset, options.record_end_offset
        longest = options.maximum_record_length or LONGEST
        for frame in self._framing(file, size):
            if isinstance(frame, Bad):
                if not (options.debug_ignore_file_size and options.record_format == "F" and frame.lost):
                    yield frame
                continue
            start, end, data = frame
            if not options.minimum_record_length <= len(data) <= longest:
                self.skipped += 1
                continue
            yield (start, end, data[before : len(data) - behind]) if before or behind else frame

    def scan(self, file: BinaryIO, size: int, name: str = "") -> Iterator[Record | Bad]:
        """All records in order, in constant memory; `name` is what a column of the file's name holds."""
        if self._families is not None:
            yield from self._assembled(self._families, file, size, name)
            return
        prefix = self.options.segment_id_prefix or datetime.now(UTC).strftime("%Y%m%d%H%M%S")
        ids = SegmentIds(self.options.segment_id_levels, prefix) if self.options.segment_id_levels else None
        wanted = frozenset(self.options.segment_filter)
        generated = self._generated(name)
        index = -1
        for frame in self.frames(file, size):
            if isinstance(frame, Bad):
                yield frame
                continue
            start, end, data = frame
            index += 1
            segment = self.decoder.segment_id(data) if ids or wanted else ""
            joined = ids.of(segment, index) if ids else {}
            if joined is None or (wanted and segment not in wanted):
                self.skipped += 1
                continue
            yield self._record(start, end, data, {**generated(index, data), **joined})

    def _record(self, start: int, end: int, data: bytes, ahead: dict[str, Json]) -> Record | Bad:
        try:
            found = self.decoder.decode(data)
        except Undecodable as error:
            return Bad(start, end, str(error))
        self.wrong += found.wrong
        return Record(start, end, {**ahead, **found.value} if ahead else found.value)

    def _generated(self, name: str) -> Callable[[int, bytes], dict[str, Json]]:
        """What stands in front of each record: its number, its length, its bytes, its file."""
        options = self.options

        def columns(index: int, data: bytes) -> dict[str, Json]:
            found: dict[str, Json] = {}
            if options.generate_record_id:
                found |= {"File_Id": 0, "Record_Id": index, "Record_Byte_Length": len(data)}
            if options.generate_record_bytes:
                found["Record_Bytes"] = b64encode(data).decode()
            if options.with_input_file_name_col:
                found[options.with_input_file_name_col] = name
            return found

        return columns

    def _assembled(self, families: Families, file: BinaryIO, size: int, name: str) -> Iterator[Record | Bad]:
        members: list[Member] = []
        begin = stop = held = index = 0
        generated = self._generated(name)
        for frame in self.frames(file, size):
            if isinstance(frame, Bad):
                yield frame
                continue
            start, end, data = frame
            member = Member(self.decoder.segment_id(data), self.decoder.segment_of(data), data)
            if families.is_root(member.segment):
                if members:
                    yield self._family(families, begin, stop, members, generated(index, b""))
                members, begin, held = [], start, 0
            elif not members:
                self.skipped += 1
                index += 1
                continue
            index += 1
            held += len(data)
            if held > _FAMILY:
                yield Bad(begin, size, f"a record with its children has more than {_FAMILY} bytes", lost=True)
                return
            members.append(member)
            stop = end
        if members:
            yield self._family(families, begin, stop, members, generated(index, b""))

    def _family(
        self, families: Families, start: int, end: int, members: list[Member], ahead: dict[str, Json]
    ) -> Record | Bad:
        if "Record_Byte_Length" in ahead:
            ahead["Record_Byte_Length"] = sum(len(member.data) for member in members)
        try:
            value, wrong = families.assembled(members)
        except Undecodable as error:
            return Bad(start, end, str(error))
        self.wrong += wrong
        return Record(start, end, {**ahead, **value})


def _is_whole(options: DecodeOptions) -> bool:
    """Does every record have all bytes of the layout, each at its own place?"""
    fixed = options.record_format in ("F", "FB") and options.record_length_field is None
    return fixed and options.record_length is None and not options.variable_size_occurs
