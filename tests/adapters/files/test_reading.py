"""Records by key and in lists: what is found, refused, undecodable or out of reach."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Context, ListRequest
from adapters.errors import BadReply, Invalid, NotFound, Unavailable, UnknownOutcome
from adapters.files.adapter import FilesAdapter
from adapters.files.query import Query

Build = Callable[..., FilesAdapter]
Task = Callable[..., bytes]
Contexts = Callable[..., Context]


async def _settled(adapter: FilesAdapter, context: Context) -> None:
    """A probe looks at the folder now and waits for what it finds."""
    assert (await adapter.probe(context)).ok


async def _keys(adapter: FilesAdapter, context: Context, **request: Any) -> list[str]:
    result = await adapter.invoke("tasks.list", request, context)
    return [item["task_id"] for item in result.value["items"]]


async def test_a_record_by_its_key(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts
) -> None:
    (drop_folder / "TASKMAST.DAT").write_bytes(task("A1") + task("A2", title="Zweite", amount=b"\x00\x00\x05\x0d"))
    adapter = build(tasks)
    result = await adapter.invoke("tasks.get", {"task_id": "A2"}, context())
    assert result.value == {
        "task_id": "A2",
        "title": "Zweite",
        "due_date": 20270131,
        "priority": "low",
        "amount": "-0.50",
        "status_code": "Q",
    }
    source = result.sources[0]
    size = len(task("A1"))
    assert (source.system, source.object, source.key, source.span) == ("work", "TASKMAST.DAT", "A2", (size, 2 * size))
    assert result.as_of.timestamp() == pytest.approx((drop_folder / "TASKMAST.DAT").stat().st_mtime)
    with pytest.raises(NotFound):
        await adapter.invoke("tasks.get", {"task_id": "A3"}, context())
    with pytest.raises(Invalid):
        await adapter.invoke("tasks.get", {}, context())


async def test_the_first_pattern_wins_and_the_later_name_within_one(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts
) -> None:
    (drop_folder / "TASKMAST.DAT").write_bytes(task("A1", title="master"))
    (drop_folder / "in/TASK-A1.DAT").write_bytes(task("A1", title="pending"))
    (drop_folder / "in/TASK-B1.DAT").write_bytes(task("B", title="earlier"))
    (drop_folder / "in/TASK-B2.DAT").write_bytes(task("B", title="later"))
    adapter = build(tasks)
    assert (await adapter.invoke("tasks.get", {"task_id": "A1"}, context())).value["title"] == "master"
    assert (await adapter.invoke("tasks.get", {"task_id": "B"}, context())).value["title"] == "later"
    assert await _keys(adapter, context()) == ["A1", "B"]


async def test_lists_filter_sort_and_page(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts
) -> None:
    records = [task(f"T{n:03}", due=f"2027{n % 12 + 1:02}01", title=f"Title {n % 7}") for n in range(100)]
    (drop_folder / "TASKMAST.DAT").write_bytes(b"".join(reversed(records)))
    adapter = build(tasks)
    seen: list[str] = []
    after = None
    while True:
        request = {"limit": 7, "after": after, "sort": ["-due_date", "title"]}
        page = (await adapter.invoke("tasks.list", request, context())).value
        seen += [item["task_id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    rank = {f"T{n:03}": (-(n % 12), n % 7, n) for n in range(100)}
    assert seen == sorted(rank, key=lambda key: rank[key])
    assert await _keys(adapter, context(), limit=3, sort=["-task_id"]) == ["T099", "T098", "T097"]
    assert await _keys(adapter, context(), limit=2, sort=["-task_id"], after=["T098"]) == ["T097", "T096"]
    where = [["due_date", "in", [20270101, "20270201"]], ["task_id", "lt", "T020"], ["title", "like", "Tit%_ 1"]]
    assert await _keys(adapter, context(), where=where) == ["T001"]
    assert await _keys(adapter, context(), where=[["amount", "gt", "123.449"], ["task_id", "ge", "T098"]]) == [
        "T098",
        "T099",
    ]
    assert await _keys(adapter, context(), where=[["amount", "eq", "123.4500"], ["task_id", "le", "T001"]]) == [
        "T000",
        "T001",
    ]
    assert await _keys(adapter, context(), where=[["due_date", "null", True]]) == []


@pytest.mark.parametrize(
    "request_",
    [
        {"limit": 0},
        {"limit": 5000},
        {"limit": True},
        {"sort": ["nothing"]},
        {"where": [["nothing", "eq", 1]]},
        {"where": [["due_date", "eq", "1_000"]]},
        {"where": [["due_date", "eq", "²"]]},
        {"where": [["due_date", "like", "1"]]},
        {"where": [["title", "about", "x"]]},
        {"where": [["title", "eq"]]},
        {"after": "T1"},
        {"after": [["x"]]},
    ],
)
async def test_a_wrong_list_is_refused(
    build: Build, tasks: dict[str, Any], context: Contexts, request_: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        await build(tasks).invoke("tasks.list", request_, context())


async def test_a_page_continues_in_a_new_generation(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts
) -> None:
    master = drop_folder / "TASKMAST.DAT"
    master.write_bytes(b"".join(task(f"T{n}") for n in range(0, 8, 2)))
    adapter = build(tasks)
    first = (await adapter.invoke("tasks.list", {"limit": 2}, context())).value
    assert [item["task_id"] for item in first["items"]] == ["T0", "T2"]
    (drop_folder / "new").write_bytes(b"".join(task(f"T{n}") for n in (1, 3, 5, 7)))
    os.replace(drop_folder / "new", master)
    await _settled(adapter, context())
    assert await _keys(adapter, context(), after=first["next"]) == ["T3", "T5", "T7"]


@pytest.mark.parametrize("wrong", [b"\x00\x12\x34\x57", b"\x00\x12\xa4\x5c", b"    ", b"\x00\x00\x00\x00"])
async def test_an_undecodable_record_is_counted_listed_and_never_guessed(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts, tmp_path: Path, wrong: bytes
) -> None:
    (drop_folder / "TASKMAST.DAT").write_bytes(task("A1") + task("A2", amount=wrong) + task("A3"))
    (drop_folder / "in/TASK-A2.DAT").write_bytes(task("A2"))
    adapter = build(tasks)
    size = len(task("A1"))
    with pytest.raises(BadReply, match=rf"tasks .*bytes {size} to {2 * size}.*AMOUNT"):
        await adapter.invoke("tasks.get", {"task_id": "A2"}, context())
    result = await adapter.invoke("tasks.list", {}, context())
    assert [item["task_id"] for item in result.value["items"]] == ["A1", "A3"]
    assert result.warnings == ("1 record of tasks can't be decoded; left out here and listed in quarantine",)
    probe = await adapter.probe(context())
    assert probe.ok
    assert probe.facts["tasks"]["undecodable"] == 1
    listed = (tmp_path / "cache/quarantine.jsonl").read_text().splitlines()
    assert len(listed) == 1
    assert f'"file": "TASKMAST.DAT", "start": {size}, "end": {2 * size}' in listed[0]


async def test_no_record_is_said_not_to_exist_when_a_file_is_lost(
    build: Build, drop_folder: Path, context: Contexts
) -> None:
    (drop_folder / "a.csv").write_bytes(b"sku,qty\nA,1\n")
    (drop_folder / "b.csv").write_bytes(b"wrong,header\nB,1\n")
    adapter = build({"stock": {"match": "*.csv", "format": "csv", "key": "sku"}})
    assert (await adapter.invoke("stock.get", {"sku": "A"}, context())).value["qty"] == "1"
    with pytest.raises(BadReply, match=r"bytes 0 to 17.*lacks the column sku"):
        await adapter.invoke("stock.get", {"sku": "B"}, context())


async def test_a_record_without_key_is_undecodable(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts
) -> None:
    (drop_folder / "TASKMAST.DAT").write_bytes(task("") + task("A1"))
    result = await build(tasks).invoke("tasks.list", {}, context())
    assert [item["task_id"] for item in result.value["items"]] == ["A1"]
    assert len(result.warnings) == 1


async def test_nothing_outside_of_root_is_read(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "TASK-S.DAT").write_bytes(task("SECRET"))
    (drop_folder / "in/TASK-1.DAT").symlink_to(outside / "TASK-S.DAT")
    (drop_folder / "in/TASK-2.DAT").symlink_to("../../outside/TASK-S.DAT")
    (drop_folder / "real").mkdir()
    (drop_folder / "real/T.DAT").write_bytes(task("INSIDE"))
    (drop_folder / "in/TASK-3.DAT").symlink_to("../real/T.DAT")
    os.mkfifo(drop_folder / "in/TASK-4.DAT")
    (drop_folder / "in/TASK-5.DAT").mkdir()
    adapter = build(tasks)
    assert await _keys(adapter, context()) == ["INSIDE"]
    (drop_folder / "in").rename(drop_folder / "gone")
    (drop_folder / "in").symlink_to(outside)
    assert not (await adapter.probe(context())).ok
    with suppress(Unavailable):
        assert await _keys(adapter, context()) == ["INSIDE"]


async def test_a_missing_root_is_unavailable_and_may_come_later(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts
) -> None:
    moved = drop_folder.with_name("elsewhere")
    os.rename(drop_folder, moved)
    adapter = build(tasks)
    with pytest.raises(Unavailable):
        await adapter.open()
    with pytest.raises(Unavailable):
        await adapter.invoke("tasks.get", {"task_id": "A1"}, context())
    assert not (await adapter.probe(context())).ok
    (moved / "TASKMAST.DAT").write_bytes(task("A1"))
    os.rename(moved, drop_folder)
    assert (await adapter.invoke("tasks.get", {"task_id": "A1"}, context())).value["task_id"] == "A1"


async def test_a_slow_folder_ends_the_call_at_its_deadline(
    build: Build, tasks: dict[str, Any], context: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = build(tasks)
    await adapter.open()
    monkeypatch.setattr(adapter._datasets["tasks"], "refresh", lambda force=False: time.sleep(0.5))
    adapter._datasets["tasks"].generation = None
    with pytest.raises(UnknownOutcome, match="in time"):
        await adapter.invoke("tasks.get", {"task_id": "A1"}, context(0.05))
    with pytest.raises(Unavailable, match="nothing was written"):
        await adapter.invoke("tasks.append", {"task_id": "A1"}, context(0.05))


async def test_a_list_that_takes_too_long_is_ended(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts
) -> None:
    (drop_folder / "TASKMAST.DAT").write_bytes(b"".join(task(f"T{n}") for n in range(10)))
    adapter = build(tasks)
    await adapter.open()
    dataset = adapter._datasets["tasks"]
    assert dataset.generation is not None
    for sort in ((), ("title",)):
        query = Query(ListRequest(5, sort=sort), dataset.generation.fields(), "task_id")
        with pytest.raises(TimeoutError):
            query.page(dataset.generation, time.monotonic() - 1)
