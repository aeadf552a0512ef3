"""Decoded records as a Parquet file, by pyarrow: whole columns at once where the layout is fixed, else row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.contract import Json
from adapters.files.copybook import vectors
from adapters.files.copybook.parquet_types import arrow_type, converted, schema
from adapters.files.copybook.records import Records
from adapters.files.copybook.table import Column, columns
from adapters.files.formats import Bad

_ROWS = 2_000
_GROUP = 64 * 1024 * 1024
_GROUP_ROWS = 100_000


class Counts(Protocol):
    """What is counted while a file is written."""

    records: int
    wrong: int
    skipped: int

    def add(self, bad: Bad) -> None:
        """One more that can't be decoded."""


def write(records: Records, path: Path, target: BinaryIO, advance: Callable[[int], None], counts: Counts) -> None:
    """Writes the file's records into `target`; raises OSError, and `ValueError` where Parquet can't hold them."""
    wanted = columns(records.layout.root, records.options)
    if not wanted:
        raise ValueError("the copybook has no field to write")
    with path.open("rb", buffering=1 << 20) as file, pq.ParquetWriter(target, schema(wanted)) as writer:
        held: list[pa.Table] = []
        size = 0
        for table, end in _tables(records, file, path, wanted, counts):
            held.append(table)
            size += table.nbytes
            if size > _GROUP or sum(each.num_rows for each in held) > _GROUP_ROWS:
                writer.write_table(pa.concat_tables(held))
                held, size = [], 0
            counts.records += table.num_rows
            advance(end)
        if held:
            writer.write_table(pa.concat_tables(held))
    counts.wrong, counts.skipped = records.wrong, records.skipped


def _tables(
    records: Records, file: BinaryIO, path: Path, wanted: Sequence[Column], counts: Counts
) -> Iterator[tuple[pa.Table, int]]:
    size = path.stat().st_size
    if vectors.fits(records):
        for found in vectors.batches(records, file, size):
            if isinstance(found, Bad):
                counts.add(found)
            else:
                yield pa.Table.from_arrays(found[0], schema=schema(wanted)), found[1]
        return
    rows: list[dict[str, Json]] = []
    for record in records.scan(file, size, str(path)):
        if isinstance(record, Bad):
            counts.add(record)
            continue
        rows.append(record.value)
        if len(rows) >= _ROWS:
            yield rows_as_table(rows, wanted), record.end
            rows = []
    if rows:
        yield rows_as_table(rows, wanted), size


def rows_as_table(rows: Sequence[Mapping[str, Json]], wanted: Sequence[Column]) -> pa.Table:
    """Records as the plain decoder gives them, as columns."""
    arrays = [
        pa.array([converted(row.get(column.name), column) for row in rows], type=arrow_type(column))
        for column in wanted
    ]
    return pa.Table.from_arrays(arrays, schema=schema(wanted))
