"""Format `parquet`: rows of a Parquet file, a few at a time, by pyarrow; each column read as its configured type."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO

from adapters.contract import Json
from adapters.files import extras
from adapters.files.columns import Column, typed
from adapters.files.copy import CopiedRecords, Placed
from adapters.files.csv_format import located
from adapters.files.formats import Bad, FieldType, Record
from adapters.files.read_only import ReadOnlyColumns
from adapters.files.undecodable import Undecodable

_ROWS = 256
_LARGEST_GROUP = 2 * 1024**3
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class ParquetFormat(ReadOnlyColumns):
    """Files of one shape."""

    _columns: Mapping[str, Column]

    def __init__(self, columns: Mapping[str, Column], key: str | None) -> None:
        self._columns = columns
        self._key = key
        self.fields: Mapping[str, FieldType] = {name: each.field for name, each in columns.items() if each.compares}

    def whole(self, size: int) -> bool:
        return size >= 12

    def reader(self, file: BinaryIO, size: int) -> ParquetReader:
        return ParquetReader(self._columns, file, size, self._key)


class ParquetReader(CopiedRecords):
    """One file."""

    def __init__(self, columns: Mapping[str, Column], file: BinaryIO, size: int, key: str | None) -> None:
        super().__init__()
        self._size = size
        self._key = key
        self.fields: Mapping[str, FieldType] = {name: each.field for name, each in columns.items() if each.compares}
        names = list(_opened(file).schema_arrow.names)
        places = located(columns, names, key)
        self._columns = [(name, names[places[name]], typed(each)) for name, each in columns.items()]

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        return self.copied(self._placed(file), self._size)

    def _placed(self, file: BinaryIO) -> Iterator[Placed]:
        import pyarrow as pa

        opened = _opened(file)
        for number in range(opened.metadata.num_row_groups):
            if opened.metadata.row_group(number).total_byte_size > _LARGEST_GROUP:
                raise Undecodable(f"row group {number + 1} is larger than {_LARGEST_GROUP} bytes")
        wanted = sorted({source for _, source, _ in self._columns})
        row = 0
        try:
            for batch in opened.iter_batches(batch_size=_ROWS, columns=wanted, use_threads=False):
                values = {source: _values(batch.column(at), row) for at, source in enumerate(batch.schema.names)}
                for at in range(batch.num_rows):
                    yield self._one(f"row {row + at + 1}", {source: each[at] for source, each in values.items()})
                row += batch.num_rows
        except (pa.ArrowException, OSError):
            raise Undecodable(f"what follows row {row} is damaged") from None

    def _one(self, place: str, row: Mapping[str, Any]) -> Placed:
        value: dict[str, Json] = {}
        fault: Undecodable | None = None
        for name, source, read in self._columns:
            try:
                value[name] = read(_plain(row[source]))
            except (ValueError, OverflowError) as error:
                fault = fault or Undecodable(f"{name} {error}")
        return Placed(place, value) if fault is None else Placed(place, fault, value.get(self._key or ""))


def _opened(file: BinaryIO) -> Any:
    import pyarrow as pa

    file.seek(0)
    try:
        return extras.parquet().ParquetFile(file)
    except (pa.ArrowException, OSError):
        raise Undecodable("the file isn't Parquet, or is cut off or damaged") from None


def _values(column: Any, row: int) -> list[Any]:
    """A batch's values; instants and times by their integers, as Python's own have no nanoseconds."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind):
        spell = _spelling(kind.unit, "Z" if kind.tz else "")
        return [None if each is None else spell(each) for each in column.cast(pa.int64()).to_pylist()]
    try:
        found: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        raise Undecodable(f"a value behind row {row} can't be told") from None
    return found


def _spelling(unit: str, zone: str) -> Callable[[int], str]:
    per_second = _PER_SECOND[unit]

    def spelt(ticks: int) -> str:
        seconds, rest = divmod(ticks, per_second)
        nanoseconds = rest * (1_000_000_000 // per_second)
        try:
            moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)
        except OverflowError:
            return "out of range"
        if nanoseconds % 1000:
            return moment.isoformat(timespec="seconds") + f".{nanoseconds:09}{zone}"  # which no column takes
        return moment.isoformat(timespec="seconds") + (f".{nanoseconds // 1000:06}" if unit != "s" else "") + zone

    return spelt


def _plain(value: Any) -> Any:
    """As JSON has it, fractions as Decimal; raises `ValueError`."""
    if isinstance(value, float):
        if value - value != 0:  # an infinity, or none
            raise ValueError("is no finite number")
        return Decimal(repr(value))
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("microseconds")
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
