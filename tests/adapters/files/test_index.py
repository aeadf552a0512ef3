"""Indexes on disk: the same answers as from memory, found again at the next start, never half."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Condition, Context, ListRequest
from adapters.errors import BadReply, Invalid
from adapters.files import part as part_module
from adapters.files.adapter import FilesAdapter
from adapters.files.content import InMemory, Version
from adapters.files.formats import Bad, FieldType, Record
from adapters.files.generation import Generation
from adapters.files.index import Index, Shape, build
from adapters.files.part import Part
from adapters.files.query import Query
from adapters.files.values import stored

Build = Callable[..., FilesAdapter]
Contexts = Callable[..., Context]

FIELDS: dict[str, FieldType] = {"k": "integer", "a": "text", "d": "decimal"}
SHAPE = Shape("k", "integer", {"a": "text", "d": "decimal"})


@settings(deadline=None, max_examples=500, database=None)
@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=3) | st.integers().map(Decimal), max_size=9))
def test_decimals_are_stored_in_their_order(values: list[Decimal]) -> None:
    encode = stored("decimal")
    for one, two in pairwise([*values, *values[:1]]):
        assert (encode(str(one)) < encode(str(two))) == (one < two)
        assert (encode(str(one)) == encode(str(two))) == (one == two)
        assert encode(None) < encode(str(one))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", st.integers(-(1 << 64), 1 << 64)),
        ("number", st.floats(allow_nan=False)),
        ("text", st.text()),
    ],
    ids=["integer", "number", "text"],
)
def test_values_are_stored_in_their_order(kind: FieldType, values: Any) -> None:
    encode = stored(kind)

    @settings(deadline=None, max_examples=300, database=None)
    @given(values, values)
    def check(one: Any, two: Any) -> None:
        assert (encode(one) < encode(two)) == (one < two)
        assert (encode(one) == encode(two)) == (one == two)
        assert encode(None) < encode(one)

    check()


class _Rows:
    """A reader whose record is what its place says."""

    fields = FIELDS

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def decode(self, data: bytes) -> dict[str, Any]:
        return self.rows[data[0]]


def _part(folder: Path, rows: list[dict[str, Any]], name: str, *, big: bool) -> Part:
    content = InMemory(bytes(range(256)))
    part = Part(name, Version(0, 0, 0, 0, 0), datetime.now(UTC), content, _Rows(rows))  # type: ignore[arg-type]
    if big:
        path = folder / name
        build(path, SHAPE, [Record(at, at + 1, row) for at, row in enumerate(rows)])
        part.index = Index(path, SHAPE)
        path.unlink()
    else:
        part.rows = rows
        part.keys = [row["k"] for row in rows]
    return part


RECORD = st.fixed_dictionaries(
    {
        "k": st.integers(0, 12),
        "a": st.sampled_from(["", "x", "y"]),
        "d": st.sampled_from([None, "-1.50", "2.00", "10.0", "2"]),
    }
)
FILES = st.lists(st.tuples(st.lists(RECORD, max_size=10), st.booleans()), max_size=4)
SORTS = st.sampled_from([(), ("k",), ("-k",), ("a",), ("-d",), ("d", "-a"), ("-a", "-k")])
WHERES = st.sampled_from([None, ("a", "eq", "x"), ("d", "eq", "2.0"), ("d", "ge", "2")])


@settings(deadline=None, max_examples=120, database=None)
@given(FILES, SORTS, st.integers(1, 4), WHERES)
def test_indexes_on_disk_answer_as_those_in_memory(
    tmp_path_factory: pytest.TempPathFactory, files: Any, sort: Any, limit: int, where: Any
) -> None:
    folder = tmp_path_factory.mktemp("index")

    def pages(generation: Generation) -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = []
        after = None
        while True:
            request = ListRequest(limit, after, sort, (Condition(*where),) if where else ())
            page = Query(request, FIELDS, "k").page(generation)
            seen += [found.part.row(found.ordinal) for found in page.found]
            if (after := page.next) is None:
                return seen

    def generation(*, disk: bool) -> Generation:
        parts = [_part(folder, rows, f"{n}", big=disk and big) for n, (rows, big) in zip(count(), files, strict=False)]
        return Generation(tuple(parts), "integer")

    small, mixed = generation(disk=False), generation(disk=True)
    assert pages(mixed) == pages(small)
    for key in range(13):
        found = [one.find(key) for one in (small, mixed)]
        values = [None if each is None else each.part.row(each.ordinal) for each in found]
        assert values[0] == values[1]


def test_what_is_undecodable_is_kept_in_the_index(tmp_path: Path) -> None:
    lost = Bad(30, 99, "the rest is lost", lost=True)
    found: list[Record | Bad] = [
        Record(0, 10, {"k": 1}),
        Bad(10, 20, "no good", key=2),
        Record(20, 30, {"k": None}),
        lost,
    ]
    build(tmp_path / "i", SHAPE, found)
    index = Index(tmp_path / "i", SHAPE)
    assert (index.records, index.undecodable, index.lost) == (2, 3, lost)
    assert [(bad.start, bad.reason) for bad in index.all_bad(9)] == [
        (10, "no good"),
        (20, "its key k is empty"),
        (30, "the rest is lost"),
    ]
    ordinal = index.find(stored("integer")(2))
    assert ordinal is not None
    assert index.bad(ordinal) == Bad(10, 20, "no good")
    assert index.find(stored("integer")(3)) is None


@pytest.mark.parametrize("keep", [0, 100, -4096, -1])
def test_half_an_index_is_none(tmp_path: Path, keep: int) -> None:
    build(tmp_path / "i", SHAPE, [Record(n, n + 1, {"k": n}) for n in range(2000)])
    data = (tmp_path / "i").read_bytes()
    (tmp_path / "i").write_bytes(data[:keep])
    with pytest.raises((sqlite3.Error, ValueError)):
        Index(tmp_path / "i", SHAPE)


@pytest.fixture
def big(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as a big one."""
    for name in ("_CONTENT_BYTES", "_ROWS_BYTES", "_SMALL"):
        monkeypatch.setattr(f"adapters.files.dataset.{name}", 0)


