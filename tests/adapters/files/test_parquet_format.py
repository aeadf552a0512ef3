"""Parquet as pyarrow writes it: values exact, row groups one after the other."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.files.formats import Bad, Record
from adapters.files.undecodable import Undecodable

Values = Callable[..., list[dict[str, Any]]]
Scanned = Callable[..., list[Record | Bad]]


def _written(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def test_types(values: Values) -> None:
    at = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
    table = pa.table(
        {
            "ID": pa.array([1, 2], pa.uint64()),
            "price": pa.array([Decimal("12345678901234567890123456.7800"), None], pa.decimal128(38, 4)),
            "double": pa.array([0.1, None], pa.float64()),
            "at": pa.array([at, None], pa.timestamp("us", tz="Europe/Berlin")),
            "local": pa.array([at.replace(tzinfo=None), None], pa.timestamp("ns")),
            "seconds": pa.array([1, None], pa.timestamp("s", tz="UTC")),
            "on": pa.array([date(1, 1, 1), None], pa.date32()),
            "clock": pa.array([time(1, 2, 3, 4), None], pa.time64("us")),
            "yes": pa.array([True, None]),
            "text": pa.array(["ä", None]).dictionary_encode(),
            "raw": pa.array([b"\xff", None]),
            "lines": pa.array([[{"n": 1, "d": 0.5}], None]),
        }
    )
    columns = {
        "id": {"type": "integer", "from": "ID"}, "price": "decimal", "double": "decimal", "at": "instant",
        "local": "datetime", "seconds": "instant", "on": "date", "clock": "time", "yes": "boolean", "text": "text",
        "raw": "text", "lines": "json",
    }  # fmt: skip
    found = values("parquet", _written(table), options={"columns": columns})
    assert found[0] == {
        "id": 1,
        "price": "12345678901234567890123456.7800",
        "double": "0.1",
        "at": "2024-05-06T07:08:09.123456Z",
        "local": "2024-05-06T07:08:09.123456",
        "seconds": "1970-01-01T00:00:01.000000Z",
        "on": "0001-01-01",
        "clock": "01:02:03.000004",
        "yes": True,
        "text": "ä",
        "raw": "/w==",
        "lines": [{"n": 1, "d": "0.5"}],
    }
    assert found[1] == {**dict.fromkeys(columns), "id": 2}


@pytest.mark.parametrize(
    ("array", "kind", "reason"),
    [
        (pa.array([float("nan")]), "decimal", "no finite number"),
        (pa.array([1 << 63], pa.uint64()), "integer", "64 bits"),
        (pa.array([1], pa.timestamp("ns")), "datetime", "isn't a datetime"),
        (pa.array([1 << 50], pa.timestamp("s")), "datetime", "isn't a datetime"),
        (pa.array([1], pa.timestamp("s")), "instant", "says no zone"),
        (pa.array([1], pa.timestamp("s", tz="UTC")), "datetime", "declare it as instant"),
        (pa.array([1.5]), "integer", "isn't an integer"),
    ],
    ids=["nan", "wide", "nanosecond", "distant", "zoneless", "zoned", "fraction"],
)
def test_what_is_not_of_its_type(scanned: Scanned, array: Any, kind: str, reason: str) -> None:
    table = pa.table({"id": ["k"], "v": array})
    (found,) = scanned("parquet", _written(table), options={"columns": {"id": "text", "v": kind}})
    assert isinstance(found, Bad)
    assert reason in found.reason
    assert (found.key, found.place) == ("k", "row 1")


def test_row_groups(values: Values) -> None:
    table = pa.table({"id": list(range(3000)), "other": ["x"] * 3000})
    data = _written(table, row_group_size=700)
    found = values("parquet", data, options={"columns": {"id": "integer"}})
    assert [each["id"] for each in found] == list(range(3000))


def test_damaged_files(scanned: Scanned) -> None:
    data = _written(pa.table({"id": [str(number) for number in range(5000)]}), compression="none")
    options = {"columns": {"id": "text"}}
    for wrong in (b"", b"PAR1" + bytes(20), data[:-1], data[:100]):
        with pytest.raises(Undecodable, match="isn't Parquet"):
            scanned("parquet", wrong, options=options)
    for damaged in (data[:20] + b"\xff" * 200 + data[220:], data[100:]):
        (found,) = scanned("parquet", damaged, options=options)
        assert isinstance(found, Bad)
        assert found.lost
    with pytest.raises(Undecodable, match="lacks the column sku"):
        scanned("parquet", data, "sku", options={"columns": {"sku": "text"}})
