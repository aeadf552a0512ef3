"""Counts and sums by groups, and filters, looked at as columns: exactly what looking at each record gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Condition, Context, ListRequest
from adapters.errors import Invalid
from adapters.files import aggregates, extras, masks, query
from adapters.files.adapter import FilesAdapter
from adapters.files.aggregates import Asked, aggregate
from adapters.files.content import InMemory, Version
from adapters.files.formats import FieldType
from adapters.files.generation import Generation
from adapters.files.part import Part
from adapters.files.query import Query

Build = Callable[..., FilesAdapter]
Contexts = Callable[..., Context]
FIELDS: dict[str, FieldType] = {
    "k": "integer",
    "a": "text",
    "d": "decimal",
    "n": "integer",
    "f": "number",
    "b": "boolean",
}
DECIMALS = st.sampled_from(
    [None, "2", "2.00", "-1.50", "0", "-0.0", "10", "123456789012345678901234567890.5", "0.000001"]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "a": st.sampled_from([None, "", "x", "xy", "y", "ÿ", "\U0001f33f"]),
            "d": DECIMALS,
            "n": st.one_of(st.none(), st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-3, 3)),
            "f": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0])),
            "b": st.sampled_from([None, True, False]),
        }
    ),
    max_size=30,
)  # fmt: skip
OPERATORS = ["eq", "ne", "lt", "le", "gt", "ge"]
CONDITIONS = st.one_of(
    st.tuples(st.just("a"), st.sampled_from(OPERATORS), st.sampled_from(["", "x", "z"])),
    st.tuples(st.just("a"), st.just("like"), st.sampled_from(["x%", "_", "%"])),
    st.tuples(st.just("a"), st.just("in"), st.just(["x", "y"])),
    st.tuples(st.sampled_from(["a", "d", "n"]), st.just("null"), st.booleans()),
    st.tuples(st.just("d"), st.sampled_from(OPERATORS), st.sampled_from(["2.0", "0", "-1.5"])),
    st.tuples(st.just("d"), st.just("in"), st.just(["2", "10.0"])),
    st.tuples(st.just("n"), st.sampled_from(OPERATORS), st.integers(-3, 3)),
    st.tuples(st.just("f"), st.sampled_from(["eq", "lt", "ge"]), st.just(0)),
    st.tuples(st.just("b"), st.sampled_from(["eq", "ne"]), st.booleans()),
)  # fmt: skip
WHERE = st.lists(CONDITIONS, max_size=2)
VISIBLE = st.one_of(st.none(), st.lists(st.lists(CONDITIONS, max_size=2), max_size=2))
ASKED = st.fixed_dictionaries(
    {
        "group": st.lists(st.sampled_from(list(FIELDS)), max_size=3),
        "sum": st.lists(st.sampled_from(["d", "n", "f"]), max_size=2),
        "avg": st.lists(st.sampled_from(["d", "n", "f"]), max_size=2),
        "min": st.lists(st.sampled_from(list(FIELDS)), max_size=2),
        "max": st.lists(st.sampled_from(list(FIELDS)), max_size=2),
        "distinct": st.lists(st.sampled_from(list(FIELDS)), max_size=1),
    }
)


def _generation(rows: list[dict[str, Any]], cut: int) -> Generation:
    """In two files; some keys of the first stand in the second again."""
    parts = []
    for name, some in (("a", rows[:cut]), ("b", rows[cut:])):
        part = Part(name, Version(0, 0, 0, 0, 0), datetime.now(UTC), InMemory(b""), None)
        part.rows = [{"k": number, **row} for number, row in enumerate(some)]
        part.keys = [row["k"] for row in part.rows]
        parts.append(part)
    return Generation(tuple(parts), "integer")


def _missing() -> Any:
    raise extras.Missing("numpy isn't there")


def _asked(rows: Any, cut: int, work: Callable[[Generation], Any]) -> tuple[Any, Any]:
    """What `work` answers by columns, and by records."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(query, "_FEW", 0)
        patch.setattr(masks, "FEW", 0)
        patch.setattr(aggregates, "FEW", 0)
        columns = work(_generation(rows, cut))
        patch.setattr(masks, "numpy", _missing)
        return columns, work(_generation(rows, cut))


