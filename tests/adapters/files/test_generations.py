"""Earlier generations: read as of a moment, a list continued in the one that it began in, and no more than so many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from adapters.contract import Context
from adapters.errors import ConfigError, Invalid, NotFound
from adapters.files.adapter import FilesAdapter

Build = Callable[..., FilesAdapter]
Contexts = Callable[..., Context]

STOCK = {
    "stock": {
        "match": "stock*.csv",
        "format": "csv",
        "key": "sku",
        "generations": 3,
        "options": {"columns": {"sku": "text", "day": "integer"}},
    }
}


def _deliver(folder: Path, day: int, records: int = 5, name: str = "stock.csv") -> None:
    """The file of a day of October 2026, renamed into place, written at six o'clock."""
    temporary = folder / f"{name}.tmp"
    temporary.write_text("sku,day\n" + "".join(f"S{number},{day}\n" for number in range(records)))
    moment = datetime(2026, 10, day, 6, tzinfo=UTC).timestamp()
    os.utime(temporary, (moment, moment))
    os.replace(temporary, folder / name)


async def _day(adapter: FilesAdapter, context: Contexts, **input: Any) -> int:
    day: int = (await adapter.invoke("stock.get", {"sku": "S1", **input}, context())).value["day"]
    return day


@pytest.fixture
async def stock(build: Build, drop_folder: Path, context: Contexts) -> FilesAdapter:
    """Four deliveries, each seen."""
    adapter = build(STOCK)
    for day in (1, 2, 3, 4):
        _deliver(drop_folder, day)
        await adapter.probe(context())
    return adapter


async def test_a_moment_finds_the_newest_generation_not_later(stock: FilesAdapter, context: Contexts) -> None:
    assert await _day(stock, context) == 4
    assert await _day(stock, context, as_of=None) == 4
    assert await _day(stock, context, as_of="2026-10-03") == 3
    assert await _day(stock, context, as_of="2026-10-03T05:59:59Z") == 2
    assert await _day(stock, context, as_of="2026-10-03T08:00:00+02:00") == 3
    assert await _day(stock, context, as_of="2030-01-01") == 4
    assert await _day(stock, context, as_of="2026-10-02T06:00:00.000000Z") == 2
    with pytest.raises(NotFound, match="the oldest is of 2026-10-02T06:00:00"):
        await _day(stock, context, as_of="2026-10-01")


@pytest.mark.parametrize("as_of", ["yesterday", "2026-10-02T06:00:00", "2026-13-01", 5, "9999-12-31T23:59:59-23:00"])
async def test_what_is_no_moment_is_told(stock: FilesAdapter, context: Contexts, as_of: Any) -> None:
    with pytest.raises(Invalid) as caught:
        await _day(stock, context, as_of=as_of)
    assert [error.pointer for error in caught.value.errors] == ["/as_of"]


async def test_lists_sums_and_lineage_are_of_that_generation(stock: FilesAdapter, context: Contexts) -> None:
    moment = {"as_of": "2026-10-02"}
    page = await stock.invoke("stock.list", {"limit": 10, **moment}, context())
    assert {item["day"] for item in page.value["items"]} == {2}
    assert page.as_of == datetime(2026, 10, 2, 6, tzinfo=UTC)
    assert {source.object for source in page.sources} == {"stock.csv@2026-10-02T06:00:00.000000Z"}
    sums = await stock.invoke("stock.aggregate", {"max": ["day"], **moment}, context())
    assert sums.value["items"][0]["max"] == {"day": 2}
    assert sums.sources[0].object == "stock.csv@2026-10-02T06:00:00.000000Z"
    batches = [batch async for batch in stock.bulk("stock.list", moment, context())]
    assert {item["day"] for batch in batches for item in batch} == {2}


async def test_generations_are_listed_and_bounded(stock: FilesAdapter, context: Contexts, tmp_path: Path) -> None:
    listed = await stock.invoke("stock.generations", {}, context())
    jsonschema_rs.validator_for(stock.operations()["stock.generations"].output).validate(listed.value)
    names = [f"2026-10-0{day}T06:00:00.000000Z" for day in (4, 3, 2)]
    assert [item["generation"] for item in listed.value["items"]] == names
    assert [item["current"] for item in listed.value["items"]] == [True, False, False]
    assert {item["files"] for item in listed.value["items"]} == {1}
    kept = [path.name for path in (tmp_path / "cache/generations/stock").iterdir()]
    assert len(kept) == 3 + 3 + 1  # a list and a copy each, and the lock


