"""Office Open XML workbooks (ECMA-376): a sheet's cells, row by row, with the values that the workbook caches.

A reader of our own, because error cells must be told from empty ones, and a sheet of two cells at its far corners must
take no memory for what is between them.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple, TypeAlias

from lxml import etree

from adapters.files.undecodable import Undecodable

MOST_TEXT = 256 * 1024 * 1024
"""Characters of the texts that a workbook's cells share."""

LARGEST_PART = 4 * 1024**3

BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, IndexError, OverflowError)
"""What the zip module raises for archives that are none, or whose offsets lead out of the file."""

_MOST_SHARED = 10_000_000
_CELL = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]')
_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_ELAPSED = 46
_WORKBOOK = "xl/workbook.xml"


class Fault(NamedTuple):
    """A cell that holds an error, such as `#DIV/0!`, or what can't be told."""

    reason: str


Cell: TypeAlias = str | float | bool | datetime | Fault
"""A datetime is of a cell that is formatted as date or time; a time alone is on day 0, 1899-12-30 or 1904-01-01."""


class Merged(NamedTuple):
    """Merged cells, first and last row and column included, all from 1."""

    top: int
    left: int
    bottom: int
    right: int


class Workbook:
    """An open workbook; every method raises `Undecodable` where it isn't one."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            self._archive = zipfile.ZipFile(file)
        except (*BROKEN_ZIP, NotImplementedError):
            raise Undecodable("the file isn't an Excel workbook (.xlsx); save it as one") from None
        self.epoch = datetime(1899, 12, 30)
        self._sheets: dict[str, str] = {}
        self._read_workbook()
        self._dates = self._styles() if self._has("xl/styles.xml") else ()
        self._shared = list(self._strings()) if self._has("xl/sharedStrings.xml") else []

    @property
    def names(self) -> list[str]:
        """The sheets' names, in order."""
        return list(self._sheets)

    def sheet(self, wanted: str | int) -> str:
        """The sheet's part, by its name or place."""
        if isinstance(wanted, int):
            if not 1 <= wanted <= len(self.names):
                raise Undecodable(f"the workbook has {len(self.names)} sheets, not {wanted}")
            return self._sheets[self.names[wanted - 1]]
        if wanted not in self._sheets:
            raise Undecodable(f"the workbook has no sheet {wanted}")
        return self._sheets[wanted]

    def merged(self, part: str) -> list[Merged]:
        """The sheet's merged cells."""
        found = []
        for element in self._elements(part, "mergeCell", "row"):
            first, _, last = element.get("ref", "").partition(":")
            if etree.QName(element).localname == "mergeCell" and last:
                (top, left), (bottom, right) = place(first), place(last)
                found.append(Merged(top, left, bottom, right))
        return found

    def rows(self, part: str) -> Iterator[tuple[int, dict[int, Cell]]]:
        """(row, cells by column), both from 1; empty cells and rows are left out."""
        last = 0
        for row in self._elements(part, "row"):
            number = _count(row.get("r"), last + 1)
            if number <= last:
                raise Undecodable(f"row {number} stands behind row {last}")
            last = number
            cells: dict[int, Cell] = {}
            column = 0
            for cell in row:
                column = place(cell.get("r", ""))[1] if cell.get("r") else column + 1
                value = self._value(cell)
                if value is not None:
                    cells[column] = value
            yield number, cells

    def _value(self, cell: etree._Element) -> Cell | None:
        kind = cell.get("t", "n")
        parts = {etree.QName(child).localname: child for child in cell}
        if kind == "inlineStr":
            return _string(parts["is"]) if "is" in parts else None
        text = (parts["v"].text or "") if "v" in parts else ""
        if kind == "str":
            return _unescaped(text)
        if not text:
            return Fault("has a formula without a value; save the workbook in Excel once") if "f" in parts else None
        try:
            return self._typed(kind, text, int(cell.get("s", "0")))
        except (ValueError, IndexError, OverflowError):
            return Fault("can't be read")

    def _typed(self, kind: str, text: str, style: int) -> Cell:
        if kind == "s":
            return self._shared[int(text)]
        if kind == "b":
            return text == "1"
        if kind == "e":
            return Fault(f"holds the error {text[:20]}")
        if kind == "d":
            return datetime.fromisoformat(text).replace(tzinfo=None)
        number = float(text)
        if number in (float("inf"), float("-inf")) or number != number:
            return Fault("is no number")
        if style < len(self._dates) and self._dates[style]:
            return self._moment(number)
        return number

    def _moment(self, serial: float) -> Cell:
        days = timedelta(milliseconds=round(serial * 86_400_000))
        if serial < 0:
            return Fault("is a date before Excel's first")
        if self.epoch.year == 1899 and 1 <= serial < 61:
            if serial >= 60:
                return Fault("is 29 February 1900, which never was")
            days += timedelta(days=1)  # the missing day, as Lotus 1-2-3 had it
        return self.epoch + days

    def _read_workbook(self) -> None:
        targets = {}
        for element in self._elements("xl/_rels/workbook.xml.rels", "Relationship"):
            target = element.get("Target", "")
            targets[element.get("Id", "")] = target[1:] if target.startswith("/") else str(PurePosixPath("xl") / target)
        for element in self._elements(_WORKBOOK, "sheet", "workbookPr"):
            if etree.QName(element).localname == "workbookPr":
                if element.get("date1904") in ("1", "true"):
                    self.epoch = datetime(1904, 1, 1)
                continue
            link = next((str(value) for name, value in element.attrib.items() if str(name).endswith("}id")), "")
            self._sheets[element.get("name", "")] = targets.get(link, "")

    def _styles(self) -> tuple[bool, ...]:
        """Of each cell style: does it show a date or a time?"""
        codes: dict[int, bool] = {}
        found: list[bool] = []
        for element in self._elements("xl/styles.xml", "numFmt", "cellXfs"):
            if etree.QName(element).localname == "numFmt":
                codes[_count(element.get("numFmtId"), 0)] = _shows_date(element.get("formatCode", ""))
                continue
            for style in element:
                number = _count(style.get("numFmtId"), 0)
                found.append(codes.get(number, number in _DATES and number != _ELAPSED))
        return tuple(found)

    def _strings(self) -> Iterator[str]:
        length = 0
        for number, element in enumerate(self._elements("xl/sharedStrings.xml", "si")):
            text = _string(element)
            length += len(text)
            if length > MOST_TEXT or number >= _MOST_SHARED:
                raise Undecodable(f"its texts are longer than {MOST_TEXT} characters")
            yield text

    def _has(self, part: str) -> bool:
        return part in self._archive.namelist()

    def _elements(self, part: str, *names: str) -> Iterator[etree._Element]:
        """The elements of those names, in any namespace; each is gone when the next is asked for."""
        try:
            if self._archive.getinfo(part).file_size > LARGEST_PART:
                raise Undecodable(f"{part} is larger than {LARGEST_PART} bytes")
            with self._archive.open(part) as source:
                parsed = etree.iterparse(
                    source, ("end",), tag=[f"{{*}}{name}" for name in names], resolve_entities=False, no_network=True,
                    load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
                )  # fmt: skip
                for _, element in parsed:
                    if element.getroottree().docinfo.doctype:
                        raise Undecodable(f"{part} has a DTD")
                    yield element
                    _forget(element)
        except KeyError:
            raise Undecodable("the file isn't an Excel workbook (.xlsx); save it as one") from None
        except (etree.XMLSyntaxError, *BROKEN_ZIP, RuntimeError):
            raise Undecodable(f"{part} is damaged, or protected by a password") from None


def place(reference: str) -> tuple[int, int]:
    """(row, column) of `B3`, from 1; raises `Undecodable`."""
    match = _CELL.fullmatch(reference)
    if match is None:
        raise Undecodable("a cell has no place such as B3")
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    return int(match[2]), column


def _forget(element: etree._Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _count(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Undecodable("a number in the workbook isn't one")
    return int(text)


def _string(element: etree._Element) -> str:
    """A text with its runs, without the reading aids."""
    texts = []
    for child in element:
        name = etree.QName(child).localname
        if name == "t":
            texts.append(child.text or "")
        elif name == "r":
            texts += [each.text or "" for each in child if etree.QName(each).localname == "t"]
    return _unescaped("".join(texts))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


def _shows_date(code: str) -> bool:
    plain = _LITERAL.sub("", code.partition(";")[0])
    return "[" not in plain and any(letter in "ymdhs" for letter in plain.lower())
