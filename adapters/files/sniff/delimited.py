"""CSV, TSV and their kin: encoding, dialect, header, types and keys."""

from __future__ import annotations

from typing import Any, BinaryIO

from adapters.files.sniff.assemble import assembled, places_of
from adapters.files.sniff.dialect import Dialect, dialect, has_header
from adapters.files.sniff.encodings import HEAD, Encoded, encoded
from adapters.files.sniff.found import CantTell, Said, Sniffed
from adapters.files.sniff.sample import size_of

_WIDEST = 2_000


def delimited(file: BinaryIO, name: str, code_page: str | None = None, delimiter: str | None = None) -> Sniffed:
    """What a delimited file is; raises `CantTell`."""
    text = head_of(file, code_page)
    found = dialect(text.text, delimiter) or _one_column(text.text)
    return as_delimited(file, name, text, found)


def as_delimited(file: BinaryIO, name: str, text: Encoded, found: Dialect) -> Sniffed:
    """The same, its encoding and dialect known; raises `CantTell`."""
    width = max(map(len, found.rows), default=0)
    if not 0 < width <= _WIDEST:
        raise CantTell(f"{name} has {width} columns; from 1 to {_WIDEST:,} can be imported")
    header = has_header(found.rows)
    names = [field.strip() for field in found.rows[0]] if header else []
    options: dict[str, Any] = {**found.options, **({} if header else {"header": False})}
    places = places_of(names or [""] * width)
    said = [text.said, *found.said, header or _headless()]
    dataset = {"format": "csv", "options": options} | ({} if text.name == "utf-8" else {"code_page": text.name})
    point = "." if found.options["delimiter"] == "," else None
    return assembled(file, name, dataset, places, said, point)


def head_of(file: BinaryIO, code_page: str | None) -> Encoded:
    """The beginning of a text file; raises `CantTell`."""
    size = size_of(file)
    file.seek(0)
    head = file.read(HEAD)
    if not head.strip():
        raise CantTell("the file is empty: nothing can be told of its columns")
    try:
        text = encoded(head, len(head) >= size, code_page)
    except LookupError:
        raise CantTell(f"code page '{code_page}' isn't known here; name one such as utf-8, cp1252 or cp037") from None
    if text.text.count("\0") > len(text.text) / 100:
        raise CantTell("the file isn't text: name its format")
    return text


def _one_column(text: str) -> Dialect:
    rows = [[line] for line in text.splitlines()[:300] if line.strip()]
    sentence = "no character parts the lines into the same number of fields: the file has one column"
    return Dialect({"delimiter": ","}, rows, [Said("delimiter", sentence, True)], 1.0)


def _headless() -> Said:
    return Said("header", "none: the first record holds values as the others do; name the columns", True)
