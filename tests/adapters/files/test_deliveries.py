"""Files that come with a manifest, and files that don't come."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.contract import Context
from adapters.files.adapter import FilesAdapter
from adapters.files.config import Due
from adapters.files.overdue import last_due, overdue

Build = Callable[..., FilesAdapter]
Contexts = Callable[..., Context]

STOCK: dict[str, Any] = {"match": "*", "format": "csv", "key": "sku", "arrival": {"manifest": ".json"}}


def _manifest(folder: Path, data: bytes, **change: Any) -> None:
    said = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "records": data.count(b"\n") - 1, **change}
    (folder / "stock.csv.json").write_text(json.dumps(said))


async def _seen(adapter: FilesAdapter, context: Context) -> tuple[list[str], list[str]]:
    probe = await adapter.probe(context)
    page = (await adapter.invoke("stock.list", {}, context)).value
    return [item["sku"] for item in page["items"]], probe.facts["stock"].get("refused", [])


@pytest.mark.parametrize("big", [False, True], ids=["small", "big"])
async def test_a_file_is_read_when_it_is_what_its_manifest_says(
    build: Build, drop_folder: Path, context: Contexts, monkeypatch: pytest.MonkeyPatch, big: bool
) -> None:
    if big:
        for name in ("_CONTENT_BYTES", "_ROWS_BYTES", "_SMALL"):
            monkeypatch.setattr(f"adapters.files.dataset.{name}", 0)
    first, second = b"sku\nA\nB\n", b"sku\nA\nC\n"
    file = drop_folder / "stock.csv"
    file.write_bytes(first)
    adapter = build({"stock": STOCK})
    assert await _seen(adapter, context()) == ([], ["stock.csv has no manifest yet"])
    _manifest(drop_folder, first)
    assert await _seen(adapter, context()) == (["A", "B"], [])
    (drop_folder / "new.tmp").write_bytes(second)
    os.replace(drop_folder / "new.tmp", file)
    for change, reason in (
        ({}, "has another hash than its manifest says"),
        ({"bytes": 7}, "has 8 bytes, its manifest says 7"),
    ):
        _manifest(drop_folder, first, **change)
        assert await _seen(adapter, context()) == (["A", "B"], [f"stock.csv {reason}"])
    _manifest(drop_folder, second, records=3)
    assert await _seen(adapter, context()) == (["A", "B"], ["stock.csv has 2 records, its manifest says 3"])
    for text in ("", "[]", "{}", '{"records": "2"}', '{"records": true}', '{"sha256": "ab'):
        (drop_folder / "stock.csv.json").write_text(text)
        seen, refused = await _seen(adapter, context())
        assert seen == ["A", "B"]
        assert "manifest" in refused[0]
    _manifest(drop_folder, second)
    assert await _seen(adapter, context()) == (["A", "C"], [])
    file.unlink()
    assert await _seen(adapter, context()) == ([], [])


WEEKDAYS = Due.model_validate(
    {"by": "06:00", "time_zone": "Europe/Zurich", "days": ["mon", "tue", "wed", "thu", "fri"]}
)


@pytest.mark.parametrize(
    ("newest", "now", "sentence"),
    [
        ("2026-11-20T05:50+01:00", "2026-11-20T10:00+01:00", None),
        ("2026-11-20T00:00+01:00", "2026-11-20T10:00+01:00", None),
        ("2026-11-19T23:59+01:00", "2026-11-20T10:00+01:00", "invoices of 2026-11-20 overdue since 06:00"),
        ("2026-11-19T05:50+01:00", "2026-11-20T05:59+01:00", None),
        ("2026-11-19T05:50+01:00", "2026-11-20T06:00+01:00", "invoices of 2026-11-20 overdue since 06:00"),
        ("2026-11-20T05:50+01:00", "2026-11-22T23:00+01:00", None),
        ("2026-11-20T05:50+01:00", "2026-11-23T05:30+00:00", "invoices of 2026-11-23 overdue since 06:00"),
        (None, "2026-11-22T12:00+01:00", "invoices of 2026-11-20 overdue since 06:00"),
    ],
    ids=["came", "came at midnight", "yesterday's", "not due yet", "due now", "weekend", "zone", "nothing ever"],
)
def test_what_is_late_is_told(newest: str | None, now: str, sentence: str | None) -> None:
    written = None if newest is None else datetime.fromisoformat(newest)
    assert overdue("invoices", WEEKDAYS, written, datetime.fromisoformat(now)) == sentence


@settings(deadline=None, max_examples=300, database=None)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    st.sets(st.sampled_from(["mon", "tue", "sun"]), min_size=1),
    st.sampled_from(["00:00", "02:30", "23:59"]),
    st.sampled_from(["UTC", "Europe/Zurich", "Pacific/Kiritimati"]),
)
def test_something_was_due_within_the_last_eight_days(now: datetime, days: Any, by: str, zone: str) -> None:
    due = Due.model_validate({"by": by, "time_zone": zone, "days": sorted(days)})
    moment = last_due(due, now)
    assert timedelta(0) <= now - moment <= timedelta(days=8)
    assert moment.strftime("%H:%M") == by
    assert moment.strftime("%a").lower() in days


@pytest.mark.parametrize(
    "wrong",
    [{"by": "6:00"}, {"by": "24:00"}, {"time_zone": "Mars/Base"}, {"time_zone": "../x"}, {"days": []}, {"x": 1}],
    ids=["hour", "midnight", "zone", "path", "days", "unknown"],
)
def test_a_wrong_due_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Due.model_validate({"by": "06:00", **wrong})


async def test_answers_and_the_probe_say_what_is_late(build: Build, drop_folder: Path, context: Contexts) -> None:
    file = drop_folder / "stock.csv"
    file.write_bytes(b"sku\nA\n")
    os.utime(file, (time.time() - 864_000,) * 2)
    adapter = build({"stock": {**STOCK, "match": "*.csv", "arrival": {"due": {"by": "06:00"}}}})
    expected = overdue("stock", Due.model_validate({"by": "06:00"}), None, datetime.now(UTC))
    assert expected is not None
    assert (await adapter.probe(context())).facts["stock"]["overdue"] == expected
    assert (await adapter.invoke("stock.get", {"sku": "A"}, context())).warnings == (expected,)
    assert (await adapter.invoke("stock.list", {}, context())).warnings == (expected,)
    os.utime(file)
    assert (await adapter.probe(context())).facts["stock"].get("overdue") is None
