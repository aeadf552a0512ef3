"""Header and trailer records: what they count must be there, and what is written has them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Context
from adapters.errors import BadReply, ConfigError
from adapters.files.adapter import FilesAdapter
from adapters.files.compile import compile_format
from adapters.files.config import Dataset
from adapters.files.formats import Record
from adapters.files.manifest import Mismatch
from adapters.files.undecodable import Undecodable

Build = Callable[..., FilesAdapter]
Contexts = Callable[..., Context]

ORDERS = {
    "orders": {
        "match": "orders.csv",
        "format": "csv",
        "key": "id",
        "replace": "orders.csv",
        "control": {
            "header": {"starts": "HDR"},
            "trailer": {
                "starts": "TRL",
                "columns": {"records": "integer", "total": "decimal"},
                "count": "records",
                "sums": {"amount": "total"},
            },
        },
        "options": {"columns": {"id": "text", "amount": "decimal"}},
    }
}
GOOD = "HDR,2026-11-21\nid,amount\nA,1.50\nB,2.25\nTRL,2,3.75\n"
FIXED = {
    "match": "parts.txt",
    "format": "fixed",
    "key": "number",
    "control": {
        "header": {"starts": "H"},
        "trailer": {
            "starts": "T",
            "columns": {
                "n": {"type": "integer", "at": 2, "width": 4},
                "hash": {"type": "integer", "at": 6, "width": 3},
            },
            "count": "n",
            "sums": {"stock": "hash"},
        },
    },
    "options": {"columns": {"number": {"at": 1, "width": 4}, "stock": {"type": "integer", "at": 5, "width": 6}}},
}  # fmt: skip


async def _ids(adapter: FilesAdapter, context: Contexts, dataset: str = "orders") -> tuple[list[str], tuple[str, ...]]:
    page = await adapter.invoke(f"{dataset}.list", {"limit": 100}, context())
    key = {"orders": "id", "parts": "number", "payments": "pay_id"}[dataset]
    return [item[key] for item in page.value["items"]], page.warnings


async def test_a_file_that_holds_what_it_says_is_served(build: Build, drop_folder: Path, context: Contexts) -> None:
    (drop_folder / "orders.csv").write_text(GOOD)
    assert await _ids(build(ORDERS), context) == (["A", "B"], ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD.replace("TRL,2,", "TRL,3,"), "has 2 records, its trailer says 3"),
        (GOOD.replace("3.75", "3.76"), "has another sum of amount than its trailer says"),
        (GOOD.replace("TRL,2,3.75\n", ""), "has no trailer"),
        (GOOD.removeprefix("HDR,2026-11-21\n"), "has no header"),
        (GOOD.replace("TRL,2,", "TRL,two,"), "has a trailer that can't be decoded: records isn't an integer"),
        (GOOD.replace("TRL,2,3.75", "TRL"), "has 2 records, its trailer says None"),
        ("", "has no header"),
    ],
    ids=["count", "sum", "trailer", "header", "undecodable", "short", "empty"],
)
async def test_a_file_that_does_not_is_refused_and_the_one_before_answers(
    build: Build, drop_folder: Path, context: Contexts, tmp_path: Path, text: str, reason: str
) -> None:
    adapter = build(ORDERS)
    (drop_folder / "orders.csv").write_text(GOOD)
    await adapter.probe(context())
    (drop_folder / "orders.new").write_text(text)
    os.replace(drop_folder / "orders.new", drop_folder / "orders.csv")
    for _ in range(2):
        facts = (await adapter.probe(context())).facts["orders"]
        assert facts["refused"] == [f"orders.csv {reason}"]
    ids, warnings = await _ids(adapter, context)
    assert ids == ["A", "B"]
    assert warnings == ("1 file of orders can't be served: not what the sender says; listed by the probe",)
    noted = [json.loads(line) for line in (tmp_path / "cache/quarantine.jsonl").read_text().splitlines()]
    assert [entry["reason"] for entry in noted] == [f"the file {reason}"]
    (drop_folder / "orders.csv").write_text(GOOD.replace("A,", "C,"))
    await adapter.probe(context())
    assert await _ids(adapter, context) == (["B", "C"], ())


async def test_sums_are_not_asked_of_records_that_cannot_be_decoded(
    build: Build, drop_folder: Path, context: Contexts
) -> None:
    (drop_folder / "orders.csv").write_text(GOOD.replace("B,2.25", "B,?"))
    ids, warnings = await _ids(build(ORDERS), context)
    assert ids == ["A"]
    assert warnings == ("1 record of orders can't be decoded; left out here and listed in quarantine",)


async def test_no_record_is_said_not_to_exist_while_the_only_file_is_refused(
    build: Build, drop_folder: Path, context: Contexts
) -> None:
    (drop_folder / "orders.csv").write_text(GOOD.replace("TRL,2", "TRL,3"))
    with pytest.raises(BadReply, match="can't be served"):
        await build(ORDERS).invoke("orders.get", {"id": "A"}, context())


@settings(deadline=None, max_examples=60, database=None)
@given(st.data())
def test_a_file_cut_off_anywhere_is_never_whole(data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(GOOD.rstrip("\n")) - 1))
    text = GOOD[:end].encode()
    format = compile_format(Dataset.model_validate(ORDERS["orders"]), "id", {}, "")
    with pytest.raises((Mismatch, Undecodable)):
        list(format.reader(io.BytesIO(text), len(text)).scan(io.BytesIO(text)))


async def test_what_is_written_has_them(build: Build, drop_folder: Path, context: Contexts) -> None:
    adapter = build(ORDERS)
    items = [{"id": "A", "amount": "1.50"}, {"id": "B", "amount": "-0.25"}, {"id": "C", "amount": None}]
    await adapter.invoke("orders.replace", {"items": items}, context())
    assert (drop_folder / "orders.csv").read_bytes() == (
        b"HDR\r\nid,amount\r\nA,1.50\r\nB,-0.25\r\nC,\r\nTRL,3,1.25\r\n"
    )
    assert (await _ids(adapter, context))[0] == ["A", "B", "C"]
    appending = {**ORDERS["orders"], "match": "in/O-*.csv", "append": "in/O-{id}.csv", "replace": None}
    adapter = build({"orders": appending})
    assert (await adapter.invoke("orders.append", items[1], context())).value == items[1]
    assert (drop_folder / "in/O-B.csv").read_bytes() == b"HDR\r\nid,amount\r\nB,-0.25\r\nTRL,1,-0.25\r\n"
    assert await _ids(adapter, context) == (["B"], ())


async def test_fixed_width_with_a_hash_total(build: Build, drop_folder: Path, context: Contexts) -> None:
    text = "H20261121\nA001000900\nB002000250\nT0002150\n"  # 1150 in three places
    (drop_folder / "parts.txt").write_text(text)
    adapter = build({"parts": FIXED})
    assert await _ids(adapter, context, "parts") == (["A001", "B002"], ())
    (drop_folder / "parts.txt").write_text(text.replace("T0002150", "T0002151"))
    await adapter.probe(context())
    assert (await adapter.probe(context())).facts["parts"]["refused"]


async def test_a_big_file_is_judged_before_its_index_is_kept(
    build: Build, drop_folder: Path, context: Contexts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("adapters.files.dataset._CONTENT_BYTES", 0)
    monkeypatch.setattr("adapters.files.dataset._SMALL", 0)
    (drop_folder / "orders.csv").write_text(GOOD.replace("TRL,2", "TRL,3"))
    adapter = build(ORDERS)
    assert (await adapter.probe(context())).facts["orders"]["refused"]
    assert list((tmp_path / "cache/indexes/orders").glob("*.index")) == []
    (drop_folder / "orders.csv").write_text(GOOD)
    await adapter.probe(context())
    assert await _ids(adapter, context) == (["A", "B"], ())
    assert await _ids(build(ORDERS), context) == (["A", "B"], ())


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"trailer": {"starts": "T", "count": "n"}}, "/datasets/orders/control/trailer/count"),
        (
            {"trailer": {"starts": "T", "columns": {"n": "text"}, "count": "n"}},
            "/datasets/orders/control/trailer/count",
        ),
        (
            {"trailer": {"starts": "T", "columns": {"n": "integer"}, "sums": {"id": "n"}}},
            "/datasets/orders/control/trailer/sums",
        ),
        (
            {"trailer": {"starts": "T", "columns": {"n": "text"}, "sums": {"amount": "n"}}},
            "/datasets/orders/control/trailer/sums",
        ),
    ],
    ids=["no field", "no integer", "no number", "no sum"],
)
def test_what_cannot_be_checked_is_told(build: Build, change: Any, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build({"orders": {**ORDERS["orders"], "control": change}})
    assert [problem.where for problem in caught.value.problems] == [where]


async def test_control_records_are_no_records_of_a_compressed_file(scanned: Callable[..., Any]) -> None:
    import gzip

    config = {
        name: value for name, value in ORDERS["orders"].items() if name not in ("match", "format", "key", "replace")
    }
    found = scanned("csv", gzip.compress(GOOD.encode()), compression="gzip", **config)
    assert [record.value["id"] for record in found if isinstance(record, Record)] == ["A", "B"]