def _request(where: Any, visible: Any, limit: int = 5, sort: tuple[str, ...] = ()) -> ListRequest:
    groups = None if visible is None else tuple(tuple(Condition(*each) for each in group) for group in visible)
    return ListRequest(limit, None, sort, tuple(Condition(*each) for each in where), groups)


@settings(deadline=None, max_examples=300, database=None)
@given(ROWS, st.integers(0, 30), ASKED, WHERE, VISIBLE)
def test_columns_sum_up_as_records_do(rows: Any, cut: int, asked: Any, where: Any, visible: Any) -> None:
    request = _request(where, visible)
    columns, records = _asked(rows, cut, lambda generation: aggregate(generation, Asked(asked, request, FIELDS)))
    assert repr(columns) == repr(records)


@settings(deadline=None, max_examples=300, database=None)
@given(ROWS, st.integers(0, 30), WHERE, VISIBLE, st.sampled_from([(), ("-k",), ("a",), ("-d", "a")]))
def test_columns_filter_as_records_do(rows: Any, cut: int, where: Any, visible: Any, sort: Any) -> None:
    def pages(generation: Generation) -> list[Any]:
        seen, after = [], None
        while True:
            request = _request(where, visible, 4, sort)
            page = Query(ListRequest(4, after, sort, request.where, request.rows), FIELDS, "k").page(generation)
            seen.append([(found.part.path, found.ordinal) for found in page.found])
            after = page.next
            if after is None:
                return seen

    columns, records = _asked(rows, cut, pages)
    assert columns == records


@settings(deadline=None, max_examples=200, database=None)
@given(st.lists(st.one_of(st.none(), st.decimals(-(10**9), 10**9, places=3).map(str)), min_size=1, max_size=20))
def test_sums_and_averages_are_those_of_fractions(values: list[str | None]) -> None:
    rows = [{"a": "", "d": value} for value in values]
    asked = Asked({"sum": ["d"], "avg": ["d"], "min": ["d"], "max": ["d"]}, _request([], None), FIELDS)
    (found,) = aggregate(_generation(rows, 0), asked)
    given = [Fraction(value) for value in values if value is not None]
    assert found["count"] == len(values)
    if not given:
        assert found["sum"] == found["avg"] == {"d": None}
        return
    assert Fraction(found["sum"]["d"]) == sum(given)
    assert abs(Fraction(found["avg"]["d"]) - sum(given) / len(given)) <= Fraction(1, 10**9) / 2
    assert Decimal(found["min"]["d"]) == min(map(Decimal, filter(None, values)))


async def test_a_dataset_is_summed_up(build: Build, drop_folder: Path, context: Contexts, sales: ModuleType) -> None:
    rows = sales.written(drop_folder, 3000)
    adapter = build(sales.SALES)
    input = {"group": ["region"], "sum": ["amount"], "avg": ["amount"], "max": ["day"], "distinct": ["day"]}
    input |= {"where": [["amount", "ge", 0], ["day", "lt", "2026-07-01"]]}
    result = await adapter.invoke("sales.aggregate", input, context())
    kept = [(region, amount) for _, region, amount, day in rows if amount >= 0 and day < "2026-07-01"]
    assert [item["group"]["region"] for item in result.value["items"]] == sorted({region for region, _ in kept})
    for item in result.value["items"]:
        amounts = [amount for region, amount in kept if region == item["group"]["region"]]
        assert item["count"] == len(amounts)
        assert item["sum"] == {"amount": f"{sum(amounts):.2f}"}
        assert item["avg"] == {"amount": f"{sum(amounts) / len(amounts):.8f}"}
        assert item["distinct"] == {"day": 6}
        assert item["max"] == {"day": "2026-06-01"}
    assert [source.object for source in result.sources] == ["sales-1.csv", "sales-2.csv"]
    operation = adapter.operations()["sales.aggregate"]
    jsonschema_rs.validator_for(operation.output).validate(result.value)
    jsonschema_rs.validator_for(operation.input).validate(input)
    assert adapter.element("sales.aggregate", "/items/*/sum/amount") == "sales.amount"
    assert adapter.element("sales.aggregate", "/items/*/count") == "sales"


