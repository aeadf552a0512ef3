"""Many records of one fixed layout at once, column by column, with numpy.

What is usual is decoded for all records together: digits, signs, binaries, ASCII texts. Every cell that is anything
else is left to the plain decoder, so that both always agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import pyarrow as pa

from adapters.files.copybook import cells, cells_numbers, texts
from adapters.files.copybook.cells import Block, Cells
from adapters.files.copybook.layout import Area, Field, Group, Node
from adapters.files.copybook.picture import Category, Picture
from adapters.files.copybook.plans import Progress
from adapters.files.copybook.records import Records
from adapters.files.copybook.table import Column, columns
from adapters.files.formats import Bad

_CHUNK = 8 * 1024 * 1024

Build: TypeAlias = Callable[[Block], Any]


def fits(records: Records) -> bool:
    """Are the records all of one length and layout, so that they can be decoded together?"""
    options = records.options
    alone = not (options.segment_field or options.segment_children or records.layout.counts)
    bare = not (options.generate_record_id or options.generate_record_bytes or options.with_input_file_name_col)
    edges = options.record_start_offset or options.record_end_offset
    kept = options.minimum_record_length <= records.layout.size <= (options.maximum_record_length or 1 << 40)
    unblocked = options.record_format == "F" or bool(options.block_length or options.records_per_block)
    return records.whole and unblocked and alone and bare and not edges and not options.strict and kept


def batches(records: Records, file: BinaryIO, size: int) -> Iterator[tuple[list[Any], int] | Bad]:
    """(the columns of some thousand records, where in the file they end); what the file ends inside of is `Bad`."""
    length, options = records.layout.size, records.options
    progress = Progress()
    builders = _Compiler(records, progress).members(records.layout.root, 0)
    at, end = options.file_start_offset, size - options.file_end_offset
    file.seek(at)
    while end - at >= length:
        data = file.read(min(max(1, _CHUNK // length), (end - at) // length) * length)
        count = len(data) // length
        if not count:
            break
        rows = np.frombuffer(data, np.uint8, count * length).reshape(count, length)
        at += count * length
        block = Block(rows)
        yield [build(block) for _, build in builders], at
        records.wrong, progress.wrong = records.wrong + progress.wrong, 0
    if at < end and not options.debug_ignore_file_size:
        yield Bad(at, end, f"the file ends inside a record of {length} bytes", lost=True)


@dataclass(slots=True)
class _Compiler:
    records: Records
    progress: Progress

    def members(self, group: Group, base: int) -> list[tuple[str, Build]]:
        """(name, builder) of what a group shows, in the order of its columns."""
        found: list[tuple[str, Build]] = []
        for area in group.areas:
            for node in (*area.nodes, *area.overlays):
                found += self._node(node, base + node.offset)
        return found

    def _node(self, node: Node, at: int) -> list[tuple[str, Build]]:
        if node.shown == "hidden":
            return []
        if isinstance(node, Group) and node.shown == "lifted":
            return self.members(node, at)
        single = at if node.occurs is None else 0
        build = self._group(node, single) if isinstance(node, Group) else self._field(node, single)
        if node.occurs is None:
            return [(node.name, build)]
        return [(node.name, _table(build, at, node.size, node.occurs.high))]

    def _group(self, group: Group, at: int) -> Build:
        members = self.members(group, at)
        names = [name for name, _ in members]

        def build(block: Block) -> Any:
            return pa.StructArray.from_arrays([make(block) for _, make in members], names=names)

        return build

    def _field(self, node: Field, at: int) -> Build:
        (column,) = columns(Group("", "", 0, 0, 0, 0, None, "named", (_alone(node),)), self.records.options)
        decode = self.records.decoder.elementary(node)
        one = Cells(at, node.size, lambda data: decode(data, at, self.progress))
        options, page, picture = self.records.options, self.records.page, node.picture
        if column.kind == "text" and not texts.is_shown(node) and not texts.is_national(node):
            return cells.text(node, page, options, one)
        if picture is None:
            return cells_numbers.floating(node, column, options, one)
        if not _narrow(column) or texts.is_shown(node):
            return cells.plain(column, one)
        if picture.category is Category.EDITED:
            return cells_numbers.edited(node, picture, column, page, options, one)
        if picture.category is not Category.NUMBER:
            return cells.plain(column, one)
        if node.usage == "display":
            return cells_numbers.zoned(node, picture, column, page, options, one)
        if node.usage == "packed":
            return cells_numbers.packed(node, picture, column, options, one)
        return self._binary(node, picture, column, one)

    def _binary(self, node: Field, picture: Picture, column: Column, one: Cells) -> Build:
        if node.usage not in ("binary", "native", "little"):
            return cells.plain(column, one)
        if node.size in (1, 2, 4, 8):
            return cells_numbers.binary(node, picture, column, self.records.options, one)
        width = cells_numbers.width(column)
        if picture.scale < 0 or node.size > width or (node.size == width and not picture.signed):
            return cells.plain(column, one)
        return cells_numbers.long_binary(node, picture, column, self.records.options, one)


def _alone(node: Field) -> Area:
    return Area(0, node.size, (replace(node, occurs=None),))


def _narrow(column: Column) -> bool:
    return column.kind in ("integer", "decimal") and column.precision <= 76


def _table(build: Build, at: int, size: int, count: int) -> Build:
    def table(block: Block) -> Any:
        rows = block.rows[:, at : at + size * count].reshape(len(block.rows) * count, size)
        offsets = np.arange(0, len(rows) + 1, count, dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), build(Block(rows)))

    return table
