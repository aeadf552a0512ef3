"""Code pages of texts and digits: those of Python and of the ebcdic package, and Cobrix's own common ones."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

import ebcdic  # noqa: F401  registers cp1047 and its kin

_PUNCTUATION = {
    0x4B: ".", 0x4C: "<", 0x4D: "(", 0x4E: "+", 0x4F: "|", 0x50: "&", 0x5A: "!", 0x5B: "$", 0x5C: "*", 0x5D: ")",
    0x5E: ";", 0x60: "-", 0x61: "/", 0x6A: "¦", 0x6B: ",", 0x6C: "%", 0x6D: "_", 0x6E: ">", 0x6F: "?", 0x79: "`",
    0x7A: ":", 0x7B: "#", 0x7C: "@", 0x7D: "'", 0x7E: "=", 0x7F: '"', 0xA1: "~", 0xB0: "^", 0xBA: "[", 0xBB: "]",
    0xC0: "{", 0xCA: "-", 0xD0: "}", 0xE0: "\\",
}  # fmt: skip
_LINE_ENDS = {0x0D: "\n", 0x25: "\r"}
_SUBSTITUTE = "\x1a"


@dataclass(frozen=True, slots=True)
class CodePage:
    """A single-byte code page, or UTF-8, ready to use. `table`: each byte's character, if not Python's own."""

    name: str
    ebcdic: bool
    space: bytes
    table: str | None = None

    @classmethod
    def of(cls, name: str) -> CodePage:
        """Raises `LookupError` when Python and the ebcdic package don't know the name, or it isn't for records."""
        info = codecs.lookup(name)
        space, zero = " ".encode(info.name), "0".encode(info.name)
        if len(space) != 1 or zero not in (b"0", b"\xf0"):
            raise LookupError(f"{name} isn't a single-byte code page")
        return cls(info.name, zero == b"\xf0", space)

    @classmethod
    def as_cobrix(cls, name: str) -> CodePage:
        """The page as Cobrix decodes it: control characters are spaces, but in `…_extended`; `common` knows only what
        all EBCDIC pages have in common. Raises `LookupError`."""
        extended = name.endswith("_extended")
        base = name.removesuffix("_extended")
        page = cls.of("cp037" if base == "common" else base)
        if not page.ebcdic:
            return page
        characters = [bytes([byte]).decode(page.name, "replace") for byte in range(256)]
        if base == "common":
            characters = [_common(byte, character) for byte, character in enumerate(characters)]
        control = _extended if extended else _blank
        table = "".join(_LINE_ENDS.get(byte) or control(byte, character) for byte, character in enumerate(characters))
        return cls(page.name, True, page.space, table)

    def decode(self, data: bytes, errors: str = "strict") -> str:
        """The text; raises `UnicodeDecodeError`."""
        if self.table is None:
            return data.decode(self.name, errors)
        return codecs.charmap_decode(data, errors, self.table)[0]


def _common(byte: int, character: str) -> str:
    if byte < 0x40 or (character.isascii() and character.isalnum()):
        return character
    return _PUNCTUATION.get(byte, " ")


def _blank(byte: int, character: str) -> str:
    return " " if character < " " or "\x7f" <= character < "\xa0" else character


def _extended(byte: int, character: str) -> str:
    """ASCII's control characters stay; of the others, the first 32 are marked as what ASCII hasn't."""
    if byte >= 0x40 or (character < " " and byte != 0x3F):
        return character
    return _SUBSTITUTE if byte < 0x20 and byte != 0x07 else " "
