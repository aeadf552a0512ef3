"""How control records are spelt in each format that has them: copybook, CSV and fixed width."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, BinaryIO

from adapters.contract import Json
from adapters.errors import ConfigError, ConfigProblem, FieldError
from adapters.files import lines
from adapters.files.columns import Column
from adapters.files.config import ControlRecord, CsvOptions
from adapters.files.config import Dataset as DatasetConfig
from adapters.files.control import Control, Controlled, Spelling
from adapters.files.copybook import layout as layouts
from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook_format import CopybookFormat
from adapters.files.csv_format import CsvFormat, dialect, written
from adapters.files.fixed_format import FixedFormat
from adapters.files.formats import FieldType, Format, Record
from adapters.files.options import FixedOptions
from adapters.files.undecodable import Undecodable

_NUMERIC = ("integer", "decimal")
Compile = Callable[[DatasetConfig, str | None], Format]
"""Compiles a dataset of another shape, with a key or none; raises `ConfigError`."""


def controlled(dataset: DatasetConfig, key: str | None, format: Format, compile: Compile, where: str) -> Format:
    """The format with its control records; raises `ConfigError`."""
    control = dataset.control
    if control is None:
        return format
    where = f"{where}/control"
    plain = format
    if not isinstance(format, CopybookFormat | CsvFormat | FixedFormat):
        raise _problem("control records are for format copybook, csv and fixed", where)
    if isinstance(format, CsvFormat) and control.header is not None:
        options = {**dataset.options, "skip": dataset.options.get("skip", 0) + 1}
        format = compile(dataset.model_copy(update={"options": options, "control": None}), key)
        assert isinstance(format, CsvFormat)
    made = {
        name: _control(dataset, each, format, compile, f"{where}/{name}")
        for name, each in (("header", control.header), ("trailer", control.trailer))
        if each is not None
    }
    before = _first_line(dataset, format) if isinstance(format, CsvFormat) and control.header is not None else None
    sums = frozenset(path for each in made.values() for path in each.config.sums)
    return Controlled(plain, format, made.get("header"), made.get("trailer"), before, sums)


def _control(dataset: DatasetConfig, config: ControlRecord, format: Format, compile: Compile, where: str) -> Control:
    spelling, known = _SPELLINGS[dataset.format](dataset, config, format, compile, where)
    if config.count is not None and known.get(config.count) != "integer":
        raise _problem(f"'{config.count}' isn't an integer field of it", f"{where}/count")
    for path, name in config.sums.items():
        if (format.fields or {}).get(path) not in _NUMERIC:
            raise _problem(f"'{path}' is no number of the dataset", f"{where}/sums")
        if known.get(name) not in _NUMERIC:
            raise _problem(f"'{name}' isn't a number of it", f"{where}/sums")
    return Control(config, spelling)


Made = tuple[Spelling, Mapping[str, FieldType]]


def _copybook(dataset: DatasetConfig, config: ControlRecord, format: Any, compile: Compile, where: str) -> Made:
    page = CodePage.of(dataset.code_page or "")
    starts = _encoded(config.starts, page.name, where)
    size, in_lines = format.layout.size, dataset.record_format == "text"
    if config.copybook is None and config.record is None:
        plain = starts + b"\n" if in_lines else starts.ljust(size, page.space)
        return Spelling(_begins(starts), lambda _: {}, lambda _: (plain, []), _any), {}
    options = {name: value for name, value in dataset.options.items() if name not in _OF_RECORDS}
    shape = {"copybook": config.copybook or dataset.copybook, "options": {**options, "record": config.record}}
    inner = compile(dataset.model_copy(update={**shape, "control": None, "compression": None}), None)
    assert isinstance(inner, CopybookFormat)
    layout = inner.layout
    if layout.size > size:
        raise _problem(f"it has {layout.size} bytes, the records have {size}", where)
    fields = dict(layouts.fields(layout.root))

    def write(value: Mapping[str, Json]) -> tuple[bytes, list[FieldError]]:
        data, faults = inner.encode(value)
        data = starts + data[len(starts) :]
        return (data if in_lines else data.ljust(size, page.space)), faults

    def room(name: str) -> int | None:
        picture = fields[name].picture
        return None if picture is None else picture.digits - picture.scale

    return Spelling(_begins(starts), lambda data: inner.decode(data[: layout.size]), write, room), inner.fields


def _csv(dataset: DatasetConfig, config: ControlRecord, format: CsvFormat, compile: Compile, where: str) -> Made:
    options = CsvOptions.model_validate(dataset.options)
    columns = {
        name: each if each.source is not None else each.model_copy(update={"source": place})
        for place, (name, each) in enumerate((config.columns or {}).items(), 2)
    }
    encoding = lines.encoding(dataset.code_page or "utf-8")
    marks = "".join(filter(None, (options.quotechar, " " if options.skipinitialspace else None)))

    def starts(data: bytes) -> bool:
        return data.decode(encoding, "replace").lstrip(marks or None).startswith(config.starts)

    if not columns:
        return Spelling(starts, lambda _: {}, lambda _: _row([config.starts], options, encoding), _any), {}
    plain = {"columns": columns, "header": False, "skip": 0, "comment": None, "ragged": True}
    inner = compile(dataset.model_copy(update={"options": {**dataset.options, **plain}, **_PLAIN}), None)

    def write(value: Mapping[str, Json]) -> tuple[bytes, list[FieldError]]:
        row = [config.starts] + [""] * (max(_place(each) for each in columns.values()) - 1)
        for name, each in columns.items():
            row[_place(each) - 1] = written(value.get(name), each) or ""
        return _row(row, options, encoding)

    return Spelling(starts, lambda data: _read(inner, data), write, _any), inner.fields or {}


def _fixed(dataset: DatasetConfig, config: ControlRecord, format: FixedFormat, compile: Compile, where: str) -> Made:
    starts = _encoded(config.starts, lines.encoding(dataset.code_page or "utf-8"), where)
    columns = config.columns or {}
    if not columns:
        return Spelling(_begins(starts), lambda _: {}, format.encode, _any), {}
    plain = FixedOptions.model_validate({**dataset.options, "columns": columns, "skip": 0, "comment": None})
    inner = compile(dataset.model_copy(update={"options": plain.model_dump(by_alias=True), **_PLAIN}), None)

    def room(name: str) -> int | None:
        return columns[name].width if columns[name].type == "integer" else None

    return Spelling(_begins(starts), lambda data: _read(inner, data), inner.encode, room), inner.fields or {}


def _first_line(dataset: DatasetConfig, format: CsvFormat) -> Callable[[BinaryIO, int], bytes]:
    """The header of a CSV file stands above the names of its columns."""
    skip = CsvOptions.model_validate(dataset.options).skip
    encoding = lines.encoding(dataset.code_page or "utf-8")

    def line(file: BinaryIO, size: int) -> bytes:
        told, start = lines.without_bom(file, encoding)
        return next(islice(lines.lines(file, told, start), skip, None), "").encode(encoding, "replace")

    return line


def _read(inner: Format, data: bytes) -> Mapping[str, Json]:
    file = io.BytesIO(data)
    for found in inner.reader(file, len(data)).scan(file):
        if isinstance(found, Record):
            return found.value
        raise Undecodable(found.reason)
    raise Undecodable("it is empty")


def _row(row: list[str], options: CsvOptions, encoding: str) -> tuple[bytes, list[FieldError]]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n", **dialect(options))
    writer.writerow(row)
    return out.getvalue().encode(encoding), []


def _place(column: Column) -> int:
    return column.source if isinstance(column.source, int) else 1


def _begins(starts: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(starts)


def _any(_: str) -> int | None:
    return None


def _encoded(text: str, encoding: str, where: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        raise _problem("isn't text in the dataset's code page", f"{where}/starts") from None


def _problem(message: str, where: str) -> ConfigError:
    return ConfigError([ConfigProblem(message, where)])


_PLAIN = {"control": None, "compression": None}
_OF_RECORDS = (
    "record", "field_code_page", "occurs_mappings", "segment_field", "redefine_segment_id_map", "variable_size_occurs",
    "file_start_offset", "file_end_offset",
)  # fmt: skip
_SPELLINGS: Mapping[str, Callable[[DatasetConfig, ControlRecord, Any, Compile, str], Made]] = {
    "copybook": _copybook,
    "csv": _csv,
    "fixed": _fixed,
}
