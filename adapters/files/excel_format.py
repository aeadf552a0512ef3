"""Format `excel`: the rows of a sheet, their names from one header row or several."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import BinaryIO

from adapters.contract import Json
from adapters.files.columns import Column, plain, spelt, typed, with_nulls
from adapters.files.copy import CopiedRecords, Placed
from adapters.files.csv_format import located
from adapters.files.formats import Bad, FieldType, Record
from adapters.files.options import ExcelOptions
from adapters.files.read_only import ReadOnlyColumns
from adapters.files.undecodable import Undecodable
from adapters.files.xlsx import Cell, Fault, Merged, Workbook, place

_RANGE = re.compile(r"([A-Z]+)([0-9]+)(?::([A-Z]+)([0-9]+)?)?")
_LAST_ROW, _LAST_COLUMN = 1_048_576, 16_384


class ExcelFormat(ReadOnlyColumns):
    """Workbooks of one shape."""

    def __init__(self, options: ExcelOptions, key: str | None) -> None:
        self._options = options
        self._key = key
        self._columns = None if options.columns is None else with_nulls(options.columns, options.nulls)

    @property
    def fields(self) -> Mapping[str, FieldType] | None:
        return None if self._columns is None else {name: each.field for name, each in self._columns.items()}

    def whole(self, size: int) -> bool:
        return size > 0

    def reader(self, file: BinaryIO, size: int) -> ExcelReader:
        return ExcelReader(self._options, self._columns, Sheet(file, self._options), size, self._key)


class Sheet:
    """The part of a sheet that is asked for, and its header; raises `Undecodable`."""

    def __init__(self, file: BinaryIO, options: ExcelOptions) -> None:
        book = Workbook(file)
        part = book.sheet(options.sheet)
        self._area = _area(options.range)
        self._first = self._area.top + options.header
        self.header = self._names(book, part, options) if options.header else []

    def _names(self, book: Workbook, part: str, options: ExcelOptions) -> list[str]:
        """Of several header rows, the names above each other; a merged one stands above all its columns."""
        area = self._area
        grid: dict[tuple[int, int], str] = {}
        for number, cells in book.rows(part):
            if number >= self._first:
                break
            for column, cell in cells.items():
                if number >= area.top and area.left <= column <= area.right:
                    grid[number, column] = text_of(cell).strip()
        for merged in book.merged(part) if options.header > 1 else ():
            name = grid.get((merged.top, merged.left))
            for row in range(max(merged.top, area.top), min(merged.bottom, self._first - 1) + 1) if name else ():
                for column in range(max(merged.left, area.left), min(merged.right, area.right) + 1):
                    grid[row, column] = name or ""
        names = []
        for column in range(area.left, max((column for _, column in grid), default=0) + 1):
            parts = [grid.get((row, column), "") for row in range(area.top, self._first)]
            kept = [each for at, each in enumerate(parts) if each and each not in parts[:at]]
            names.append(options.separator.join(kept))
        if not any(names):
            raise Undecodable("the sheet has no header there")
        return names

    def rows(self, file: BinaryIO, options: ExcelOptions) -> Iterator[tuple[int, dict[int, Cell]]]:
        """(row of the sheet, cells by column of the area, from 0)."""
        book = Workbook(file)
        left, right = self._area.left, self._area.right
        for number, cells in book.rows(book.sheet(options.sheet)):
            if number > self._area.bottom:
                return
            if number >= self._first:
                found = {column - left: cell for column, cell in cells.items() if left <= column <= right}
                if found:
                    yield number, found


class ExcelReader(CopiedRecords):
    """One workbook."""

    def __init__(
        self,
        options: ExcelOptions,
        columns: Mapping[str, Column] | None,
        sheet: Sheet,
        size: int,
        key: str | None,
    ) -> None:
        super().__init__()
        self._options = options
        self._sheet = sheet
        self._size = size
        self._key = key
        named = [name for name in sheet.header if name]
        if columns is None:
            columns = {name: Column(nulls=options.nulls or None) for name in named}
        header = sheet.header if options.header else list(columns)
        places = located(columns, header, key)
        self.fields: Mapping[str, FieldType] = {name: each.field for name, each in columns.items()}
        self._columns = [(name, places[name], cell_reader(each)) for name, each in columns.items()]

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        return self.copied(self._placed(file), self._size)

    def _placed(self, file: BinaryIO) -> Iterator[Placed]:
        for number, cells in self._sheet.rows(file, self._options):
            try:
                yield Placed(f"row {number}", self._record(cells))
            except Undecodable as error:
                yield Placed(f"row {number}", error, self._key_of(cells))

    def _record(self, cells: Mapping[int, Cell]) -> dict[str, Json]:
        value: dict[str, Json] = {}
        for name, at, read in self._columns:
            try:
                value[name] = read(cells[at]) if at in cells else None
            except ValueError as error:
                raise Undecodable(f"{name} {error}") from None
        return value

    def _key_of(self, cells: Mapping[int, Cell]) -> Json:
        try:
            return next(read(cells[at]) for name, at, read in self._columns if name == self._key)
        except (ValueError, KeyError, StopIteration):
            return None


def cell_reader(column: Column) -> Callable[[Cell], Json]:
    """A function from cells to the column's values; raises `ValueError` with a predicate."""
    read = typed(column)

    def value(cell: Cell) -> Json:
        if isinstance(cell, Fault):
            raise ValueError(cell.reason)
        if isinstance(cell, datetime):
            return _moment(cell, column)
        if column.type == "text":
            return read(text_of(cell))
        if isinstance(cell, bool) or not isinstance(cell, float):
            return read(cell)
        if column.type == "integer" and cell.is_integer():
            return read(int(cell))
        return read(Decimal(repr(cell)).normalize())

    return value


def _moment(cell: datetime, column: Column) -> Json:
    if column.type == "text":
        return text_of(cell)
    if column.type not in ("date", "time", "datetime", "instant"):
        raise ValueError(f"is a date, not of type {column.type}")
    if column.type == "date" and cell.time() != cell.min.time():
        raise ValueError("is a date with a time; declare it as datetime")
    if column.type == "time" and cell.date() not in (datetime(1899, 12, 30).date(), datetime(1904, 1, 1).date()):
        raise ValueError("is a time with a date; declare it as datetime")
    return spelt(cell, column, "milliseconds")


def text_of(cell: Cell) -> str:
    """A cell in a column of texts: a number's digits, a date as ISO 8601."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return plain(Decimal(repr(cell)).normalize())
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == cell.min.time() else cell.isoformat(timespec="milliseconds")
    return cell.reason if isinstance(cell, Fault) else cell


def _area(text: str | None) -> Merged:
    if text is None:
        return Merged(1, 1, _LAST_ROW, _LAST_COLUMN)
    match = _RANGE.fullmatch(text)
    assert match is not None
    top, left = place(match[1] + match[2])
    right = place(match[3] + "1")[1] if match[3] else _LAST_COLUMN
    return Merged(top, left, int(match[4] or _LAST_ROW), right)
