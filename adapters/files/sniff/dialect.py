"""The dialect of a delimited text: delimiter, quotes, what stands in front, whether a header names the columns.

Each delimiter is tried with each way of quoting; the one wins under which most records have one number of fields, and
fewest fields look as if they held several.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from adapters.files.sniff.found import Said, count

_DELIMITERS = (",", ";", "\t", "|", ":", "^", "~", "\x1f", " ")
_USUAL = ",;\t|"
_RECORDS = 300
_PREAMBLE = 20
_TABLE = 0.8
_NAME = re.compile(r"[^\W\d][\w .,()/%€$£°#&+*:?!'-]{0,80}")
_VALUE = re.compile(r"[-+]?[\d.,' ]*\d[\d.,' ]*%?|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}.*|(?i:true|false|yes|no|null)")


class Dialect(NamedTuple):
    """`options` of a CSV dataset, the records of the text in it, and what is said of it."""

    options: dict[str, Any]
    rows: list[list[str]]
    said: list[Said]
    share: float
    """How many records have as many fields as most."""


class _Try(NamedTuple):
    options: dict[str, Any]
    rows: list[list[str]]
    width: int
    share: float
    score: float


def dialect(text: str, delimiter: str | None = None) -> Dialect | None:
    """The most likely dialect; None where no delimiter makes a table."""
    comment = _comment(text)
    numbered = [
        (number, line)
        for number, line in enumerate(io.StringIO(text, newline=""))
        if not (comment and line.startswith(comment))
    ]
    lines = [line for _, line in numbered]
    tries = [found for options in _ways(text, delimiter) if (found := _tried(lines, options)) is not None]
    best = max(tries, key=lambda each: each.score, default=None)
    if best is None:
        return None
    front, rows = _without_preamble(lines, best)
    skip = numbered[front][0] if front else 0
    options = dict(best.options) | ({"comment": comment} if comment else {}) | ({"skip": skip} if skip else {})
    same = sum(len(row) == best.width for row in rows)
    if same < len(rows) / 2:
        return None
    shown = {"\t": "a tab", " ": "a space"}.get(options["delimiter"], repr(options["delimiter"]))
    said = [
        Said("delimiter", f"{shown}: {count(same)} of the first {count(len(rows))} records have {best.width} fields")
    ]
    if skip:
        said.append(Said("preamble", f"{skip} lines in front of the table are skipped: they have other fields"))
    fewer = sum(len(row) < best.width for row in rows)
    if fewer and fewer + same == len(rows):
        options["ragged"] = True
        said.append(Said("ragged", f"{count(fewer)} records lack their last fields, which are then null"))
    return Dialect(options, rows, said, same / max(len(rows), 1))


def _comment(text: str) -> str | None:
    first = [line for line in text.splitlines()[:50] if line.strip()]
    marked = sum(line.startswith("#") for line in first)
    # A header that begins with # is a header still, if it is the only such line and has fields as the others.
    return "#" if marked and not (marked == 1 and any(each in first[0] for each in _USUAL)) else None


def _ways(text: str, delimiter: str | None) -> Iterator[dict[str, Any]]:
    given = (delimiter,) if delimiter else tuple(each for each in _DELIMITERS if each in text)
    escaped = re.search(r'\\"', text) is not None
    for each in given:
        yield {"delimiter": each}
        if escaped:
            yield {"delimiter": each, "escapechar": "\\", "doublequote": False}
        if re.search(rf"{re.escape(each)} +\"", text):
            yield {"delimiter": each, "skipinitialspace": True}
        if "'" in text:
            yield {"delimiter": each, "quotechar": "'"}
        if '"' in text:
            yield {"delimiter": each, "quotechar": None}


def parsed(lines: Sequence[str], options: dict[str, Any], most: int) -> list[list[str]]:
    """Records as the csv module tells them; raises `csv.Error`."""
    quote = options.get("quotechar", '"')
    reader = csv.reader(
        lines,
        strict=True,
        delimiter=options["delimiter"],
        quotechar=quote,
        quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
        escapechar=options.get("escapechar"),
        doublequote=options.get("doublequote", True),
        skipinitialspace=options.get("skipinitialspace", False),
    )
    return [row for row in islice(reader, most) if row]


def _tried(lines: Sequence[str], options: dict[str, Any]) -> _Try | None:
    try:
        rows = parsed(lines, options, _RECORDS)
    except csv.Error:
        return None
    widths = Counter(map(len, rows))
    if not widths:
        return None
    width, same = max(widths.items(), key=lambda each: (each[1] * min(each[0], 3), each[0]))
    if width < 2:
        return None
    share = same / len(rows)
    fields = [field for row in rows if len(row) == width for field in row]
    clean = sum(_clean(field, options) for field in fields) / len(fields)
    usual = 1.0 if options["delimiter"] in _USUAL else 0.9
    plain = 1.0 if len(options) == 1 else 0.999
    return _Try(options, rows, width, share, share * clean**2 * usual * plain * (1 - 0.5 / width))


def _clean(field: str, options: dict[str, Any]) -> bool:
    """A field that doesn't look like several: no delimiter in it, and no quotes around it."""
    if any(each in field for each in _USUAL if each != options["delimiter"]) and not _VALUE.fullmatch(field.strip()):
        return False
    quoted = len(field) > 1 and field[0] == field[-1] and field[0] in "\"'"
    return not (quoted or field.startswith(('"', ' "')) or (options["delimiter"] == " " and not field))


def _without_preamble(lines: Sequence[str], best: _Try) -> tuple[int, list[list[str]]]:
    """How many lines stand in front of the table, and its records."""
    rows = best.rows
    if len(rows[0]) == best.width or best.share < _TABLE / 2:
        return 0, rows
    for skip in range(1, min(_PREAMBLE, len(lines))):
        rest = parsed(lines[skip:], best.options, _RECORDS)
        if rest and len(rest[0]) == best.width and lines[skip].strip():
            return skip, rest
    return 0, rows


def has_header(rows: Sequence[Sequence[str]]) -> Said | None:
    """Why the first record names the columns; None: it doesn't."""
    first, rest = [field.strip() for field in rows[0]], rows[1:]
    named = [field for field in first if field]
    if not named or any(_VALUE.fullmatch(field) for field in named):
        return None
    if not rest:
        return Said("header", "the only record looks like names", True)
    valued = sum(_valued(rest, at) for at, field in enumerate(first) if field)
    if valued:
        return Said("header", f"the first record holds names where {count(valued)} columns below hold values")
    recurs = any(
        field and any(at < len(row) and row[at].strip() == field for row in rest) for at, field in enumerate(first)
    )
    if not recurs and len(set(named)) > len(named) / 2 and all(_NAME.fullmatch(field) for field in named):
        return Said("header", "the first record looks like names, none of which comes again below", True)
    return None


def _valued(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Most of the column's fields are numbers, dates or truths."""
    given = [row[at].strip() for row in rows if at < len(row) and row[at].strip()]
    return bool(given) and sum(_VALUE.fullmatch(field) is not None for field in given) > len(given) / 2
