"""Requests and answers as files: one request a key, whoever is killed when; an unknown outcome is looked up."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.capabilities import SupportsLookup
from adapters.contract import Context
from adapters.errors import BadReply, ConfigError, Conflict, Invalid, Unavailable, UnknownOutcome
from adapters.files.adapter import FilesAdapter

Build = Callable[..., FilesAdapter]
ASKED = {"sku": "A-1", "quantity": 3}


def within(seconds: float = 10.0, key: str | None = None) -> Context:
    return Context(time.monotonic() + seconds, idempotency_key=key)


def _kept(folder: Path) -> dict[str, set[str]]:
    return {path.name: {each.name for each in path.iterdir()} for path in (folder / "kept/quotes").iterdir()}


async def test_a_request_is_answered_and_both_are_kept(quotes: Any, legacy: Any, drop_folder: Path) -> None:
    legacy.start()
    result = await quotes().invoke("quote.ask", ASKED, within(key="k1"))
    (id,) = legacy.seen
    assert result.value == {"id": id, "price": "12.50"}
    assert (result.sources[0].object, result.sources[0].key) == (f"in/A-{id}.csv", id)
    assert _kept(drop_folder) == {id: {"request", "answer.json", "answer"}}
    assert (drop_folder / f"kept/quotes/{id}/request").read_bytes() == f"id,sku,quantity\r\n{id},A-1,3\r\n".encode()
    assert list((drop_folder / "in").iterdir()) == []


async def test_a_repeated_call_is_one_request_also_after_a_restart(quotes: Any, legacy: Any) -> None:
    legacy.start()
    first = quotes()
    told = [await first.invoke("quote.ask", ASKED, within(key="k1")) for _ in range(2)]
    told.append(await quotes().invoke("quote.ask", ASKED, within(key="k1")))
    assert len({json.dumps(result.value) for result in told}) == 1
    await quotes().invoke("quote.ask", ASKED, within(key="k2"))
    await quotes().invoke("quote.ask", ASKED, within())
    await quotes().invoke("quote.ask", ASKED, within())
    assert len(legacy.seen) == len(set(legacy.seen)) == 4


async def test_no_answer_in_time_is_unknown_until_it_is_looked_up(quotes: Any, legacy: Any, drop_folder: Path) -> None:
    adapter = quotes()
    assert isinstance(adapter, SupportsLookup)
    assert await adapter.lookup("quote.ask", "k1", within()) is None
    with pytest.raises(UnknownOutcome):
        await adapter.invoke("quote.ask", ASKED, within(0.6, "k1"))
    with pytest.raises(UnknownOutcome, match="was sent"):
        await adapter.lookup("quote.ask", "k1", within())
    with pytest.raises(UnknownOutcome):
        await adapter.lookup("requests.append", "k1", within())
    legacy.take()
    other = quotes()
    found = await other.lookup("quote.ask", "k1", within())
    assert found is not None
    assert found.value["price"] == "12.50"
    assert (await adapter.invoke("quote.ask", ASKED, within(key="k1"))).value == found.value
    assert len(legacy.seen) == 1


async def test_who_waits_gets_the_answer_of_a_request_that_another_sent(quotes: Any, legacy: Any) -> None:
    calls = [asyncio.create_task(quotes().invoke("quote.ask", ASKED, within(key="k1"))) for _ in range(4)]
    await asyncio.sleep(0.5)
    legacy.start()
    assert len({(await call).value["id"] for call in calls}) == 1
    assert len(legacy.seen) == 1


async def test_what_was_looked_up_before_it_was_sent_is_not_sent_by_who_prepared_it(
    quotes: Any, legacy: Any, drop_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter, other = quotes(), quotes()
    await adapter.open()
    (parts,) = adapter._asking._parts.values()
    stalled, going = threading.Event(), threading.Event()
    send = parts.ledger.send

    def slow(*args: Any) -> None:
        stalled.set()
        assert going.wait(10)
        send(*args)

    monkeypatch.setattr(parts.ledger, "send", slow)
    call = asyncio.create_task(adapter.invoke("quote.ask", ASKED, within(key="k1")))
    await asyncio.to_thread(stalled.wait, 10)
    assert await other.lookup("quote.ask", "k1", within()) is None
    going.set()
    with pytest.raises(Unavailable, match="nothing was sent"):
        await call
    assert list((drop_folder / "out").iterdir()) == []
    legacy.start()
    await other.invoke("quote.ask", ASKED, within(key="k1"))
    assert len(legacy.seen) == 1


async def test_an_answer_that_is_being_written_is_waited_for(quotes: Any, legacy: Any, drop_folder: Path) -> None:
    legacy.answering = False
    legacy.start()
    call = asyncio.create_task(quotes().invoke("quote.ask", ASKED, within(key="k1")))
    await legacy.asked(1)
    (id,) = legacy.seen
    with (drop_folder / f"in/A-{id}.csv").open("w") as file:
        file.write(f"id,price\n{id},1")
        file.flush()
        await asyncio.sleep(0.5)
        assert not call.done()
        file.write("2.75\n")
    assert (await call).value == {"id": id, "price": "12.75"}


async def test_a_file_with_other_answers_stays(quotes: Any, legacy: Any, drop_folder: Path) -> None:
    legacy.answering = False
    legacy.start()
    calls = [asyncio.create_task(quotes().invoke("quote.ask", ASKED, within(key=f"k{n}"))) for n in range(2)]
    await legacy.asked(2)
    legacy.answer(*legacy.seen)
    assert {(await call).value["id"] for call in calls} == set(legacy.seen)
    assert len(list((drop_folder / "in").iterdir())) == 1
    assert set(map(frozenset, _kept(drop_folder).values())) == {frozenset({"request", "answer.json"})}


async def test_an_answer_that_cannot_be_decoded_is_a_bad_reply(quotes: Any, legacy: Any) -> None:
    legacy.answering = False
    legacy.start()
    adapter = quotes()
    call = asyncio.create_task(adapter.invoke("quote.ask", ASKED, within(key="k1")))
    await legacy.asked(1)
    legacy.answer(*legacy.seen, price="twelve")
    with pytest.raises(BadReply, match="price isn't a decimal number"):
        await call
    legacy.answer(*legacy.seen)  # mended
    assert (await adapter.invoke("quote.ask", ASKED, within(key="k1"))).value["price"] == "12.50"
    assert len(legacy.seen) == 1


async def test_late_answers_are_kept_and_old_ones_removed(quotes: Any, legacy: Any, drop_folder: Path) -> None:
    from adapters.files import asking

    adapter = quotes()
    with pytest.raises(UnknownOutcome):
        await adapter.invoke("quote.ask", ASKED, within(0.5, "k1"))
    legacy.take()
    (drop_folder / "in/A-hostile.csv").write_text('id,price\n"../../../../../../../out/x",1\n')
    await adapter.probe(within())
    (parts,) = adapter._asking._parts.values()
    await asyncio.to_thread(asking.tidy, parts)
    (id,) = legacy.seen
    assert _kept(drop_folder) == {id: {"request", "answer.json", "answer"}}
    assert [path.name for path in (drop_folder / "in").iterdir()] == ["A-hostile.csv"]
    left = drop_folder / "kept/quotes/.figway-0.tmp"
    left.mkdir()
    for path in (drop_folder / "kept/quotes" / id, left):
        os.utime(path, (1, 1))
    await asyncio.to_thread(asking.tidy, parts)
    assert _kept(drop_folder) == {}


async def test_hostile_input_names_no_file(quotes: Any, legacy: Any, drop_folder: Path, tmp_path: Path) -> None:
    adapter = quotes()
    with pytest.raises(Invalid) as caught:
        await adapter.invoke("quote.ask", {**ASKED, "id": "../x"}, within())
    assert [error.pointer for error in caught.value.errors] == ["/id"]
    assert await adapter.lookup("quote.ask", "../../etc/passwd\0", within()) is None
    assert "id" not in adapter.operations()["quote.ask"].input["properties"]
    (tmp_path / "outside").mkdir()
    (drop_folder / "kept").symlink_to(tmp_path / "outside")
    with pytest.raises(Unavailable):
        await adapter.invoke("quote.ask", ASKED, within(key="k1"))
    assert list((tmp_path / "outside").iterdir()) == []
    assert list((drop_folder / "out").iterdir()) == []


async def test_a_file_of_the_requests_name_is_not_written_over(quotes: Any, legacy: Any, drop_folder: Path) -> None:
    adapter = quotes()
    await adapter.open()
    (parts,) = adapter._asking._parts.values()
    id = adapter._asking._id(parts, "k1")
    (drop_folder / f"out/R-{id}.csv").write_text("somebody's")
    with pytest.raises(Conflict):
        await adapter.invoke("quote.ask", ASKED, within(key="k1"))
    assert (drop_folder / f"out/R-{id}.csv").read_text() == "somebody's"


async def test_a_missing_folder_sends_nothing(quotes: Any, legacy: Any, drop_folder: Path) -> None:
    adapter = quotes()
    (drop_folder / "out").rmdir()
    with pytest.raises(Unavailable):
        await adapter.invoke("quote.ask", ASKED, within(key="k1"))
    (drop_folder / "out").mkdir()
    legacy.start()
    await adapter.invoke("quote.ask", ASKED, within(key="k1"))
    assert len(legacy.seen) == 1


@pytest.mark.parametrize(
    ("datasets", "change", "where"),
    [
        ({}, {"request": "nothing"}, "/exchanges/quote/request"),
        ({"requests": {"append": None}}, {}, "/exchanges/quote/request"),
        ({"requests": {"append": "out/R-{id}-{sku}.csv"}}, {}, "/exchanges/quote/request"),
        ({"answers": {"key": "price"}}, {}, "/exchanges/quote/answer"),
    ],
    ids=["unknown", "read only", "name", "key"],
)
def test_what_keeps_an_exchange_from_working_is_told(
    build: Build, exchange: Any, datasets: Any, change: Any, where: str
) -> None:
    changed = {name: {**dataset, **datasets.get(name, {})} for name, dataset in exchange["datasets"].items()}
    with pytest.raises(ConfigError) as caught:
        build(changed, exchanges={"quote": {**exchange["exchanges"]["quote"], **change}})
    assert [problem.where for problem in caught.value.problems] == [where]


def test_without_exchanges_nothing_can_be_looked_up(build: Build, exchange: Any) -> None:
    assert not isinstance(build(exchange["datasets"]), SupportsLookup)
