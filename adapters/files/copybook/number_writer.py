"""Numbers into records: the inverse of `numbers`. Each maker answers (writer, bytes of an absent value)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias

from adapters.contract import Json
from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.layout import Field
from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.picture import Picture

Writer: TypeAlias = Callable[[Json], bytes]

_LONGEST = 60


class Unwritable(ValueError):
    """The value doesn't fit its field; the message is a predicate such as "must be a number"."""


def unscaled(value: Json, picture: Picture, *, signed: bool) -> int:
    """A JSON number or decimal string as the integer that the field stores; raises `Unwritable`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > _LONGEST:
        raise Unwritable("must be a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Unwritable("must be a number") from None
    if not number.is_finite():
        raise Unwritable("must be a finite number")
    if number and abs(number.adjusted()) > _LONGEST:
        raise Unwritable(f"has more digits than PIC {picture.text}")
    scaled = number.scaleb(picture.scale)
    whole = int(scaled)
    if whole != scaled:
        raise Unwritable(f"has more decimal places than PIC {picture.text}")
    if whole < 0 and not signed:
        raise Unwritable("can't be negative")
    if abs(whole) >= 10**picture.stored:
        raise Unwritable(f"has more digits than PIC {picture.text}")
    return whole


def zoned(field: Field, picture: Picture, page: CodePage) -> tuple[Writer, bytes]:
    """A DISPLAY number. Negative digits in ASCII are GnuCOBOL's and Micro Focus's p to y."""
    signed = picture.signed or field.sign_separate
    zero = 0xF0 if page.ebcdic else 0x30
    negative, positive = (0xD0, 0xC0) if page.ebcdic else (0x70, 0x30)
    minus, plus = "-".encode(page.name), "+".encode(page.name)
    at = 0 if field.sign_leading else -1
    blank = page.space * field.size

    def write(value: Json) -> bytes:
        if value is None:
            return blank
        whole = unscaled(value, picture, signed=signed)
        digits = bytearray(zero + int(digit) for digit in str(abs(whole)).zfill(picture.stored))
        if field.sign_separate:
            sign = minus if whole < 0 else plus
            return sign + bytes(digits) if field.sign_leading else bytes(digits) + sign
        if picture.signed:
            digits[at] = digits[at] - zero + (negative if whole < 0 else positive)
        return bytes(digits)

    return write, write(0)


def packed(field: Field, picture: Picture) -> tuple[Writer, bytes]:
    """COMP-3: sign C or D where the picture has S, else F."""
    width = field.size * 2 - 1

    def write(value: Json) -> bytes:
        whole = unscaled(value, picture, signed=picture.signed)
        sign = ("d" if whole < 0 else "c") if picture.signed else "f"
        return bytes.fromhex(str(abs(whole)).zfill(width) + sign)

    return write, write(0)


def unsigned_packed(field: Field, picture: Picture) -> tuple[Writer, bytes]:
    """COMP-6: two digits a byte, no sign."""

    def write(value: Json) -> bytes:
        return bytes.fromhex(str(unscaled(value, picture, signed=False)).zfill(field.size * 2))

    return write, write(0)


def binary(field: Field, picture: Picture, options: CopybookOptions) -> tuple[Writer, bytes]:
    """COMP, BINARY, COMP-4, COMP-5 and COMP-9; a value keeps to its picture's digits."""
    order: Literal["big", "little"] = "little" if field.usage == "little" else "big"
    if field.usage == "native":
        order = options.comp5_endian

    def write(value: Json) -> bytes:
        whole = unscaled(value, picture, signed=picture.signed)
        return whole.to_bytes(field.size, order, signed=picture.signed)

    return write, write(0)


def floating(field: Field, options: CopybookOptions) -> tuple[Writer, bytes]:
    """COMP-1 and COMP-2."""
    little = options.floating_point_format.endswith("little_endian")
    ibm = options.floating_point_format.startswith("IBM")
    shape = struct.Struct(">f" if field.size == 4 else ">d")

    def write(value: Json) -> bytes:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unwritable("must be a number")
        try:
            raw = _ibm(float(value), field.size) if ibm else shape.pack(value)
        except (OverflowError, struct.error):
            raise Unwritable("is too large for its floating-point field") from None
        return raw[::-1] if little else raw

    return write, bytes(field.size)


def _ibm(value: float, size: int) -> bytes:
    """The nearest System/360 hexadecimal float; raises `OverflowError`."""
    if value == 0:
        return bytes(size)
    if not math.isfinite(value):
        raise OverflowError
    width = size * 8 - 8
    exponent = -(-math.frexp(value)[1] // 4)
    fraction = round(math.ldexp(abs(value), width - 4 * exponent))
    if fraction >> width:
        fraction, exponent = fraction >> 4, exponent + 1
    if exponent + 64 < 0:
        return bytes(size)
    if exponent + 64 > 0x7F:
        raise OverflowError
    return ((value < 0) << (width + 7) | (exponent + 64) << width | fraction).to_bytes(size, "big")
