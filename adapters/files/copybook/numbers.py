"""Numbers in records: zoned, packed, binary, floating and edited, from bytes to JSON values.

Every decoder is `decode(data, at, env) → value`. A wrong digit or sign raises `Undecodable`; nothing is guessed.
A DISPLAY number that is all spaces or all LOW-VALUES was never set: it is None.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from adapters.contract import Json
from adapters.files.copybook import signs
from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.layout import Field
from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.picture import Picture
from adapters.files.undecodable import Undecodable

Decode: TypeAlias = Callable[[bytes, int, Any], Json]
Present: TypeAlias = Callable[[int], Json]

MAX_INTEGER_DIGITS = 18
"""Integers of more digits may not fit 64 bits: they are strings of `format: decimal`."""

_EDITED = re.compile(r" *([+-]?) *([0-9]*)(?:\.([0-9]*))? *(CR|DB|[+-])? *")
_MINUS = ("-", "CR", "DB")


def present(digits: int, scale: int) -> Present:
    """Unscaled integer → its JSON spelling: an integer, or a decimal string with `scale` places."""
    if scale > 0:
        return lambda value: _pointed(value, scale)
    factor = 10**-scale
    if digits <= MAX_INTEGER_DIGITS:
        return (lambda value: value) if scale == 0 else (lambda value: _bounded(value * factor))
    return lambda value: str(value * factor)


def _bounded(value: int) -> Json:
    """A binary may hold more than its picture says, and then more than 64 bits with the zeros that P stands for."""
    return value if -(1 << 63) <= value < 1 << 63 else str(value)


def _pointed(value: int, scale: int) -> str:
    text = str(abs(value)).zfill(scale + 1)
    return f"{'-' if value < 0 else ''}{text[:-scale]}.{text[-scale:]}"


def digit_table(page: CodePage) -> bytes:
    """For `bytes.translate`: digits become ASCII digits, a space stays one, everything else an `x`."""
    zero = 0xF0 if page.ebcdic else 0x30
    table = bytearray(b"x" * 256)
    table[zero : zero + 10] = b"0123456789"
    table[page.space[0]] = 0x20
    return bytes(table)


def _whole(digits: bytes) -> int:
    """Digits, after spaces in front only: `int` alone would also take spaces behind."""
    if digits[-1:] == b" ":
        raise ValueError
    return int(digits)


def zoned(field: Field, picture: Picture, page: CodePage, options: CopybookOptions) -> Decode:
    """A DISPLAY number: with its sign over the first or last digit, apart from them, or with none."""
    size = field.size
    table = digit_table(page)
    show = present(picture.digits, picture.scale)
    blanks = (page.space * size, bytes(size))
    blank = blank_value(field, picture, options)
    split = _separate(field, page) if field.sign_separate else _punched(field, picture, page, options)
    loosely = None if options.strict else signs.loosely(field, picture, page, options)

    def decode(data: bytes, at: int, env: Any) -> Json:
        raw = data[at : at + size]
        try:
            digits, negative = split(raw, raw.translate(table))
            value = _whole(digits)
        except (ValueError, KeyError):
            if raw in blanks:
                return blank
            if loosely is not None and (loose := loosely(raw)) is not None:
                return show(loose)
            raise Undecodable(f"{field.cobol} isn't a number") from None
        return show(-value if negative else value)

    return decode


def blank_value(field: Field, picture: Picture, options: CopybookOptions) -> Json:
    """What a number is of which nothing is there: null; zero where its picture writes zero so. As Cobrix has it without
    its improved null detection, a decimal is zero."""
    show = present(picture.digits, picture.scale)
    if options.strict:
        return show(0) if picture.suppressed or field.blank_when_zero else None
    return show(0) if not options.improved_null_detection and picture.scale else None


_Split: TypeAlias = Callable[[bytes, bytes], tuple[bytes, bool]]


def _separate(field: Field, page: CodePage) -> _Split:
    plus_minus = {"+".encode(page.name)[0]: False, "-".encode(page.name)[0]: True}
    if field.sign_leading:
        return lambda raw, digits: (digits[1:], plus_minus[raw[0]])
    return lambda raw, digits: (digits[:-1], plus_minus[raw[-1]])


def _punched(field: Field, picture: Picture, page: CodePage, options: CopybookOptions) -> _Split:
    table = signs.overpunch(page)
    if not picture.signed:
        table = {byte: entry for byte, entry in table.items() if entry[1] in signs.unsigned(options)}
    if field.sign_leading:

        def leading(raw: bytes, digits: bytes) -> tuple[bytes, bool]:
            digit, sign = table[raw[0]]
            return digit + digits[1:], sign < 0

        return leading

    def trailing(raw: bytes, digits: bytes) -> tuple[bytes, bool]:
        digit, sign = table[raw[-1]]
        return digits[:-1] + digit, sign < 0

    return trailing


def packed(field: Field, picture: Picture, options: CopybookOptions) -> Decode:
    """COMP-3: two digits a byte, the last half byte the sign (C A F E plus, D B minus)."""
    size, ceiling = field.size, 10**picture.stored
    show = present(picture.digits, picture.scale)
    nibbles = {"c": 1, "a": 1, "e": 1, "f": 1}
    if picture.signed or not (options.strict and options.strict_sign_overpunching):
        nibbles |= {"d": -1, "b": -1}
    if not options.strict:
        ceiling = 10 ** (MAX_INTEGER_DIGITS if picture.stored == MAX_INTEGER_DIGITS else size * 2)

    def decode(data: bytes, at: int, env: Any) -> Json:
        text = data[at : at + size].hex()
        sign = nibbles.get(text[-1])
        digits = text[:-1]
        if sign is None or not digits.isdigit() or (value := int(digits)) >= ceiling:
            raise Undecodable(f"{field.cobol} isn't a packed number of {picture.stored} digits")
        return show(value if sign > 0 else -value)

    return decode


def unsigned_packed(field: Field, picture: Picture, options: CopybookOptions) -> Decode:
    """COMP-6 and Cobrix's COMP-3U: two digits a byte and no sign."""
    size, ceiling = field.size, 10**picture.stored
    show = present(picture.digits, picture.scale)

    def decode(data: bytes, at: int, env: Any) -> Json:
        digits = data[at : at + size].hex()
        if not digits.isdigit() or (value := int(digits)) >= ceiling:
            raise Undecodable(f"{field.cobol} isn't a packed number of {picture.stored} digits")
        return show(value)

    return decode


