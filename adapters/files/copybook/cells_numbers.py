"""Columns of numbers of many records at once: digits, half bytes, two's complement, floats, edited numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from adapters.files.copybook import numbers, signs
from adapters.files.copybook.cells import ODD, Block, Build, Cells, bits, finisher, odd_rows, plain
from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.layout import Field
from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.picture import Picture, positions
from adapters.files.copybook.table import Column
from adapters.files.copybook.wide import Wide

_LONG = 18


def zoned(
    field: Field, picture: Picture, column: Column, page: CodePage, options: CopybookOptions, cells: Cells
) -> Build:
    """DISPLAY numbers: all digits, and a sign where it belongs."""
    zero = 0xF0 if page.ebcdic else 0x30
    at = 0 if field.sign_leading else cells.size - 1
    digit, sign = np.full(256, ODD, np.uint8), np.zeros(256, np.int8)
    for byte, entry in signs.sign_digits(field, picture, page, options).items():
        digit[byte], sign[byte] = entry
    own = slice(1, None) if field.sign_leading else slice(None, -1)
    finish = finisher(column, picture, cells, numbers.blank_value(field, picture, options), page.space[0])

    def build(block: Block) -> Any:
        places = cells.places(block)
        last, digits = digit[places[at]], places[own] - np.uint8(zero)
        if not field.sign_separate:
            digits = np.concatenate((last[None], digits) if field.sign_leading else (digits, last[None]))
        odd = (digits.max(axis=0) > 9) | (last == ODD)
        return finish(block, Wide.of_digits(digits), sign[places[at]] < 0, odd)

    return build


def packed(field: Field, picture: Picture, column: Column, options: CopybookOptions, cells: Cells) -> Build:
    """COMP-3: two digits a byte, the last half byte the sign."""
    negative = picture.signed or not (options.strict and options.strict_sign_overpunching)
    signs = np.full(16, ODD, np.uint8)
    signs[[0xC, 0xA, 0xE, 0xF]] = 0
    if negative:
        signs[[0xD, 0xB]] = 1
    finish = finisher(column, picture, cells, None, None)
    surplus = 1 if picture.stored == _LONG else 0

    def build(block: Block) -> Any:
        places = cells.places(block)
        halves = np.empty((cells.size * 2 - 1, places.shape[1]), np.uint8)
        halves[0::2], halves[1::2] = places >> 4, places[:-1] & 15
        sign = signs[places[-1] & 15]
        odd = (halves.max(axis=0) > 9) | (sign == ODD)
        if surplus:  # the half byte in front, which the picture has no digit for
            odd |= halves[0] != 0
        return finish(block, Wide.of_digits(halves[surplus:]), sign == 1, odd)

    return build


def binary(field: Field, picture: Picture, column: Column, options: CopybookOptions, cells: Cells) -> Build:
    """Two's complement of 1, 2, 4 or 8 bytes."""
    little = field.usage == "little" or (field.usage == "native" and options.comp5_endian == "little")
    shape = np.dtype(f"{'<' if little else '>'}{'i' if picture.signed else 'u'}{field.size}")
    finish = finisher(column, picture, cells, None, None)

    def build(block: Block) -> Any:
        values = np.ascontiguousarray(cells.raw(block)).view(shape)[:, 0]
        none = np.zeros(len(values), bool)
        if shape == np.dtype(">u8") or shape == np.dtype("<u8"):
            none = values > np.uint64(2**63 - 1)
        return finish(block, Wide(values.astype(np.int64)), np.zeros(len(values), bool), none)

    return build


def floating(field: Field, column: Column, options: CopybookOptions, cells: Cells) -> Build:
    """IEEE 754 in one step; IBM's hexadecimal floats cell by cell."""
    if options.floating_point_format.startswith("IBM"):
        return plain(column, cells)
    order = "<" if options.floating_point_format.endswith("little_endian") else ">"
    shape, single = np.dtype(f"{order}f{field.size}"), np.dtype(f"<f{field.size}")

    def build(block: Block) -> Any:
        values = np.ascontiguousarray(cells.raw(block)).view(shape)[:, 0].astype(single)
        valid = np.isfinite(values)
        for row in odd_rows(~valid):
            cells.one(block, row)  # counted as wrong there
        kind = pa.float32() if field.size == 4 else pa.float64()
        return pa.Array.from_buffers(kind, len(values), [bits(valid), pa.py_buffer(values)])

    return build


def width(column: Column) -> int:
    """Bytes of a decimal column's numbers."""
    return 16 if column.precision <= 38 else 32


def long_binary(field: Field, picture: Picture, column: Column, options: CopybookOptions, cells: Cells) -> Build:
    """Two's complement of more than 8 bytes."""
    little = field.usage == "little" or (field.usage == "native" and options.comp5_endian == "little")
    finish = finisher(column, picture, cells, None, None)
    wide = width(column)

    def build(block: Block) -> Any:
        raw = cells.raw(block)
        raw = raw if little else raw[:, ::-1]
        data = np.zeros((len(raw), wide), np.uint8)
        data[:, : cells.size] = raw
        if picture.signed:
            data[:, cells.size :] = np.where(raw[:, -1:] & 0x80, 255, 0)
        never = np.zeros(len(raw), bool)
        return finish(block, Wide.of_bytes(data), never, never)

    return build


def edited(
    field: Field, picture: Picture, column: Column, page: CodePage, options: CopybookOptions, cells: Cells
) -> Build:
    """Numbers laid out to be read, where each symbol has its place: 9, Z, a point, one plus or minus."""
    symbols = positions(picture)
    marks = [at for at, symbol in enumerate(symbols) if symbol in "+-"]
    if set(symbols) - set("9Z.+-") or len(marks) > 1 or (marks and marks[0] not in (0, len(symbols) - 1)):
        return plain(column, cells)
    own = [at for at, symbol in enumerate(symbols) if symbol in "9Z"]
    points = [at for at, symbol in enumerate(symbols) if symbol == "."]
    last = own[-1] if "S" in picture.text and own[-1] == len(symbols) - 1 else None
    zero, space, point, minus, plus = (character.encode(page.name)[0] for character in "0 .-+")
    digit, sign = np.full(256, ODD, np.uint8), np.zeros(256, np.int8)
    for byte, entry in signs.overpunch(page).items():
        digit[byte], sign[byte] = int(entry[0]), entry[1]
    finish = finisher(column, picture, cells, numbers.blank_value(field, picture, options), space)

    def build(block: Block) -> Any:
        places = cells.places(block)
        digits, blank = places[own] - np.uint8(zero), places[own] == space
        negative = np.zeros(places.shape[1], bool)
        if last is not None:
            digits[-1], negative = digit[places[last]], sign[places[last]] < 0
        digits[blank] = 0
        # Blanks stand in front of the first digit only, and something stands behind them.
        odd = (digits > 9).any(axis=0) | (blank[1:] & ~blank[:-1]).any(axis=0) | blank[-1]
        odd |= (places[points] != point).any(axis=0)
        for at in marks:
            negative = places[at] == minus
            odd |= ~(negative | (places[at] == plus) | (places[at] == space))
        return finish(block, Wide.of_digits(digits), negative, odd)

    return build
