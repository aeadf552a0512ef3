"""Answers that are kept, as callers of a gateway with two workers see them."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import Any

import httpx
import pytest

_fresh = count()


@pytest.fixture
def sku() -> str:
    """A key that nobody has asked for."""
    return f"K{next(_fresh)}"


async def _gathered(shop: Any, path: str, calls: int, params: dict[str, Any], **headers: str) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=calls)
    headers = {"authorization": shop.running.reader, **headers}
    async with httpx.AsyncClient(base_url=shop.running.url, headers=headers, timeout=60, limits=limits) as client:
        return await asyncio.gather(*(client.get(path, params=params) for _ in range(calls)))


def test_an_answer_serves_until_its_time_is_over(client: httpx.Client, shop: Any, sku: str) -> None:
    replies = [client.get(f"/kept/{sku}") for _ in range(20)]
    assert {reply.status_code for reply in replies} == {200}
    assert shop.asked(sku) <= 2  # each worker keeps its own
    told = [reply.headers["cache-status"] for reply in replies]
    assert "figway; fwd=miss; stored" in told
    assert any(each.startswith("figway; hit; ttl=5") for each in told)
    assert len({reply.headers["etag"] for reply in replies}) == 1
    again = client.get(f"/kept/{sku}", headers={"if-none-match": replies[0].headers["etag"]})
    assert again.status_code == 304


async def test_one_call_of_the_system_serves_all_who_wait(shop: Any, sku: str) -> None:
    replies = await _gathered(shop, f"/kept/{sku}", 200, {"seconds": 0.5})
    assert {reply.status_code for reply in replies} == {200}
    assert shop.asked(sku) <= 2
    assert sum("collapsed" in reply.headers["cache-status"] for reply in replies) >= 198


async def test_a_failure_is_shared_and_not_kept(shop: Any, sku: str) -> None:
    replies = await _gathered(shop, f"/kept/{sku}", 50, {"seconds": 0.5, "error": "Conflict"})
    assert {reply.status_code for reply in replies} == {409}
    assert shop.asked(sku) <= 2
    assert {reply.status_code for reply in await _gathered(shop, f"/kept/{sku}", 2, {})} == {200}


def test_that_there_is_no_such_thing_is_kept(client: httpx.Client, shop: Any, sku: str) -> None:
    for _ in range(10):
        reply = client.get(f"/kept/{sku}", params={"error": "NotFound"})
        assert reply.status_code == 404
        assert reply.json()["type"] == "urn:figway:problem:not-found"
    assert shop.asked(sku) <= 2


def test_a_caller_may_ask_for_more(client: httpx.Client, shop: Any, sku: str) -> None:
    client.get(f"/kept/{sku}")
    for number, said in enumerate(("no-cache", "no-store", "max-age=0"), shop.asked(sku) + 1):
        reply = client.get(f"/kept/{sku}", headers={"cache-control": said})
        assert reply.status_code == 200
        assert shop.asked(sku) == number, said
    missing = client.get("/kept/nobody-asked", headers={"cache-control": "only-if-cached"})
    assert (missing.status_code, missing.json()["type"]) == (504, "urn:figway:problem:stale")
    assert shop.asked("nobody-asked") == 0


def test_stale_is_served_while_the_next_is_fetched(client: httpx.Client, shop: Any, sku: str) -> None:
    for _ in range(8):  # in both workers
        client.get(f"/brief/{sku}")
    first = shop.asked(sku)
    time.sleep(0.2)
    began = time.monotonic()
    reply = client.get(f"/brief/{sku}")
    assert time.monotonic() - began < 5
    assert reply.headers["cache-status"].startswith("figway; hit; ttl=-")
    until = time.monotonic() + 10
    while shop.asked(sku) == first:
        assert time.monotonic() < until
        time.sleep(0.02)
    exact = client.get(f"/brief/{sku}", headers={"cache-control": "max-stale=0"})
    assert exact.status_code == 200
    assert not exact.headers["cache-status"].startswith("figway; hit; ttl=-")


def test_a_write_is_visible_to_the_next_read_through_any_worker(shop: Any, sku: str) -> None:
    for number in range(10):
        with shop.client() as writer:
            written = writer.put(f"/items/{sku}", json={"note": f"n{number}"})
            assert written.status_code == 200, written.text
        for _ in range(6):
            with shop.client() as reader:  # a connection of its own, so that either worker may have it
                assert reader.get(f"/items/{sku}").json()["name"] == f"n{number}"
    assert shop.asked(sku) <= 2 * 10


def test_a_write_lets_go_of_its_own_entity_alone(shop: Any, sku: str) -> None:
    other = f"{sku}-other"
    with shop.client() as writer, shop.client(shop.running.reader) as reader:
        for _ in range(6):
            reader.get(f"/items/{other}")
        before = shop.asked(other)
        assert writer.put(f"/items/{sku}", json={"note": "x"}).status_code == 200
        for _ in range(6):
            reader.get(f"/items/{other}")
        assert shop.asked(other) <= max(before, 2)


def test_what_a_failed_write_may_have_changed_is_let_go(client: httpx.Client, shop: Any, sku: str) -> None:
    client.put(f"/items/{sku}", json={"note": "old"})
    client.get(f"/items/{sku}")
    lost = client.put(f"/items/{sku}", json={"note": "new", "error": "UnknownOutcome"})
    assert lost.json()["type"] == "urn:figway:problem:unknown-outcome"
    before = shop.asked(sku)
    for number in range(1, 4):  # it may go on: nothing asked now is kept
        assert client.get(f"/items/{sku}").json()["name"] == "new"
        assert shop.asked(sku) == before + number


def test_a_system_that_is_told_who_asks_answers_each_for_itself(shop: Any, sku: str) -> None:
    with shop.client() as writer, shop.client(shop.running.reader) as reader:
        for _ in range(4):
            assert writer.get(f"/mine/{sku}").json()["name"] == "wendy"
            assert reader.get(f"/mine/{sku}").json()["name"] == "alice"


def test_pages_of_a_list_are_kept_each(client: httpx.Client) -> None:
    seen = []
    for _ in range(4):
        page = client.get("/items", params={"limit": 3})
        nexts = client.get(page.json()["next"])
        seen.append(([each["sku"] for each in page.json()["items"]], [each["sku"] for each in nexts.json()["items"]]))
    assert seen[0] == (["S-0000", "S-0001", "S-0002"], ["S-0003", "S-0004", "S-0005"])
    assert all(each == seen[0] for each in seen)


def test_lineage_tells_that_the_system_was_not_asked(shop: Any, sku: str) -> None:
    with shop.client(shop.running.reader) as client:
        replies = [client.get(f"/kept/{sku}") for _ in range(6)]
    hit = next(reply for reply in replies if "hit" in reply.headers["cache-status"])
    with shop.client() as client:
        told = client.get(f"/-/lineage/{hit.headers['figway-lineage']}").json()
    assert [each["outcome"] for each in told["calls"]] == ["stored"]
    assert told["as_of"] == hit.headers["figway-as-of"]
    assert told["fields"][0]["from"][0]["operation"] == "item.note"
