"""Workbooks: each sheet's table, found below titles and under one header row or several, with its types and keys."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO, NamedTuple
from zipfile import ZipFile

from adapters.files.excel_format import Sheet
from adapters.files.options import ExcelOptions
from adapters.files.sniff.assemble import Place, assembled, places_of
from adapters.files.sniff.found import CantTell, Said, Sniffed, count
from adapters.files.sniff.sample import size_of
from adapters.files.undecodable import Undecodable
from adapters.files.xlsx import Cell, Merged, Workbook

_LOOKED = 60
_HEADERS = 10
_WIDEST = 2_000
_FREE, _RATIO = 64 * 1024 * 1024, 200
_EPOCHS = ("1899-12-30", "1904-01-01")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_CLOCK = re.compile(rf"{_DAY.pattern}T\d\d:\d\d:\d\d\.\d{{3}}")


class Table(NamedTuple):
    """Where a sheet's table begins (row, column, from 1), and how many rows name its columns."""

    top: int
    left: int
    right: int
    header: int


def sheets(file: BinaryIO) -> list[str]:
    """The names of a workbook's sheets; raises `CantTell`."""
    try:
        names = Workbook(file).names
        _no_bomb(file)
        return names
    except Undecodable as error:
        raise CantTell(str(error)) from error


def _no_bomb(file: BinaryIO) -> None:
    """Merged cells stand at a sheet's end, so that all of it would be unpacked; raises `CantTell`."""
    with ZipFile(file) as archive:
        unpacked = sum(each.file_size for each in archive.infolist())
    if unpacked > _FREE and unpacked > _RATIO * size_of(file):
        raise CantTell(f"the workbook unpacks to more than {_RATIO} times its size")


def excel(file: BinaryIO, name: str, sheet: str) -> Sniffed:
    """What one sheet holds; raises `CantTell`."""
    try:
        found, merged = _table(file, sheet)
        options: dict[str, Any] = {"sheet": sheet}
        if (found.top, found.left) != (1, 1):
            options["range"] = f"{_letters(found.left)}{found.top}"
        if found.header != 1:
            options["header"] = found.header
        places = _places(file, options, found)
    except Undecodable as error:
        raise CantTell(str(error)) from error
    said = _said(sheet, found, merged)
    return assembled(file, name, {"format": "excel", "options": options}, places, said, prepared=_moments)


def _moments(texts: list[str]) -> list[str]:
    """Cells that are moments alike: a time alone without its day, days among them with a clock."""
    given = [text for text in texts if text]
    if given and all(text.startswith(_EPOCHS) and "T" in text for text in given):
        return [text.partition("T")[2] for text in texts]
    clocks = sum(_CLOCK.fullmatch(text) is not None for text in given)
    if clocks and clocks < len(given):
        return [f"{text}T00:00:00.000" if _DAY.fullmatch(text) else text for text in texts]
    return texts


def _places(file: BinaryIO, options: Mapping[str, Any], found: Table) -> list[Place]:
    if not found.header:
        return [Place("", {"from": at}) for at in range(1, found.right - found.left + 2)]
    header = Sheet(file, ExcelOptions.model_validate(options)).header
    if len(header) > _WIDEST:
        raise CantTell(f"the sheet has {count(len(header))} columns; at most {count(_WIDEST)} can be imported")
    return places_of(header)


def _table(file: BinaryIO, sheet: str) -> tuple[Table, int]:
    book = Workbook(file)
    part = book.sheet(sheet)
    rows = dict(islice(book.rows(part), _LOOKED))
    merged = book.merged(part)
    if not rows:
        raise CantTell("the sheet is empty")
    spans = {number: _filled(number, cells, merged) for number, cells in rows.items()}
    usual = Counter(map(len, spans.values())).most_common(1)[0][0]
    top = next(number for number, places in spans.items() if len(places) >= max(1, usual * 0.6))
    left, right = min(spans[top]), max(max(places) for number, places in spans.items() if number >= top and places)
    header = _header_rows(rows, spans, merged, top)
    return Table(top, left, right, header), sum(top <= each.top < top + header for each in merged)


def _filled(number: int, cells: Mapping[int, Cell], merged: Sequence[Merged]) -> frozenset[int]:
    """The columns that a row fills; a title that is merged over all of them fills one."""
    wide = [each for each in merged if each.top <= number <= each.bottom and each.right > each.left]
    if len(cells) == 1 and len(wide) < 2:
        return frozenset(cells)
    return frozenset(cells) | {at for each in wide for at in range(each.left, min(each.right, each.left + _WIDEST) + 1)}


def _header_rows(
    rows: Mapping[int, Mapping[int, Cell]], spans: Mapping[int, frozenset[int]], merged: Sequence[Merged], top: int
) -> int:
    """Rows of names: the first, and the next while one holds cells that are merged over several columns."""
    if not _names(rows[top]):
        return 0
    number = top
    while number - top < _HEADERS - 1:
        over = [each for each in merged if each.top <= number <= each.bottom]
        deeper = max([number, *(each.bottom for each in over)])
        if deeper == number and any(each.right > each.left for each in over):
            deeper = number + 1
        if deeper == number or not _names(rows.get(deeper, {})):
            break
        number = deeper
    below = [cells for at, cells in rows.items() if at > number]
    return number - top + 1 if below else 0


def _names(cells: Mapping[int, Cell]) -> bool:
    return all(isinstance(cell, str) and cell.strip() for cell in cells.values())


def _said(sheet: str, found: Table, merged: int) -> list[Said]:
    place = f"{_letters(found.left)}{found.top}"
    said = [Said("sheet", f"{sheet!r}: its table begins at {place}")]
    if not found.header:
        said.append(Said("header", "none: the first row holds values as the others do; name the columns", True))
    elif found.header == 1:
        said.append(Said("header", "the first row of the table holds nothing but texts"))
    else:
        said.append(
            Said("header", f"{found.header} rows, as {count(merged)} merged cells show; their names are joined")
        )
    return said


def _letters(column: int) -> str:
    """1 → A, 27 → AA."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