def binary(field: Field, picture: Picture, options: CopybookOptions) -> Decode:
    """COMP, COMP-4, BINARY (big-endian), COMP-5 (an option) and COMP-9 (little-endian): two's complement."""
    size, signed = field.size, picture.signed
    order: Literal["big", "little"] = "little" if field.usage == "little" else "big"
    if field.usage == "native":
        order = options.comp5_endian
    show = present(picture.digits, picture.scale)
    convert = int.from_bytes

    def decode(data: bytes, at: int, env: Any) -> Json:
        return show(convert(data[at : at + size], order, signed=signed))

    return decode


def floating(field: Field, options: CopybookOptions) -> Decode:
    """COMP-1 and COMP-2, hexadecimal (IBM) or IEEE 754; NaN and infinity have no JSON and are undecodable."""
    size = field.size
    little = options.floating_point_format.endswith("little_endian")
    ibm = options.floating_point_format.startswith("IBM")
    shape = struct.Struct(("<" if little else ">") + ("f" if size == 4 else "d"))

    def decode(data: bytes, at: int, env: Any) -> Json:
        raw = data[at : at + size]
        value = ibm_float(raw[::-1] if little else raw) if ibm else shape.unpack(raw)[0]
        if not math.isfinite(value):
            raise Undecodable(f"{field.cobol} isn't a finite number")
        return shortest(value) if size == 4 else value

    return decode


def ibm_float(raw: bytes) -> float:
    """System/360 hexadecimal floating point: sign, exponent of 16 with excess 64, fraction."""
    bits = int.from_bytes(raw, "big")
    width = len(raw) * 8 - 8
    exponent = (bits >> width & 0x7F) - 64
    fraction = bits & ((1 << width) - 1)
    value = math.ldexp(fraction, 4 * exponent - width)
    return -value if bits >> (width + 7) else value


def shortest(value: float) -> float:
    """The double with the fewest digits that is the same single-precision number: -30503.93, not -30503.9296875."""
    try:
        single = struct.pack(">f", value)
        for digits in range(6, 9):
            candidate = float(f"{value:.{digits}g}")
            if struct.pack(">f", candidate) == single:
                return candidate
    except OverflowError:  # an IBM single reaches 7e75, an IEEE one 3e38
        return value
    return float(f"{value:.9g}")


def edited(field: Field, picture: Picture, page: CodePage, options: CopybookOptions) -> Decode:
    """A number laid out to be read: Z(5)9.99-, +9(8), $$,$$9.99CR; `S` in such a picture is an overpunched sign."""
    size = field.size
    show = present(picture.digits, picture.scale)
    blank = blank_value(field, picture, options)
    punched = signs.overpunch(page) if "S" in picture.text else {}

    def decode(data: bytes, at: int, env: Any) -> Json:
        raw = data[at : at + size]
        sign = 0
        if raw and (entry := punched.get(raw[-1])):
            digit, sign = entry
            raw = raw[:-1] + digit.decode("ascii").encode(page.name)
        text = raw.decode(page.name, "replace").translate(_INSERTED)
        if not text.strip(" \0"):
            return blank
        value = _read_edited(text, picture)
        if value is None and not options.strict:
            value = _read_edited(text.replace(" ", ""), picture)
        if value is None:
            raise Undecodable(f"{field.cobol} isn't a number as PIC {picture.text} writes it")
        return show(-value if sign < 0 else value)

    return decode


_INSERTED = {ord(","): None, ord("$"): " ", ord("*"): " "}


def _read_edited(text: str, picture: Picture) -> int | None:
    match = _EDITED.fullmatch(text)
    if match is None or (match[1] and match[4]) or not (match[2] or match[3]):
        return None
    fraction = match[3] or ""
    if picture.point and len(fraction) != picture.scale:
        return None
    value = int(match[2] + fraction)
    return -value if match[1] == "-" or match[4] in _MINUS else value
