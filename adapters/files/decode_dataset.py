"""A file of any format as JSON lines, CSV or Parquet, by the description that a dataset of it would have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from pydantic import ValidationError

from adapters.errors import ConfigError
from adapters.files.columns import ColumnType
from adapters.files.compile import compile_format
from adapters.files.config import Dataset
from adapters.files.copybook.output import JsonLines
from adapters.files.decode import Summary, Writer, decode_file, needs_pyarrow
from adapters.files.decode_columns import CsvColumns, ParquetColumns
from adapters.files.formats import Format

_LARGEST = 1024 * 1024


@dataclass(slots=True)
class DatasetDecoding:
    """A file ready to be decoded."""

    file: Path
    format: Format
    form: str = "json"
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def run(self, target: BinaryIO, advance: Callable[[int], None]) -> Summary:
        """Writes every record; raises OSError. `advance` hears how far in the file it is, in bytes."""
        makers: dict[str, Callable[..., Writer]] = {"csv": CsvColumns, "parquet": ParquetColumns}
        writer: Writer = makers[self.form](target, self.types) if self.form in makers else JsonLines(target)
        summary = Summary()
        try:
            summary.write(decode_file(self.file, self.format, advance), writer, lambda _: None)
        except BaseException:
            if isinstance(writer, ParquetColumns):
                writer.abandon()
            raise
        return summary


def dataset_decoding(file: Path, description: Path, form: str = "json") -> DatasetDecoding:
    """`description`: YAML with `format` and what goes with it; `form`: `json`, `csv` or `parquet`.

    Raises `ValueError` with a sentence, and OSError.
    """
    if form == "parquet":
        needs_pyarrow()
    with description.open("rb") as source:
        text = source.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise ValueError(f"{description} is too long to describe a dataset")
    try:
        given = yaml.safe_load(text)
        dataset = Dataset.model_validate({"match": "*", "key": "-", **given})
        beside = {path.name: path.read_bytes() for path in _named(description, dataset)}
        found = compile_format(dataset, None, beside, "")
    except (yaml.YAMLError, TypeError):
        raise ValueError(f"{description} isn't YAML that describes a dataset") from None
    except ValidationError as error:
        said = [f"{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise ValueError(f"{description}: {'; '.join(said)}") from None
    except ConfigError as error:
        said = [f"{problem.where.strip('/')}: {problem.message}" for problem in error.problems]
        raise ValueError(f"{description}: {'; '.join(said)}") from None
    if dataset.format == "copybook" and form != "json":
        raise ValueError(f"{description}: a copybook's records are written as {form} with --copybook")
    return DatasetDecoding(file, found, form, _types(dataset.options.get("columns") or {}))


def _types(columns: Mapping[str, Any]) -> dict[str, ColumnType]:
    """The types of the columns that the description names; it is known to be right."""
    return {name: each if isinstance(each, str) else each.get("type", "text") for name, each in columns.items()}  # type: ignore[misc]


def _named(description: Path, dataset: Dataset) -> list[Path]:
    """The copybooks beside the description."""
    control = dataset.control
    records = () if control is None else (control.header, control.trailer)
    named = {dataset.copybook, *(each.copybook for each in records if each is not None)}
    return [description.parent / Path(path).name for path in sorted(filter(None, named))]
