"""COPY … REPLACING: the text of other copybooks in the place of the statement that copies them.

ISO/IEC 1989, COPY statement. Replaced are whole words; tags such as `:PREFIX:` also inside of words, as compilers do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from adapters.files.copybook.source import Columns, Fault, Line, logical_lines

Copies: TypeAlias = Callable[[str], str | None]
"""The source of the copybook of that name, None when there is none."""

_DEPTH = 8
_LINES = 200_000
_STATEMENT_LINES = 500
_STATEMENT = re.compile(r"(?:^|(?<=\.))\s*COPY\s+", re.IGNORECASE)
_NAME = re.compile(r"""\s*(["']?)([A-Za-z0-9#@$_][\w#@$.-]*)\1(?=\s|$)""")
_PART = re.compile(r"""==(?P<pseudo>.*?)==|(?P<literal>"(?:[^"]|"")*"|'(?:[^']|'')*')|(?P<word>[^\s"']+)""", re.DOTALL)
_END = re.compile(r"""(?:(?>==.*?==)|"[^"]*"|'[^']*'|[^=."']|=(?!=)|\.(?!\s|$))*+\.(?=\s|$)""", re.DOTALL)


@dataclass(slots=True)
class Copying:
    """What one copybook's expansion remembers: where others come from, and how much they may add."""

    copies: Copies | None
    columns: Columns
    faults: list[Fault]
    left: int = _LINES
    failed: list[int] = field(default_factory=list)
    """The lines at which something couldn't be copied, so that what it would have declared is missing."""

    def expanded(self, source: str, names: tuple[str, ...] = ()) -> Iterator[tuple[str, int]]:
        """The logical lines of a source, COPY statements replaced. Names are those of the copybooks around it."""
        lines = iter(logical_lines(source, self.faults, self.columns))
        for text, number in lines:
            match = _STATEMENT.search(text)
            if match is None:
                yield text, number
                continue
            yield text[: match.start()], number
            statement, rest = self._statement(text[match.end() :], lines, number)
            yield from self._copied(statement, number, names)
            yield rest, number

    def _statement(self, text: str, lines: Iterable[tuple[str, int]], number: int) -> tuple[str, str]:
        """The statement up to its period, and what stands behind it."""
        for _ in range(_STATEMENT_LINES):
            end = _END.match(text)
            if end is not None:
                return text[: end.end() - 1], text[end.end() :]
            following = next(iter(lines), None)
            if following is None:
                break
            text = f"{text}\n{following[0]}"
        self._fail("COPY has no period at its end", number)
        return "", ""

    def _fail(self, sentence: str, number: int) -> None:
        self.failed.append(number)
        self.faults.append(Fault(sentence, number))

    def _copied(self, statement: str, number: int, names: tuple[str, ...]) -> Iterator[tuple[str, int]]:
        if not statement:
            return
        try:
            name, replacing = _parsed(statement)
            source = self._source(name, names)
        except ValueError as error:
            self._fail(str(error), number)
            return
        before = len(self.faults)
        for text, inner in self.expanded(source, (*names, name)):
            self.left -= 1
            if self.left < 0:
                self._fail(f"COPY {name}: more than {_LINES} lines are copied", number)
                return
            for pattern, replacement in replacing:
                text = pattern.sub(replacement, text)
            yield text, Line.of(number, name, inner)
        # Faults of the copied lines themselves are told at the line that copies them.
        self.faults[before:] = [_told(fault, number, name) for fault in self.faults[before:]]

    def _source(self, name: str, names: tuple[str, ...]) -> str:
        if name in names or len(names) >= _DEPTH:
            raise ValueError(f"COPY {name}: copybooks copy each other in a circle, or more than {_DEPTH} deep")
        source = self.copies(name) if self.copies is not None else None
        if source is None:
            raise ValueError(f"COPY {name}: there is no such copybook beside this one")
        return source


def _told(fault: Fault, number: int, name: str) -> Fault:
    return Fault(fault.message, Line.of(number, name, fault.line))


def _parsed(statement: str) -> tuple[str, list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]]:
    """(name, replacements); raises `ValueError` with a sentence."""
    match = _NAME.match(statement)
    if match is None:
        raise ValueError("COPY must be followed by the copybook's name")
    parts = [_part(each) for each in _PART.finditer(statement, match.end())]
    if [word.upper() for word, _ in parts[:1]] in (["OF"], ["IN"]):
        parts = parts[2:]
    if parts and parts[0][0].upper() == "SUPPRESS":
        parts = parts[1:]
    if not parts:
        return match[2], []
    if parts[0][0].upper() != "REPLACING":
        raise ValueError(f"COPY {match[2]}: '{parts[0][0]}' isn't expected here; REPLACING or a period is")
    return match[2], list(_replacements(parts[1:], match[2]))


def _part(match: re.Match[str]) -> tuple[str, bool]:
    pseudo = match["pseudo"]
    return (" ".join(pseudo.split()), True) if pseudo is not None else (match[0], False)


def _replacements(
    parts: list[tuple[str, bool]], name: str
) -> Iterator[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
    while parts:
        kind = parts[0][0].upper()
        partial = kind if kind in ("LEADING", "TRAILING") and not parts[0][1] else ""
        parts = parts[1:] if partial else parts
        if len(parts) < 3 or parts[1][0].upper() != "BY" or not parts[0][0]:
            raise ValueError(f"COPY {name}: REPLACING must say what BY what")
        wanted, replacement = parts[0][0], parts[2][0]
        yield _pattern(wanted, partial), _always(replacement)
        parts = parts[3:]


def _always(text: str) -> Callable[[re.Match[str]], str]:
    return lambda match: text


def _pattern(wanted: str, partial: str) -> re.Pattern[str]:
    """Whole words, however far apart. A tag's colon ends a word by itself."""
    body = r"\s+".join(re.escape(word) for word in wanted.split())
    before = "" if partial == "TRAILING" or not _in_word(wanted[0]) else r"(?<![\w-])"
    after = "" if partial == "LEADING" or not _in_word(wanted[-1]) else r"(?![\w-])"
    if partial == "LEADING":
        after = r"(?=[\w-])"
    if partial == "TRAILING":
        before = r"(?<=[\w-])"
    return re.compile(before + body + after, re.IGNORECASE)


def _in_word(character: str) -> bool:
    return character.isalnum() or character in "-_"
