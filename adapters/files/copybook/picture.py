"""PICTURE character strings: what a field holds, how many positions it has, where its decimal point is.

ISO/IEC 1989, PICTURE clause. Symbols known: X A N 9 S V P, and for edited numbers Z * + - . , $ 0 / B CR DB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_REPEAT = re.compile(r"(CR|DB|.)(?:\(([0-9]{1,12})\))?")
_MAX_POSITIONS = 10_000_000


class Category(Enum):
    """What a picture describes."""

    TEXT = "text"
    NATIONAL = "national"
    NUMBER = "number"
    EDITED = "edited"


@dataclass(frozen=True, slots=True)
class Picture:
    """`length`: character positions in storage; `digits`: digit positions, P included; `scale`: digits right of the
    point (negative: zeros left of it that aren't stored); `stored`: digits really stored."""

    text: str
    category: Category
    length: int
    digits: int = 0
    scale: int = 0
    stored: int = 0
    signed: bool = False
    point: bool = False
    """The decimal point is a character of the field, not only assumed."""
    suppressed: bool = False
    """Every digit position may become a space, so that spaces mean zero."""


def parse(text: str) -> Picture:
    """Reads a picture such as `S9(7)V99`; raises `ValueError` with a sentence."""
    counts = _expand(text)
    symbols = {symbol for symbol, _ in counts}
    # Inserted characters (99/99/9999) make it a text to look at, not a number to count with.
    if symbols & set("XAB0/"):
        return Picture(text, Category.TEXT, sum(count for _, count in counts))
    if symbols == {"N"} or symbols == {"G"}:
        return Picture(text, Category.NATIONAL, sum(count for _, count in counts))
    return _number(text, counts, symbols)


def positions(picture: Picture) -> str:
    """The symbol of each character position, such as `-999.99`."""
    return "".join(symbol * count for symbol, count in _expand(picture.text) if symbol not in "SVP")


def _expand(text: str) -> list[tuple[str, int]]:
    counts: list[tuple[str, int]] = []
    position = 0
    while position < len(text):
        match = _REPEAT.match(text, position)
        if match is None or match[1] in "()":
            raise ValueError(f"PIC {text} can't be understood at character {position + 1}")
        counts.append((match[1], int(match[2] or 1)))
        position = match.end()
    unknown = {symbol for symbol, _ in counts} - set("XAN9SVPZ*+-.,$0/BG") - {"CR", "DB"}
    if unknown:
        raise ValueError(f"PIC {text} has the unknown symbol '{min(unknown)}'")
    if not 0 < sum(count for _, count in counts) <= _MAX_POSITIONS:
        raise ValueError(f"PIC {text} has no position or too many")
    return counts


def _number(text: str, counts: list[tuple[str, int]], symbols: set[str]) -> Picture:
    if [symbol for symbol, _ in counts].count("V") + [symbol for symbol, _ in counts].count(".") > 1:
        raise ValueError(f"PIC {text} has more than one decimal point")
    stored, scale, shift = _digits(counts)
    if stored == 0:
        raise ValueError(f"PIC {text} has no digit position")
    length = sum(len(symbol) * count for symbol, count in counts if symbol not in "SVP")
    if symbols <= {"9", "S", "V", "P"}:
        return Picture(text, Category.NUMBER, length, stored + shift, scale, stored, "S" in symbols)
    signed = bool(symbols & {"S", "+", "-", "CR", "DB"})
    return Picture(
        text,
        Category.EDITED,
        length,
        stored + shift,
        scale,
        stored,
        signed,
        point="." in symbols,
        suppressed="9" not in symbols,
    )


def _digits(counts: list[tuple[str, int]]) -> tuple[int, int, int]:
    """(digits stored, scale, digits that P stands for). P left of the digits scales down, right of them up."""
    stored = scale = shift = 0
    right = False
    floating = {symbol for symbol in "+-$" if sum(count for other, count in counts if other == symbol) > 1}
    for symbol, count in counts:
        if symbol in ("V", "."):
            right = True
        elif symbol == "P":
            shift += count
            scale += count if stored == 0 else -count
            right = right or stored == 0
        elif symbol in "9Z*" or symbol in floating:
            stored += count
            scale += count if right else 0
    # The first of a floating string is never a digit.
    return stored - len(floating), scale, shift
