"""The words of a copybook: columns, comments, continuation, literals and the period that ends an entry.

Fixed format is the reference format of ISO/IEC 1989: columns 1–6 sequence number, 7 indicator, 8–72 text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_WORD = re.compile(
    r"""\s+|\*>.*|(?P<literal>[XxNnZz]?(?:"(?:[^"]|"")*"|'(?:[^']|'')*'))|(?P<word>[^\s"']+)|(?P<open>["'])"""
)
_LISTING = {"EJECT", "SKIP1", "SKIP2", "SKIP3"}
_FREE = re.compile(r"(>>|\$)\s*(SOURCE|SET\s+SOURCEFORMAT)\b.*FREE", re.IGNORECASE)
_TAB = 8
_DIGITS = 12
LITERAL = "\0"
"""What stands for a literal where words are told apart."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where program text stands: free, or behind `first` columns of sequence number and up to column `last`.

    `last` None: to the end of the line.
    """

    first: int = 6
    last: int | None = 72
    free: bool = False


class Line(int):
    """The line of a COPY statement, from which a line of another copybook came."""

    inside = ""

    @classmethod
    def of(cls, line: int, name: str, inner: int) -> Line:
        """Line `inner` of copybook `name`, which line `line` copies."""
        made = cls(line)
        deeper = f", {inner.inside}" if isinstance(inner, Line) else ""
        made.inside = f"in {name}, line {int(inner)}{deeper}"
        return made


class Fault(Exception):
    """One thing wrong in a copybook; `line` is 1-based."""

    def __init__(self, message: str, line: int) -> None:
        self.message = f"{message} ({line.inside})" if isinstance(line, Line) else message
        super().__init__(self.message)
        self.line = int(line)


class CopybookError(Exception):
    """The copybook can't be understood; holds every fault found, by line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))


@dataclass(frozen=True, slots=True)
class Word:
    """One word, upper-cased, or one literal without its quotes, as written. `written`: the word as it was written."""

    text: str
    line: int
    literal: bool = False
    written: str = ""


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
        return None if word is None else LITERAL if word.literal else word.text

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
        if not (word.text.isascii() and word.text.isdigit() and len(word.text) <= _DIGITS):
            raise Fault(f"{what} must be a whole number, not '{word.text[:40]}'", word.line)
        return int(word.text)


def entries(lines: Iterable[tuple[str, int]], faults: list[Fault]) -> Iterator[list[Word]]:
    """The entries of a copybook's logical lines, each the words up to its period. After a fault the entry goes on as
    if it were mended, so that one mistake isn't told twice."""
    entry: list[Word] = []
    for text, line in lines:
        for word, ends in _words(text, line, faults):
            if word is not None:
                entry.append(word)
            if ends and entry:
                yield entry
                entry = []
    if entry:
        faults.append(Fault(f"the entry that starts with '{entry[0].text}' has no period at its end", entry[0].line))
        yield entry


def logical_lines(source: str, faults: list[Fault], columns: Columns) -> Iterator[tuple[str, int]]:
    """Lines of program text with their numbers; continuation lines are joined to the line that they continue."""
    pending: tuple[str, int] | None = None
    free = columns.free
    for number, raw in enumerate(source.replace("\xa0", " ").splitlines(), start=1):
        if _FREE.search(raw):
            free = True
            continue
        indicator, text = (" ", raw) if free else _columns(raw, columns)
        if _says_nothing(indicator, text) or ((free or columns.first < 0) and text.startswith("*")):
            continue
        if indicator == "-" and pending is not None:
            pending = (_continued(pending[0], text, number, faults, columns), pending[1])
            continue
        if pending is not None:
            yield pending
        pending = (text, number)
    if pending is not None:
        yield pending


def _says_nothing(indicator: str, text: str) -> bool:
    start = text.lstrip()
    return indicator in "*/D$" or start.startswith(">>") or text.strip().upper().rstrip(".") in _LISTING


def _columns(raw: str, columns: Columns) -> tuple[str, str]:
    """(indicator, text). What stands in the indicator's column and is no indicator belongs to the text."""
    line = raw.rstrip("\r\n\x1a").expandtabs(_TAB)
    indicator, text = line[columns.first : columns.first + 1] or " ", line[columns.first + 1 : columns.last]
    if indicator in " *-/$":
        return indicator, text
    if indicator in "Dd" and not text[:1].strip():
        return "D", text
    return " ", indicator + text


def _continued(before: str, text: str, number: int, faults: list[Fault], columns: Columns) -> str:
    quote = _open_quote(before)
    if quote is None:
        return before.rstrip() + text.lstrip()
    start = text.find(quote)
    if start < 0:
        faults.append(Fault("a continued literal must go on with its quote", number))
        return f"{before}{quote} ."
    # An open literal holds every column up to the last, spaces included.
    width = 0 if columns.last is None else columns.last - columns.first - 1
    return before.ljust(width) + text[start + 1 :]


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
            yield (Word(word.upper(), line, written=word) if word else None), ends


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