STOCK = {
    "stock": {
        "match": "stock-*.csv",
        "format": "csv",
        "key": "sku",
        "index": ["on_hand"],
        "options": {"columns": {"sku": "text", "on_hand": "integer", "note": "text"}},
    }
}


def _write_stock(folder: Path, rows: int, note: str = "n") -> Path:
    path = folder / "stock-1.csv"
    lines = [f"S{n:06},{n * 7919 % rows},{note}\r\n" for n in range(rows)]
    (folder / ".new").write_text("sku,on_hand,note\r\n" + "".join(lines), newline="")
    os.replace(folder / ".new", path)
    return path


@pytest.mark.usefixtures("big")
async def test_an_index_is_found_again_at_the_next_start(
    build: Build, drop_folder: Path, context: Contexts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_stock(drop_folder, 500)
    scans: list[str] = []
    scan = part_module._scan

    def counted(part: Part, *args: Any) -> Any:
        scans.append(part.path)
        return scan(part, *args)

    monkeypatch.setattr(part_module, "_scan", counted)
    for _ in range(3):
        adapter = build(STOCK)
        result = await adapter.invoke("stock.get", {"sku": "S000123"}, context())
        assert result.value == {"sku": "S000123", "on_hand": 123 * 7919 % 500, "note": "n"}
        await adapter.close()
    assert scans == ["stock-1.csv"]
    indexes = list((tmp_path / "cache/indexes/stock").glob("*.index"))
    assert len(indexes) == 1
    indexes[0].write_bytes(b"not an index")
    assert (await build(STOCK).invoke("stock.get", {"sku": "S000001"}, context())).value["sku"] == "S000001"
    assert len(scans) == 2
    other = {"stock": {**STOCK["stock"], "index": ["note"]}}
    assert (await build(other).invoke("stock.get", {"sku": "S000001"}, context())).value["sku"] == "S000001"
    assert len(scans) == 3, "another configuration has another index"


@pytest.mark.usefixtures("big")
async def test_big_lists_are_sorted_and_found_by_indexed_fields_only(
    build: Build, drop_folder: Path, context: Contexts
) -> None:
    _write_stock(drop_folder, 300)
    adapter = build(STOCK)
    page = (await adapter.invoke("stock.list", {"limit": 3, "sort": ["-on_hand"]}, context())).value
    assert [item["on_hand"] for item in page["items"]] == [299, 298, 297]
    page = (
        await adapter.invoke("stock.list", {"limit": 2, "sort": ["-on_hand"], "after": page["next"]}, context())
    ).value
    assert [item["on_hand"] for item in page["items"]] == [296, 295]
    page = (await adapter.invoke("stock.list", {"where": [["on_hand", "eq", 77]]}, context())).value
    assert [item["on_hand"] for item in page["items"]] == [77]
    with pytest.raises(Invalid) as refused:
        await adapter.invoke("stock.list", {"sort": ["note"]}, context())
    assert [fault.message for fault in refused.value.errors] == [
        "'note' isn't indexed, and there are too many records to sort by it"
    ]


@pytest.mark.usefixtures("big")
async def test_a_lost_stretch_of_a_big_file_is_told_also_after_a_start(
    build: Build, drop_folder: Path, context: Contexts
) -> None:
    path = drop_folder / "stock-1.csv"
    path.write_text('sku,on_hand,note\nA,1,n\nB,x,n\nC,3,"open\nD,4,x\n')
    for _ in range(2):
        adapter = build(STOCK)
        assert (await adapter.invoke("stock.get", {"sku": "A"}, context())).value["on_hand"] == 1
        for key in "BC":
            with pytest.raises(BadReply):
                await adapter.invoke("stock.get", {"sku": key}, context())
        assert (await adapter.probe(context())).facts["stock"]["undecodable"] == 2
        await adapter.close()
