"""A dataset's configuration → its format, for all that needs no copybook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from adapters.errors import ConfigError, ConfigProblem
from adapters.files import lines
from adapters.files.config import CsvOptions
from adapters.files.config import Dataset as DatasetConfig
from adapters.files.csv_format import CsvFormat
from adapters.files.formats import Format

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
    options = read_options(CsvOptions, dataset.options, where)
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


_MAKERS = {"csv": _csv}
