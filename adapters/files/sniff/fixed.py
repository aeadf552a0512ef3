"""Columns of fixed width: parted where every line is blank, or where a ruler of dashes says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any, BinaryIO

from adapters.files.sniff.assemble import Place, assembled
from adapters.files.sniff.delimited import head_of
from adapters.files.sniff.dialect import has_header
from adapters.files.sniff.found import CantTell, Said, Sniffed, count

_LINES = 2_000
_RULER = re.compile(r"\s*[-=]{2,}(?:[\s+|]+[-=]{2,})*[\s+|]*")
_FEW = 10
_MORE = 200
_NUMBER = re.compile(r"[-+]?[\d.,']*\d[\d.,']*[-+]?")


def fixed(file: BinaryIO, name: str, code_page: str | None = None) -> Sniffed:
    """What a file of columns by their places is; raises `CantTell`."""
    text = head_of(file, code_page)
    lines = [line for line in text.text.splitlines() if line.strip()][:_LINES]
    if any("\t" in line for line in lines):
        raise CantTell("the lines hold tabs, so that no column has a fixed place: import it as csv")
    ruler = next((at for at, line in enumerate(lines[:10]) if _RULER.fullmatch(line)), None)
    body = lines if ruler is None else lines[ruler + 1 :]
    spans = _ruled(lines[ruler]) if ruler is not None else gaps(body)
    if not body or not spans:
        raise CantTell("there is no line to tell columns from")
    skip, names, header = _headers(lines, spans, ruler)
    body = lines[skip:]
    spans = widened(spans, body) if ruler is None else spans
    places = [
        Place(each, {"at": start + 1, "width": end - start}) for each, (start, end) in zip(names, spans, strict=True)
    ]
    options: dict[str, Any] = ({"skip": skip} if skip else {}) | (
        {"ragged": True} if any(len(line) < max(end for _, end in spans) for line in body) else {}
    )
    said = [text.said, _said(spans, body, ruler), header]
    dataset = {"format": "fixed", "options": options} | ({} if text.name == "utf-8" else {"code_page": text.name})
    return assembled(file, name, dataset, places, said)


def gaps(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Columns as (first place, place behind the last), from 0: each with the blanks behind it."""
    width = max(map(len, lines), default=0)
    full = bytearray(width)
    for line in lines:
        for at, letter in enumerate(line):
            full[at] |= letter != " "
    runs = [(used, list(each)) for used, each in groupby(range(width), key=lambda at: bool(full[at]))]
    starts = [places[0] for used, places in runs if used]
    ends = [places[-1] + 1 for used, places in runs if used]
    return list(zip(starts, ends, strict=True))


def widened(spans: Sequence[tuple[int, int]], body: Sequence[str]) -> list[tuple[int, int]]:
    """The columns with the blanks between them, where longer values than the sample's will stand.

    Blanks in front of a number that ends at one place are the number's: should they be the text's before it, records
    that fill them can't be decoded, which shows; the other way round a number would lose its first digits unseen.
    """
    cells = [[line[start:end] for line in body if line[start:end].strip()] for start, end in spans]
    right = [
        bool(each) and all(_NUMBER.fullmatch(cell.strip()) and not cell.endswith(" ") for cell in each)
        for each in cells
    ]
    left = [all(not cell.startswith(" ") for cell in each) for each in cells]
    starts = [start for start, _ in spans]
    ends = [end for _, end in spans]
    for at, (start, end) in enumerate(spans):
        if right[at] and not (left[at] and len(cells[at]) > 1):
            starts[at] = spans[at - 1][1] if at else 0
        elif at and left[at - 1] and not (right[at - 1] and not left[at - 1]):
            ends[at - 1] = start
        if at == len(spans) - 1 and len({len(line) for line in body}) > 1 and not right[at]:
            ends[at] = end + _MORE
    return list(zip(starts, ends, strict=True))


def _ruled(line: str) -> list[tuple[int, int]]:
    return [each.span() for each in re.finditer("[-=]+", line)]


def _headers(lines: Sequence[str], spans: Sequence[tuple[int, int]], ruler: int | None) -> tuple[int, list[str], Said]:
    """Lines to skip, the columns' names, and what is said of them."""
    rows = [[line[start:end] for start, end in spans] for line in lines]
    if ruler is not None:
        names = [each.strip() for each in rows[ruler - 1]] if ruler else [""] * len(spans)
        return ruler + 1, names, Said("header", "the line above the ruler names the columns", not ruler)
    found = has_header(rows)
    if found is not None:
        return 1, [each.strip() for each in rows[0]], found
    return (
        0,
        [""] * len(spans),
        Said("header", "none: the first line holds values as the others do; name the columns", True),
    )


def _said(spans: Sequence[tuple[int, int]], body: Sequence[str], ruler: int | None) -> Said:
    shown = ", ".join(f"{start + 1} to {end}" for start, end in spans[:12]) + (" and more" if len(spans) > 12 else "")
    if ruler is not None:
        return Said("columns", f"{shown}: as the ruler of dashes says")
    sentence = f"{shown}: parted where all of {count(len(body))} lines are blank; columns that touch show as one"
    return Said("columns", sentence, len(body) < _FEW)
