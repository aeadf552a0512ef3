"""Operations that are read again and again, and columns that grow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters.changes import PositionLost, What
from adapters.contract import Context, Effect, Operation, Result
from adapters.errors import BadReply
from gateway.freshness.polled import Polled, Watermark
from gateway.routing.captures import CaptureModel


class Answering:
    """An adapter whose operations answer what a test says."""

    name = "crm"

    def __init__(self, value: Any = None, rows: list[dict[str, Any]] | None = None) -> None:
        self.value, self.rows = value, rows or []

    def operations(self) -> Mapping[str, Operation]:
        return {
            "ListCustomers": Operation("ListCustomers", Effect.READ, {}, {}),
            "stock.list": Operation("stock.list", Effect.READ, {}, {}, is_list=True),
            "stock.get": Operation("stock.get", Effect.READ, {"required": ["sku"]}, {}),
        }

    async def invoke(self, operation: str, input: Mapping[str, Any], context: Context) -> Result:
        if operation == "ListCustomers":
            return Result(self.value, datetime.now(UTC))
        sort = input["sort"][0]
        column = sort.removeprefix("-")
        rows = [each for each in self.rows if each[column] is not None]
        for name, operator, value in input["where"]:
            rows = [each for each in rows if operator != "ge" or each[name] >= value]
        rows.sort(key=lambda each: each[column], reverse=sort.startswith("-"))
        start = input.get("after") or 0
        page = rows[start : start + 2]
        following = start + 2 if start + 2 < len(rows) else None
        return Result({"items": page, "next": following}, datetime.now(UTC))


def _model(**given: Any) -> CaptureModel:
    return CaptureModel.model_validate(given)


_LISTED = {"method": "diff", "operation": "ListCustomers", "key": ["Id"], "items": "Result.Customer"}


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ({"Result": {"Customer": [{"Id": "1"}, {"Id": "2"}]}}, [("1",), ("2",)]),
        ({"Result": {"Customer": {"Id": "1"}}}, [("1",)]),
        ({"Result": {}}, []),
    ],
    ids=["several", "one that isn't spelt as a list", "none"],
)
async def test_the_entities_of_an_answer(value: Any, keys: list[Any]) -> None:
    capture = Polled(Answering(value), _model(**_LISTED), "customers")
    page = await capture.page(None, 100, 0.0)
    assert [key for key, _ in page.rows] == keys
    assert page.after is None


@pytest.mark.parametrize("value", [{"Result": {"Customer": [1]}}, {"Result": {"Customer": [{"Name": "x"}]}}])
async def test_an_answer_without_entities_or_keys_is_no_answer(value: Any) -> None:
    capture = Polled(Answering(value), _model(**_LISTED), "customers")
    with pytest.raises(BadReply):
        await capture.page(None, 100, 0.0)


async def test_everything_is_due_again_after_a_while() -> None:
    now = [1000.0]
    capture = Polled(Answering({}), _model(**_LISTED, every="5m"), "customers", lambda: now[0])
    position = await capture.begin(0.0)
    now[0] += 299
    assert not (await capture.changes(position, 10, 0.0)).changes
    now[0] += 2
    with pytest.raises(PositionLost):
        await capture.changes(position, 10, 0.0)
    now[0] -= 10_000  # a clock that was set back must not put it off for ever
    with pytest.raises(PositionLost):
        await capture.changes(position, 10, 0.0)


async def test_what_takes_longer_to_read_than_the_pause_is_read_to_its_end() -> None:
    now = [1000.0]
    source = Answering({"Result": {"Customer": {"Id": "1"}, "More": "1"}})
    pages = {"limit": "Limit", "after": "After", "next": "Result.More"}
    capture = Polled(source, _model(**_LISTED, every="5s", pages=pages), "customers", lambda: now[0])
    answer = source.invoke

    async def slow(*asked: Any) -> Result:
        now[0] += 3.1
        return await answer(*asked)

    source.invoke = slow  # type: ignore[method-assign]
    position = await capture.begin(0.0)
    for after in (None, "0", "2", "3"):
        page = await capture.page(after, 100, 0.0)
        assert page.after == "1"
        now[0] += 1.55  # the load's pause
        assert (await capture.changes(position, 10, 0.0)).until == 1000.0
    with pytest.raises(BadReply):
        await capture.page("1", 100, 0.0)
    now[0] += 20
    with pytest.raises(PositionLost):
        await capture.changes(position, 10, 0.0)


async def _grown(capture: Watermark, position: str) -> tuple[list[Any], str]:
    found: list[Any] = []
    while True:
        batch = await capture.changes(position, 10, 0.0)
        found += batch.changes
        position = batch.position
        if not batch.more:
            return found, position


async def test_a_watermark_looks_back_as_far_as_it_is_told() -> None:
    rows: list[dict[str, Any]] = [{"sku": f"A{n}", "n": n} for n in range(10)]
    source = Answering(rows=rows)
    capture = Watermark(source, _model(method="watermark", column="n", overlap="3s"), "stock")  # type: ignore[arg-type]
    position = await capture.begin(0.0)
    assert orjson.loads(position)["mark"] == 9
    rows += [{"sku": "B", "n": 12}, {"sku": "late", "n": 7}, {"sku": "too late", "n": 2}, {"sku": "none", "n": None}]
    found, position = await _grown(capture, position)
    assert [each.key[0] for each in found] == ["A6", "A7", "late", "A8", "A9", "B"]
    assert {each.what for each in found} == {What.STATE}
    assert len({each.id for each in found}) == 6
    found, _ = await _grown(capture, position)
    assert [each.key[0] for each in found] == ["A9", "B"]


async def test_a_watermark_of_an_empty_table_begins_with_its_first_row() -> None:
    source = Answering(rows=[])
    capture = Watermark(source, _model(method="watermark", column="n"), "stock")
    position = await capture.begin(0.0)
    assert (await _grown(capture, position))[0] == []
    source.rows.append({"sku": "A", "n": 5})
    found, position = await _grown(capture, position)
    assert [each.key for each in found] == [("A",)]
    assert orjson.loads(position)["mark"] == 5
