"""The words of a copybook: columns, comments, continuation, literals and the period that ends an entry.

Fixed format is the reference format of ISO/IEC 1989: columns 1–6 sequence number, 7 indicator, 8–72 text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_WORD = re.compile(
    r"""\s+|\*>.*|(?P<literal>[XxNnZz]?(?:"(?:[^"]|"")*"|'(?:[^']|'')*'))|(?P<word>[^\s"']+)|(?P<open>["'])"""
)
_LISTING = {"EJECT", "SKIP1", "SKIP2", "SKIP3"}
_FREE = re.compile(r"(>>|\$)\s*(SOURCE|SET\s+SOURCEFORMAT)\b.*FREE", re.IGNORECASE)
_TAB = 8
_AREA_END = 72


class Fault(Exception):
    """One thing wrong in a copybook; `line` is 1-based."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class CopybookError(Exception):
    """The copybook can't be understood; holds every fault found, by line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))


@dataclass(frozen=True, slots=True)
class Word:
    """One word, upper-cased, or one literal without its quotes, as written."""

    text: str
    line: int
    literal: bool = False


class Words:
    """A cursor over the words of one entry."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words
        self._at = 0

    @property
    def line(self) -> int:
        return self._words[min(self._at, len(self._words) - 1)].line

    def peek(self) -> str | None:
        word = self._words[self._at] if self._at < len(self._words) else None
        return None if word is None else "\0" if word.literal else word.text

    def rest(self) -> Sequence[Word]:
        """The words that aren't taken yet."""
        return self._words[self._at :]

    def take(self, what: str) -> Word:
        if self._at >= len(self._words):
            raise Fault(f"{what} is missing at the end of the entry", self.line)
        self._at += 1
        return self._words[self._at - 1]

    def accept(self, *texts: str) -> bool:
        if self.peek() in texts:
            self._at += 1
            return True
        return False

    def integer(self, what: str) -> int:
        word = self.take(what)
        if not (word.text.isascii() and word.text.isdigit()):
            raise Fault(f"{what} must be a whole number, not '{word.text}'", word.line)
        return int(word.text)


def entries(source: str, faults: list[Fault], *, free: bool = False) -> Iterator[list[Word]]:
    """The entries of a copybook, each the words up to its period. After a fault the entry goes on as if it were
    mended, so that one mistake isn't told twice."""
    entry: list[Word] = []
    for text, line in _logical_lines(source, faults, free=free):
        for word, ends in _words(text, line, faults):
            if word is not None:
                entry.append(word)
            if ends and entry:
                yield entry
                entry = []
    if entry:
        faults.append(Fault(f"the entry that starts with '{entry[0].text}' has no period at its end", entry[0].line))
        yield entry


def _logical_lines(source: str, faults: list[Fault], *, free: bool) -> Iterator[tuple[str, int]]:
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
            pending = (_continued(pending[0], text, number, faults), pending[1])
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


def _continued(before: str, text: str, number: int, faults: list[Fault]) -> str:
    quote = _open_quote(before)
    if quote is None:
        return before.rstrip() + text.lstrip()
    start = text.find(quote)
    if start < 0:
        faults.append(Fault("a continued literal must go on with its quote", number))
        return f"{before}{quote} ."
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


def _words(text: str, line: int, faults: list[Fault]) -> Iterator[tuple[Word | None, bool]]:
    for match in _WORD.finditer(text):
        if match["open"]:
            faults.append(Fault("a literal isn't closed on its line: close it, or go on in a continuation line", line))
            yield Word("", line, literal=True), True
            return
        if match["literal"]:
            yield _literal(match["literal"], line, faults), False
        elif match["word"]:
            word = match["word"]
            ends = word.endswith(".")
            # A comma or semicolon that ends a word is only punctuation.
            word = (word[:-1] if ends else word).rstrip(",;")
            yield (Word(word.upper(), line) if word else None), ends


def _literal(text: str, line: int, faults: list[Fault]) -> Word:
    hexadecimal = text[0] in "Xx"
    body = text if text[0] in "\"'" else text[1:]
    quote = body[0]
    value = body[1:-1].replace(quote * 2, quote)
    if hexadecimal:
        try:
            value = bytes.fromhex(value).decode("latin-1")
        except ValueError:
            faults.append(Fault(f"X'{value}' isn't hexadecimal", line))
    return Word(value, line, literal=True)