async def test_no_record_is_a_count_of_none(
    build: Build, drop_folder: Path, context: Contexts, sales: ModuleType
) -> None:
    adapter = build(sales.SALES)
    none = await adapter.invoke("sales.aggregate", {"sum": ["amount"], "distinct": ["day"]}, context())
    assert none.value == {"items": [{"group": {}, "count": 0, "sum": {"amount": None}, "distinct": {"day": 0}}]}
    assert (await adapter.invoke("sales.aggregate", {"group": ["region"]}, context())).value == {"items": []}


@pytest.mark.parametrize("without", [True, False], ids=["records", "columns"])
@pytest.mark.parametrize(
    ("field", "values"),
    [("f", [1e308] * 9), ("d", ["9" * 25_000]), ("d", ["1" + "0" * 15_000, "0." + "0" * 9_000 + "1"])],
    ids=["overflow", "long", "apart"],
)
@pytest.mark.parametrize("function", ["sum", "avg"])
def test_sums_without_an_exact_answer_are_told(
    monkeypatch: pytest.MonkeyPatch, without: bool, field: str, values: list[Any], function: str
) -> None:
    if without:
        monkeypatch.setattr(masks, "numpy", _missing)
    for module in (masks, aggregates):
        monkeypatch.setattr(module, "FEW", 0)
    rows = [{"k": number, field: value} for number, value in enumerate(values)]
    asked = Asked({function: [field]}, _request([], None), FIELDS)
    if (field, function) == ("f", "avg"):
        assert aggregate(_generation(rows, 0), asked)[0]["avg"] == {"f": 1e308}
    else:
        with pytest.raises(Invalid, match="too"):
            aggregate(_generation(rows, 0), asked)


@pytest.mark.parametrize(
    ("input", "pointer"),
    [
        ({"group": ["nothing"]}, "/group/0"),
        ({"group": [["region"]]}, "/group/0"),
        ({"group": "region"}, "/group"),
        ({"sum": ["region"]}, "/sum/0"),
        ({"max": ["id"] * 17}, "/max"),
        ({"where": [["nothing", "eq", 1]]}, "/where/0"),
        ({"where": [["amount", "ge", "x"]]}, "/where/0"),
    ],
    ids=["group", "nested", "text", "sum", "many", "field", "value"],
)
async def test_what_cannot_be_summed_up_is_told(
    build: Build, context: Contexts, input: dict[str, Any], pointer: str, sales: ModuleType
) -> None:
    with pytest.raises(Invalid) as caught:
        await build(sales.SALES).invoke("sales.aggregate", input, context())
    assert [error.pointer for error in caught.value.errors] == [pointer]


async def test_groups_are_bounded(
    build: Build, drop_folder: Path, context: Contexts, monkeypatch: pytest.MonkeyPatch, sales: ModuleType
) -> None:
    sales.written(drop_folder, 1200)
    monkeypatch.setattr("adapters.files.aggregates.MAX_GROUPS", 1000)
    adapter = build(sales.SALES)
    with pytest.raises(Invalid, match="more than 1000 groups"):
        await adapter.invoke("sales.aggregate", {"group": ["id"]}, context())
    monkeypatch.setattr("adapters.files.tally.MOST_DIFFERENT", 1000)
    with pytest.raises(Invalid, match="more than 1000 different values"):
        await adapter.invoke("sales.aggregate", {"distinct": ["id"]}, context())
    with pytest.raises(Invalid, match="more than 1000 different values"):  # of all groups together
        await adapter.invoke("sales.aggregate", {"group": ["region"], "distinct": ["id"]}, context())


async def test_a_packed_file_whose_records_are_not_kept_is_sorted(
    build: Build, drop_folder: Path, context: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its copy is shorter than the file, so that reading in big pieces must end with the copy."""
    rows = "".join(f'<r  id = "{n}"   note = "{n % 7}"   ></r>\n' for n in range(100))
    (drop_folder / "big.xml").write_text(f"<all>{' ' * 50_000}{rows}</all>")
    monkeypatch.setattr("adapters.files.dataset._ROWS_BYTES", 0)
    columns = {"id": {"type": "integer", "from": "@id"}, "note": {"from": "@note"}}
    dataset = {"match": "big.xml", "format": "xml", "key": "id", "options": {"record": "/all/r", "columns": columns}}
    found = await build({"big": dataset}).invoke("big.list", {"sort": ["-note"], "limit": 3}, context())
    assert [item["id"] for item in found.value["items"]] == [6, 13, 20]
