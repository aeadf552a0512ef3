"""A dataset's configuration → its format, for all that needs no copybook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from adapters.errors import ConfigError, ConfigProblem
from adapters.files import edifact, extras, lines, x12
from adapters.files.columns import Column
from adapters.files.config import CsvOptions
from adapters.files.config import Dataset as DatasetConfig
from adapters.files.csv_format import CsvFormat
from adapters.files.dbf_format import DbfFormat
from adapters.files.edi import EdiFormat
from adapters.files.excel_format import ExcelFormat
from adapters.files.fixed_format import FixedFormat
from adapters.files.formats import Format
from adapters.files.json_format import JsonFormat
from adapters.files.options import (
    DbfOptions,
    EdiOptions,
    ExcelOptions,
    FixedOptions,
    JsonLinesOptions,
    JsonOptions,
    ParquetOptions,
    XmlOptions,
)
from adapters.files.parquet_format import ParquetFormat
from adapters.files.xml_format import XmlFormat

_Model = TypeVar("_Model", bound=BaseModel)


def format(dataset: DatasetConfig, key: str | None, where: str) -> Format:
    """Raises `ConfigError`, its pointers below `where`."""
    return _MAKERS[dataset.format](dataset, key, where)


def read_options(model: type[_Model], options: Mapping[str, Any], where: str) -> _Model:
    """A format's own choices; raises `ConfigError`."""
    try:
        return model.model_validate(options)
    except ValidationError as error:
        raise ConfigError(
            [
                ConfigProblem(fault["msg"], "/".join([f"{where}/options", *map(str, fault["loc"])]))
                for fault in error.errors()
            ]
        ) from error


def _csv(dataset: DatasetConfig, key: str | None, where: str) -> Format:
    options = _checked(CsvOptions, dataset, where)
    if not options.header and options.columns is None:
        raise problem("name the columns, since the file has no header", f"{where}/options/columns")
    return CsvFormat(options, _encoding(dataset, where), key)


def _encoding(dataset: DatasetConfig, where: str) -> str:
    name = dataset.code_page or "utf-8"
    try:
        return lines.encoding(name)
    except LookupError:
        raise problem(
            f"code page '{name}' isn't known here, or isn't one whose lines can be read alone", f"{where}/code_page"
        ) from None


def problem(message: str, where: str) -> ConfigError:
    """One fault."""
    return ConfigError([ConfigProblem(message, where)])


def _fixed(dataset: DatasetConfig, key: str | None, where: str) -> Format:
    encoding = _encoding(dataset, where)
    options = _checked(FixedOptions, dataset, where)
    if encoding.startswith("utf-16") and options.unit == "byte":
        raise problem("unit byte isn't for UTF-16", f"{where}/options/unit")
    return FixedFormat(options, encoding, key)


def _json_lines(dataset: DatasetConfig, key: str | None, where: str) -> Format:
    _no_code_page(dataset, where)
    return JsonFormat(read_options(JsonLinesOptions, dataset.options, where).columns, None, key)


def _json(dataset: DatasetConfig, key: str | None, where: str) -> Format:
    _no_code_page(dataset, where)
    options = read_options(JsonOptions, dataset.options, where)
    return JsonFormat(options.columns, options.pointer, key)


def _xml(dataset: DatasetConfig, key: str | None, where: str) -> Format:
    _no_code_page(dataset, where)
    try:
        return XmlFormat(read_options(XmlOptions, dataset.options, where), key)
    except ValueError as error:
        raise problem(str(error), f"{where}/options") from None


def _excel(dataset: DatasetConfig, key: str | None, where: str) -> Format:
    _no_code_page(dataset, where)
    options = _checked(ExcelOptions, dataset, where)
    if not options.header and options.columns is None:
        raise problem("name the columns, since the sheet has no header", f"{where}/options/columns")
    return ExcelFormat(options, key)


def _dbf(dataset: DatasetConfig, key: str | None, where: str) -> Format:
    encoding = None if dataset.code_page is None else _encoding(dataset, where)
    return DbfFormat(_checked(DbfOptions, dataset, where), encoding, key)


def _parquet(dataset: DatasetConfig, key: str | None, where: str) -> Format:
    _no_code_page(dataset, where)
    try:
        extras.pyarrow()
    except extras.Missing as error:
        raise problem(str(error), f"{where}/format") from None
    return ParquetFormat(read_options(ParquetOptions, dataset.options, where).columns, key)


def _edi(dataset: DatasetConfig, key: str | None, where: str) -> Format:
    encoding = None if dataset.code_page is None else _encoding(dataset, where)
    options = read_options(EdiOptions, dataset.options, where)
    cut = x12.interchanges if dataset.format == "x12" else edifact.interchanges
    return EdiFormat(cut, options.types, encoding)


def _no_code_page(dataset: DatasetConfig, where: str) -> None:
    if dataset.code_page is not None:
        raise problem(f"a file of format {dataset.format} says its encoding by itself", f"{where}/code_page")


def _checked(model: type[_Model], dataset: DatasetConfig, where: str) -> _Model:
    """Options whose columns are of texts or cells, which hold no JSON."""
    options = read_options(model, dataset.options, where)
    columns: Mapping[str, Column] = getattr(options, "columns", None) or {}
    for name, column in columns.items():
        if not column.compares:
            raise problem("a column of this format can't be json", f"{where}/options/columns/{name}")
    return options


_MAKERS: dict[str, Callable[[DatasetConfig, str | None, str], Format]] = {
    "csv": _csv,
    "dbf": _dbf,
    "edifact": _edi,
    "excel": _excel,
    "fixed": _fixed,
    "json": _json,
    "json_lines": _json_lines,
    "parquet": _parquet,
    "x12": _edi,
    "xml": _xml,
}
