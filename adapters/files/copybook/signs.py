"""Where the sign of a DISPLAY number stands: over a digit, apart from the digits, or somewhere among them."""

from __future__ import annotations

from collections.abc import Callable

from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.layout import Field
from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.picture import Picture

_SIGNS = {"+": 1, "-": -1}


def overpunch(page: CodePage) -> dict[int, tuple[bytes, int]]:
    """A byte that carries a digit and the sign → (digit as ASCII, 1, -1, or 0 when it says no sign).

    EBCDIC zones: C, A, E plus; D, B minus; F none. ASCII: the same characters, and GnuCOBOL's and
    Micro Focus's p to y for minus.
    """
    if page.ebcdic:
        signs = {0xC: 1, 0xA: 1, 0xE: 1, 0xD: -1, 0xB: -1, 0xF: 0}
        return {zone << 4 | digit: (b"%d" % digit, sign) for zone, sign in signs.items() for digit in range(10)}
    table: dict[int, tuple[bytes, int]] = {}
    for characters, sign in (("0123456789", 0), ("{ABCDEFGHI", 1), ("}JKLMNOPQR", -1), ("pqrstuvwxy", -1)):
        table |= {ord(character): (b"%d" % digit, sign) for digit, character in enumerate(characters)}
    return table


def sign_digits(field: Field, picture: Picture, page: CodePage, options: CopybookOptions) -> dict[int, tuple[int, int]]:
    """A byte at the sign's place → (its digit, its sign); of a sign apart from the digits, the digit is 0."""
    if field.sign_separate:
        return {character.encode(page.name)[0]: (0, sign) for character, sign in _SIGNS.items()}
    table = overpunch(page)
    allowed = (0, 1, -1) if picture.signed else unsigned(options)
    return {byte: (int(digit), sign) for byte, (digit, sign) in table.items() if sign in allowed}


def unsigned(options: CopybookOptions) -> tuple[int, ...]:
    """The signs that a number without S may carry."""
    if options.strict:
        return (0, 1) if options.strict_sign_overpunching else (0, 1, -1)
    return (0,) if options.strict_sign_overpunching else (0, 1)


def loosely(field: Field, picture: Picture, page: CodePage, options: CopybookOptions) -> Callable[[bytes], int | None]:
    """As Cobrix reads digits: blanks anywhere between them are nothing, and so is where the sign stands."""
    punched = overpunch(page)
    allowed = (0, 1, -1) if picture.signed or field.sign_separate else unsigned(options)

    def read(raw: bytes) -> int | None:
        digits, sign = b"", 0
        for byte in raw.replace(page.space, b"").replace(b"\0", b""):
            digit, found = punched.get(byte, (b"", 0))
            if not digit and (found := _SIGNS.get(bytes([byte]).decode(page.name, "replace"), 0)) == 0:
                return None
            if found and sign:
                return None
            digits, sign = digits + digit, sign or found
        fits = 0 < len(digits) <= picture.stored
        return int(digits) * (sign or 1) if fits and sign in allowed else None

    return read
