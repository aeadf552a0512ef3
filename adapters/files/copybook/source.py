"""The words of a copybook: columns, comments, continuation, literals and the period that ends an entry.

Fixed format is the reference format of ISO/IEC 1989: columns 1–6 sequence number, 7 indicator, 8–72 text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WORD = re.compile(
    r"""\s+|\*>.*|(?P<literal>[XxNnZz]?(?:"(?:[^"]|"")*"|'(?:[^']|'')*'))|(?P<word>[^\s"']+)|(?P<open>["'])"""
)
_LISTING = {"EJECT", "SKIP1", "SKIP2", "SKIP3"}
_FREE = re.compile(r"(>>|\$)\s*(SOURCE|SET\s+SOURCEFORMAT)\b.*FREE", re.IGNORECASE)
_TAB = 8
_AREA_END = 72


class CopybookError(Exception):
    """The copybook can't be understood; `line` is 1-based."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Word:
    """One word, upper-cased, or one literal without its quotes, as written."""

    text: str
    line: int
    literal: bool = False


def entries(source: str, *, free: bool = False) -> Iterator[list[Word]]:
    """The entries of a copybook, each the words up to its period; raises `CopybookError`."""
    entry: list[Word] = []
    for text, line in _logical_lines(source, free=free):
        for word, ends in _words(text, line):
            if word is not None:
                entry.append(word)
            if ends and entry:
                yield entry
                entry = []
    if entry:
        raise CopybookError(f"the entry that starts with '{entry[0].text}' has no period at its end", entry[0].line)


def _logical_lines(source: str, *, free: bool) -> Iterator[tuple[str, int]]:
    """Lines of program text with their numbers; continuation lines are joined to the line that they continue."""
    pending: tuple[str, int] | None = None
    for number, raw in enumerate(source.splitlines(), start=1):
        if _FREE.search(raw):
            free = True
            continue
        indicator, text = (" ", raw) if free else _columns(raw)
        if indicator in "*/Dd$" or text.strip().upper().rstrip(".") in _LISTING or text.lstrip().startswith(">>"):
            continue
        if indicator == "-" and pending is not None:
            pending = (_continued(pending[0], text, number), pending[1])
            continue
        if pending is not None:
            yield pending
        pending = (text, number)
    if pending is not None:
        yield pending


def _columns(raw: str) -> tuple[str, str]:
    line = raw.rstrip("\r\n\x1a").expandtabs(_TAB)
    indicator = line[6:7] or " "
    return indicator, line[7:_AREA_END]


def _continued(before: str, text: str, number: int) -> str:
    quote = _open_quote(before)
    if quote is None:
        return before.rstrip() + text.lstrip()
    start = text.find(quote)
    if start < 0:
        raise CopybookError("a continued literal must go on with its quote", number)
    # An open literal holds every column up to 72, spaces included.
    return before.ljust(_AREA_END - 7) + text[start + 1 :]


def _open_quote(text: str) -> str | None:
    quote = None
    for character in text:
        if quote is None and character in "\"'":
            quote = character
        elif character == quote:
            quote = None
    return quote


def _words(text: str, line: int) -> Iterator[tuple[Word | None, bool]]:
    for match in _WORD.finditer(text):
        if match["open"]:
            raise CopybookError("a literal isn't closed on its line", line)
        if match["literal"]:
            yield _literal(match["literal"], line), False
        elif match["word"]:
            word = match["word"]
            ends = word.endswith(".")
            # A comma or semicolon that ends a word is only punctuation.
            word = (word[:-1] if ends else word).rstrip(",;")
            yield (Word(word.upper(), line) if word else None), ends


def _literal(text: str, line: int) -> Word:
    hexadecimal = text[0] in "Xx"
    body = text if text[0] in "\"'" else text[1:]
    quote = body[0]
    value = body[1:-1].replace(quote * 2, quote)
    if hexadecimal:
        try:
            value = bytes.fromhex(value).decode("latin-1")
        except ValueError:
            raise CopybookError(f"X'{value}' isn't hexadecimal", line) from None
    return Word(value, line, literal=True)
