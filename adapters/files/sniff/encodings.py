"""In which encoding a text file is, by its first bytes: what is certain, and what is only likely."""

from __future__ import annotations

import codecs
from typing import NamedTuple

import ebcdic  # noqa: F401  registers cp1047 and its kin

from adapters.files.sniff.found import Said, count

HEAD = 1 << 20
"""Bytes that an encoding and a dialect are told from."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LIKELY = ("cp1252", "cp850")


class Encoded(NamedTuple):
    """A codec's name, the text of the head up to its last line's end, and what is said of it."""

    name: str
    text: str
    said: Said


def encoded(head: bytes, whole: bool, given: str | None = None) -> Encoded:
    """The encoding of a file's first bytes; `whole`: they are all. `given`: somebody has said it."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            sentence = f"{name}: the file begins with its byte order mark"
            return Encoded(name, _lines(head[len(mark) :], name, whole), Said("encoding", sentence))
    if given is not None:
        return Encoded(given, _lines(head, given, whole), Said("encoding", f"{given}: given"))
    name, sentence, doubtful = _guessed(head, whole)
    return Encoded(name, _lines(head, name, whole), Said("encoding", f"{name}: {sentence}", doubtful))


def _guessed(head: bytes, whole: bool) -> tuple[str, str, bool]:
    for name, at in (("utf-16-le", 1), ("utf-16-be", 0)):
        if len(head) >= 4 and head[at::2].count(0) > len(head) * 0.4:
            return name, "every other byte is zero", False
    if head.isascii() and not _looks_ebcdic(head):
        return "utf-8", f"all of {count(len(head))} bytes are ASCII, which is the same in it", False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError:
        return _single_byte(head)
    if _looks_ebcdic(head):
        return "cp037", "the bytes are EBCDIC's; which of its pages nobody can tell from them", True
    return "utf-8", f"all of {count(len(head))} bytes are", False


def _looks_ebcdic(head: bytes) -> bool:
    """EBCDIC has its blanks at 0x40 and its digits and letters above 0x80."""
    high = sum(byte >= 0x80 for byte in head[:4096])
    return high > len(head[:4096]) / 3 and head[:4096].count(0x40) >= head[:4096].count(0x20)


def _single_byte(head: bytes) -> tuple[str, str, bool]:
    if _looks_ebcdic(head):
        return "cp037", "the bytes are EBCDIC's; which of its pages nobody can tell from them", True
    scores = {name: _words(head, name) for name in _LIKELY}
    best = max(_LIKELY, key=lambda name: scores[name])
    high = sum(byte >= 0x80 for byte in head)
    return best, f"{count(scores[best])} of {count(high)} bytes outside ASCII would be letters; it isn't UTF-8", True


def _words(head: bytes, name: str) -> int:
    """How many bytes outside ASCII are letters between or beside letters."""
    text = head.decode(name, "replace")
    return sum(
        each > "\x7f" and each.isalpha() and (text[max(at - 1, 0)].isalpha() or text[at + 1 : at + 2].isalpha())
        for at, each in enumerate(text)
        if not each.isascii()
    )


def _lines(head: bytes, name: str, whole: bool) -> str:
    text = head.decode(name, "surrogateescape" if whole else "replace")
    if whole:
        return text
    end = max(text.rfind("\n"), text.rfind("\r"), text.rfind("\x85"))
    return text[: end + 1] or text
