"""A file of any tabular format → its datasets: the format told by the name and the first bytes, or said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO

from adapters.files.sniff.delimited import delimited, head_of
from adapters.files.sniff.dialect import dialect
from adapters.files.sniff.excel import excel, sheets
from adapters.files.sniff.fixed import fixed, gaps
from adapters.files.sniff.found import CantTell, Sniffed
from adapters.files.sniff.names import json_name, json_names
from adapters.files.sniff.typed import dbf, json_lines, parquet

FORMATS = ("csv", "fixed", "excel", "dbf", "json_lines", "parquet")

_SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".psv": "csv", ".xlsx": "excel", ".xlsm": "excel", ".dbf": "dbf",
    ".jsonl": "json_lines", ".ndjson": "json_lines", ".jsonlines": "json_lines", ".parquet": "parquet",
}  # fmt: skip
_TABLE = 0.9


def sniffed(
    file: BinaryIO, filename: str, format: str | None = None, code_page: str | None = None
) -> Iterator[tuple[str, Sniffed | CantTell]]:
    """(what it is called in the file, the dataset, or why there is none): one of a file, of a workbook one a sheet.
    Raises `CantTell` where the file as a whole can't be told."""
    name = json_name(PurePath(filename).stem, "table")
    kind = format or format_of(file, filename, code_page)
    if kind != "excel":
        yield name, _one(file, name, kind, code_page)
        return
    titles = sheets(file)
    for title, part in zip(titles, json_names(titles, "sheet"), strict=True):
        try:
            yield title, excel(file, name if len(titles) == 1 else f"{name}_{part}", title)
        except CantTell as error:
            yield title, error


def _one(file: BinaryIO, name: str, kind: str, code_page: str | None) -> Sniffed:
    if kind == "fixed":
        return fixed(file, name, code_page)
    if kind == "dbf":
        return dbf(file, name, code_page)
    if kind == "csv":
        return delimited(file, name, code_page)
    if kind in ("json_lines", "parquet"):
        return json_lines(file, name) if kind == "json_lines" else parquet(file, name)
    raise CantTell(f"'{kind}' is no format that can be imported; there are {', '.join(FORMATS)}")


def format_of(file: BinaryIO, filename: str, code_page: str | None = None) -> str:
    """The format that the file's name or its first bytes tell; raises `CantTell`."""
    file.seek(0)
    head = file.read(64)
    if head.startswith(b"PK\x03\x04"):
        return "excel"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise CantTell("the file is an older workbook (.xls): save it as .xlsx")
    suffix = PurePath(filename).suffix.lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "json_lines"
    return _text_format(file, code_page)


def _text_format(file: BinaryIO, code_page: str | None) -> str:
    text = head_of(file, code_page)
    found = dialect(text.text)
    if found is not None and found.share >= _TABLE and found.options["delimiter"] != " ":
        return "csv"
    lines = [line for line in text.text.splitlines() if line.strip()][:500]
    return "fixed" if len(gaps(lines)) > 1 else "csv"
