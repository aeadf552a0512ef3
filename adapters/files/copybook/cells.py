"""Columns of many records at once: for each kind of field, what is usual by numpy, and the rest cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from adapters.contract import Json
from adapters.files.copybook import texts
from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.layout import Field
from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.parquet_types import arrow_single, converted
from adapters.files.copybook.picture import Picture
from adapters.files.copybook.table import Column
from adapters.files.copybook.wide import Wide

Bytes: TypeAlias = npt.NDArray[np.uint8]
Flags: TypeAlias = npt.NDArray[np.bool_]
Integers: TypeAlias = npt.NDArray[np.int64]

ODD = 255
_FEW = 64


class Block:
    """Records as rows of bytes, and the same on their side, so that the bytes of one place lie together."""

    def __init__(self, rows: Bytes) -> None:
        self.rows = rows

    @cached_property
    def places(self) -> Bytes:
        """Row n holds byte n of every record. Turned a few records at a time, so that they stay in the cache."""
        count, size = self.rows.shape
        turned = np.empty((size, count), np.uint8)
        for at in range(0, count, _FEW):
            turned[:, at : at + _FEW] = self.rows[at : at + _FEW].T
        return turned


@dataclass(frozen=True, slots=True)
class Cells:
    """One field of each record: its place, and the plain decoder of one record's bytes."""

    at: int
    size: int
    decode: Callable[[bytes], Json]

    def raw(self, block: Block) -> Bytes:
        """(records, bytes) of the field."""
        return block.rows[:, self.at : self.at + self.size]

    def places(self, block: Block) -> Bytes:
        """(bytes, records) of the field."""
        return block.places[self.at : self.at + self.size]

    def one(self, block: Block, row: int) -> Json:
        """One cell as the plain decoder has it."""
        return self.decode(block.rows[row].tobytes())


Build: TypeAlias = Callable[[Block], Any]


def plain(column: Column, cells: Cells) -> Build:
    """Cell by cell."""
    single = arrow_single(column)

    def build(block: Block) -> Any:
        return pa.array([converted(cells.one(block, row), column) for row in range(len(block.rows))], type=single)

    return build


def text(field: Field, page: CodePage, options: CopybookOptions, cells: Cells) -> Build:
    """Characters that are ASCII and stay one character; a cell with any other is decoded by itself."""
    table = _ascii(field, page, options)
    left = options.string_trimming_policy in ("left", "both") or (field.right and _right(options))
    right = options.string_trimming_policy in ("right", "both")
    nulls = options.improved_null_detection
    width = np.arange(cells.size)

    def build(block: Block) -> Any:
        raw = cells.raw(block)
        characters = table[raw]
        odd = (characters == ODD).any(axis=1)
        start, end = _ends(characters, left=left, right=right)
        start[odd] = end[odd] = 0
        kept = characters[(width >= start[:, None]) & (width < end[:, None])].tobytes()
        offsets = np.zeros(len(raw) + 1, np.int32)
        np.cumsum(end - start, out=offsets[1:])
        valid = ((end > start) | (raw != 0).any(axis=1)) if nulls else np.ones(len(raw), bool)
        found = pa.StringArray.from_buffers(len(raw), pa.py_buffer(offsets), pa.py_buffer(kept), bits(valid | odd))
        return _patched(found, odd_rows(odd), cells, block) if odd.any() else found

    return build


def _right(options: CopybookOptions) -> bool:
    return options.string_trimming_policy == "right"


def _ascii(field: Field, page: CodePage, options: CopybookOptions) -> Bytes:
    """Each byte's ASCII character; `ODD` where it has none, or is dropped."""
    untrimmed = options.model_copy(update={"string_trimming_policy": "none", "improved_null_detection": False})
    decode = texts.text(field, page, untrimmed)
    found = [decode(bytes([byte]), 0, None) for byte in range(256)]
    return np.array([ord(each) if len(each) == 1 and each.isascii() else ODD for each in found], np.uint8)


def _ends(characters: Bytes, *, left: bool, right: bool) -> tuple[Integers, Integers]:
    """Where each text begins and ends when its blanks are trimmed."""
    count, size = characters.shape
    start, end = np.zeros(count, np.int64), np.full(count, size, np.int64)
    if left or right:
        inked = characters > 0x20
        empty = ~inked.any(axis=1)
        if right:
            end = size - inked[:, ::-1].argmax(axis=1)
            end[empty] = 0
        if left:
            start = inked.argmax(axis=1)
            start[empty] = end[empty]
    return start, end


def _patched(found: Any, rows: list[int], cells: Cells, block: Block) -> Any:
    values = found.to_pylist()
    for row in rows:
        values[row] = cells.one(block, row)
    return pa.array(values, type=found.type)


Finish: TypeAlias = Callable[[Block, Wide, Flags, Flags], Any]


def finisher(column: Column, picture: Picture, cells: Cells, blank: Json, space: int | None) -> Finish:
    """Puts the sign to the digits and decodes the odd cells by themselves."""
    single = arrow_single(column)
    width = 8 if column.kind == "integer" else single.bit_width // 8
    scale, factor = max(picture.scale, 0), 10 ** max(-picture.scale, 0)

    def unscaled(value: Json) -> int:
        return int(Decimal(str(value)).scaleb(scale))

    def finish(block: Block, values: Wide, negative: Flags, odd: Flags) -> Any:
        data = values.signed(negative, factor, width)
        valid = ~odd
        if odd.any():
            rows = np.flatnonzero(odd).astype(np.int64)
            if space is not None:
                rows = _blanks(rows, cells.raw(block)[rows], data, valid, blank, unscaled, space, width)
            for row in rows.tolist():
                found = cells.one(block, row)
                if found is not None:
                    data[row] = np.frombuffer(unscaled(found).to_bytes(width, "little", signed=True), np.uint8)
                    valid[row] = True
        return pa.Array.from_buffers(single, len(data), [bits(valid), pa.py_buffer(np.ascontiguousarray(data))])

    return finish


def _blanks(
    rows: Integers,
    raw: Bytes,
    data: Bytes,
    valid: Flags,
    blank: Json,
    unscaled: Callable[[Json], int],
    space: int,
    width: int,
) -> Integers:
    """Sets the cells in which nothing stands; answers the others."""
    empty = (raw == space).all(axis=1) | (raw == 0).all(axis=1)
    if blank is not None:
        data[rows[empty]] = np.frombuffer(unscaled(blank).to_bytes(width, "little", signed=True), np.uint8)
        valid[rows[empty]] = True
    others: Integers = rows[~empty]
    return others


def odd_rows(flags: Flags) -> list[int]:
    """The rows that are flagged."""
    found: list[int] = np.flatnonzero(flags).tolist()
    return found


def bits(valid: Flags) -> Any:
    """A validity bitmap; None where everything is valid."""
    return None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