async def test_a_list_goes_on_in_its_generation_until_that_is_gone(
    stock: FilesAdapter, drop_folder: Path, context: Contexts
) -> None:
    page = (await stock.invoke("stock.list", {"limit": 2}, context())).value
    for day in (5, 6):
        _deliver(drop_folder, day, 3)
        await stock.probe(context())
    following = (await stock.invoke("stock.list", {"limit": 2, "after": page["next"]}, context())).value
    assert [(item["sku"], item["day"]) for item in following["items"]] == [("S2", 4), ("S3", 4)]
    _deliver(drop_folder, 7, 3)
    await stock.probe(context())
    with pytest.raises(Invalid) as caught:
        await stock.invoke("stock.list", {"limit": 2, "after": following["next"]}, context())
    assert [error.pointer for error in caught.value.errors] == ["/after"]
    assert "begin the list anew" in caught.value.errors[0].message


@pytest.mark.parametrize("after", [{}, {"generation": "../../etc", "after": None}, {"generation": ["x"]}])
async def test_a_position_that_was_made_up_is_refused(stock: FilesAdapter, context: Contexts, after: Any) -> None:
    with pytest.raises(Invalid):
        await stock.invoke("stock.list", {"limit": 2, "after": after}, context())


async def test_generations_outlive_the_process(
    build: Build, stock: FilesAdapter, drop_folder: Path, context: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stock.close()
    assert await _day(build(STOCK), context, as_of="2026-10-02") == 2
    monkeypatch.setattr("adapters.files.dataset._CONTENT_BYTES", 0)  # as big files are
    monkeypatch.setattr("adapters.files.dataset._SMALL", 0)
    again = build(STOCK)
    assert await _day(again, context, as_of="2026-10-03") == 3
    assert len((await again.invoke("stock.generations", {}, context())).value["items"]) == 3


async def test_a_file_written_into_keeps_what_it_was(build: Build, drop_folder: Path, context: Contexts) -> None:
    adapter = build(STOCK)
    _deliver(drop_folder, 1)
    assert await _day(adapter, context) == 1
    (drop_folder / "stock.csv").write_text("sku,day\nS1,9\n")
    await adapter.probe(context())
    assert await _day(adapter, context) == 9
    assert await _day(adapter, context, as_of="2026-10-01") == 1


async def test_an_older_file_put_back_is_a_generation_of_its_own(
    stock: FilesAdapter, drop_folder: Path, context: Contexts
) -> None:
    before = datetime.now(UTC)
    _deliver(drop_folder, 1)
    await stock.probe(context())
    newest = (await stock.invoke("stock.generations", {}, context())).value["items"][0]["generation"]
    assert before <= datetime.fromisoformat(newest) <= datetime.now(UTC) + timedelta(seconds=1)
    assert await _day(stock, context) == 1
    assert await _day(stock, context, as_of="2026-10-04") == 4


KEEPER = """
import asyncio, json, sys, time
from pathlib import Path
from adapters.contract import Context, Workspace
from adapters.files import KIND
config = KIND.config.model_validate({"root": sys.argv[1], "datasets": json.loads(sys.argv[2])})
async def main():
    adapter = KIND.build("work", config, Workspace({}, Path(sys.argv[3])))
    for _ in range(60):
        await adapter.probe(Context(time.monotonic() + 10))
    await adapter.close()
asyncio.run(main())
"""


def _workers(folder: Path, datasets: dict[str, Any], cache: Path) -> list[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", KEEPER, str(folder), json.dumps(datasets), str(cache)]
    return [subprocess.Popen(command) for _ in range(2)]


async def test_workers_keep_each_generation_once(
    build: Build, drop_folder: Path, context: Contexts, tmp_path: Path
) -> None:
    datasets = {"stock": {**STOCK["stock"], "generations": 100}}
    adapter = build(datasets)
    _deliver(drop_folder, 1)
    workers = _workers(drop_folder, datasets, tmp_path / "cache")
    day = 1
    while any(worker.poll() is None for worker in workers):
        day = min(day + 1, 25)
        _deliver(drop_folder, day)
        await adapter.probe(context())
    assert [worker.returncode for worker in workers] == [0, 0]
    items = (await adapter.invoke("stock.generations", {}, context())).value["items"]
    names = [item["generation"] for item in items]
    assert len(set(names)) == len(names)
    for name in names:
        wanted = (await adapter.invoke("stock.list", {"limit": 9, "as_of": name}, context())).value["items"]
        assert len({item["day"] for item in wanted}) == 1


def test_appended_records_make_no_generations(build: Build) -> None:
    dataset = {**STOCK["stock"], "append": "stock-{sku}.csv"}
    with pytest.raises(ConfigError, match="say one or the other"):
        build({"stock": dataset})
