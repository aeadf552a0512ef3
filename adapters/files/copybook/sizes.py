"""How many bytes an elementary item has, and on what boundary it stands."""

from __future__ import annotations

from typing import NamedTuple

from adapters.files.copybook.picture import Category, Picture
from adapters.files.copybook.shape import Shape

_HALF, _WORD, _DOUBLE = 4, 9, 18
_BINARY = ("binary", "native", "little", "shortest")
_NATIVE = {"char": 1, "short": 2, "long": 4, "double": 8}
_DIGITS = {1: 3, 2: 5, 4: 10, 8: 18}


class Storage(NamedTuple):
    """How an item is stored: the usage and picture by which it is decoded, its bytes and its boundary."""

    usage: str
    picture: Picture | None
    size: int
    boundary: int = 1


def binary_size(digits: int, smallest: int) -> int:
    """Bytes of a binary field. IBM and Cobrix use 2, 4 and 8; GnuCOBOL's default begins at 1 (`smallest`).

    Past 18 digits: the fewest whole bytes that hold them and a sign.
    """
    if digits <= 2 and smallest == 1:
        return 1
    if digits <= _DOUBLE:
        return 2 if digits <= _HALF else 4 if digits <= _WORD else 8
    return shortest(digits, signed=True)


def shortest(digits: int, *, signed: bool) -> int:
    """The fewest whole bytes that hold so many digits."""
    ceiling: int = 10**digits
    return ((ceiling - 1).bit_length() + signed + 7) // 8


def misfit(name: str, picture: Picture | None, usage: str | None) -> str | None:
    """Why picture and usage don't go together, if they don't."""
    floating = usage in ("float", "double")
    if picture is None:
        return None if floating or _implied(usage) else f"{name} has neither a picture nor subordinate items"
    if floating:
        return f"{name} is COMP-1 or COMP-2 and can't have a picture"
    if _implied(usage):
        return f"{name} is an index, a pointer or a binary of its own size and can't have a picture"
    raw = usage in ("binary", "shortest", "unsigned packed") and not picture.text.strip("X()0123456789")
    if usage in (*_BINARY, "packed", "unsigned packed") and picture.category is not Category.NUMBER and not raw:
        return f"{name} is a binary or packed number and can't have PIC {picture.text}"
    return None


def storage(picture: Picture | None, usage: str, separate: bool, shape: Shape) -> Storage:
    """Of an item whose picture and usage go together."""
    if picture is None:
        return _without_picture(usage, shape)
    if picture.category is Category.TEXT and usage in ("binary", "shortest", "unsigned packed"):
        return _bytes(picture, usage)
    if usage == "packed":
        return Storage(usage, picture, picture.stored // 2 + 1)
    if usage == "unsigned packed":
        return Storage(usage, picture, (picture.stored + 1) // 2)
    if usage == "shortest":
        return Storage("binary", picture, shortest(picture.stored, signed=picture.signed))
    if usage in _BINARY:
        size = binary_size(picture.stored, 1 if usage == "little" else shape.smallest)
        return Storage(usage, picture, size, _boundary(size, shape))
    if picture.category is Category.NATIONAL and usage == "display":
        usage = "dbcs" if picture.text.startswith("G") else "national"
    if usage in ("national", "dbcs"):
        return Storage(usage, picture, picture.length * 2)
    return Storage(usage, picture, picture.length + separate)


def _boundary(size: int, shape: Shape) -> int:
    """IBM puts binaries of more than four digits on a fullword, GnuCOBOL each on a multiple of its size."""
    if size not in (2, 4, 8):
        return 1
    return size if shape.natural else min(size, 4)


def _without_picture(usage: str, shape: Shape) -> Storage:
    if usage in ("float", "double"):
        size = 4 if usage == "float" else 8
        return Storage(usage, None, size, size)
    if usage == "index":
        return Storage("native", _number(4, signed=True), 4, 4)
    if usage == "pointer":
        return Storage("native", _number(shape.pointer, signed=False), shape.pointer, shape.pointer)
    unsigned = usage.startswith("unsigned ")
    size = _NATIVE.get(usage.removeprefix("unsigned ").removeprefix("binary-"), 8)
    return Storage("native", _number(size, signed=not unsigned), size, size)


def _bytes(picture: Picture, usage: str) -> Storage:
    """PIC X(n) of a number's usage: n bytes, of whatever they hold."""
    size = picture.length
    if usage == "shortest":
        digits = len(str(256**size - 1)) if size <= 16 else 40
        return Storage("binary", Picture(picture.text, Category.NUMBER, digits, digits, 0, digits), size)
    if usage == "unsigned packed":
        return Storage(usage, Picture(picture.text, Category.NUMBER, size * 2, size * 2, 0, size * 2), size)
    return Storage("bytes", picture, size)


def _number(size: int, *, signed: bool) -> Picture:
    digits = _DIGITS.get(size, 18)
    return Picture(f"{'S' if signed else ''}9({digits})", Category.NUMBER, digits, digits, 0, digits, signed)


def _implied(usage: str | None) -> bool:
    """Does the usage say by itself what the picture would?"""
    return usage is not None and (
        usage in ("index", "pointer") or usage.removeprefix("unsigned ").startswith("binary-")
    )
