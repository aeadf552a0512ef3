"""Streams of NATS JetStream: servers and workers that end anywhere, full and slow ones, and what messages look like."""

from __future__ import annotations

import asyncio
import json
import os
import random
import tracemalloc
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy

from adapters.changes import Change, What
from gateway.events.model import Event
from gateway.feeds.deliveries import Deliveries
from gateway.feeds.subjects import subject_of, token
from gateway.feeds.telling import waves

SEED = int(os.environ.get("FIGWAY_SEED", "20261122"))
_EVENTS = """
events:
  streams:
    hub:
      url: {url}
      stream: {stream}
      prefix: {prefix}
      as: {{principal: hub, roles: [{role}], tenant: north}}
      sources: [erp.stock]
"""

PlaceOf = Callable[..., Any]


@pytest.fixture
def place_of(make_place: Callable[..., Any], hub: Any) -> PlaceOf:
    """A place whose stream's principal has a role."""

    def make(stream: str, role: str = "all", url: str | None = None) -> Any:
        values = {"stream": stream, "prefix": stream.lower(), "role": role, "url": url or hub.url}
        made = make_place(_EVENTS.format(**values))
        made.begin("hub")
        return made

    return make


def _stand(row: str, number: int, secret: str = "s") -> Change:
    """The row of a key as it is for the `number`th time."""
    now = {"sku": row, "region": f"{number}", "secret": secret, "internal": None}
    return Change(f"{row}/{number}", What.UPDATE if number else What.INSERT, (row,), now)


def _documents(messages: list[Any]) -> list[dict[str, Any]]:
    return [json.loads(each.data) for each in messages]


async def _until(what: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not what():  # noqa: ASYNC110 - a test waits
            await asyncio.sleep(0.01)


def _note(place: Any) -> str:
    return next((each.note for each in place.kept(Deliveries.waiting)), "")


async def test_messages_are_cloud_events_of_what_the_principal_may_see(hub: Any, place_of: PlaceOf) -> None:
    await hub.add("SEEN")
    place = place_of("SEEN", "narrow")
    await place.write(("A", "north"), ("B", "south"), ("C. *>/é", "north"))
    async with place.working():
        await hub.until("SEEN", 2)
    messages = await hub.messages("SEEN")
    assert [each.subject for each in messages] == ["seen.erp.stock.A", "seen.erp.stock.C%2E%20%2A%3E%2F%C3%A9"]
    told = _documents(messages)
    assert [each["data"]["after"]["code"] for each in told] == ["A", "C. *>/é"]
    assert "secret" not in str(told)
    assert told[0]["specversion"] == "1.0"
    for message, document in zip(messages, told, strict=True):
        assert message.headers["content-type"] == "application/cloudevents+json"
        assert message.headers["Nats-Msg-Id"].endswith(f".{document['id']}")
    assert place.kept(lambda file: file.place("hub", 99)) == 3


@pytest.mark.parametrize("turns", [4, pytest.param(40, marks=pytest.mark.slow)])
async def test_servers_and_workers_that_end_anywhere_lose_and_repeat_nothing(
    hub: Any, place_of: PlaceOf, turns: int
) -> None:
    chance, rows, numbers, total = random.Random(SEED), [f"r{each}" for each in range(12)], dict[str, int](), 0
    print(f"FIGWAY_SEED={SEED}")
    name = f"KILLED{turns}"
    await hub.add(name)
    place = place_of(name)
    for turn in range(turns):
        changes = []
        for _ in range(60):
            row = chance.choice(rows)
            numbers[row] = numbers.get(row, -1) + 1
            changes.append(_stand(row, numbers[row]))
        await place.change(*changes)
        total += len(changes)
        async with place.working():
            await asyncio.sleep(chance.random() * 0.3)
            if (
                turn % 2
            ):  # at once, with messages under way; the worker waits, until it is cut off or the server is back
                await asyncio.to_thread(hub.kill)
                await asyncio.sleep(chance.random() * 0.2)
                await asyncio.to_thread(hub.start)
                await asyncio.sleep(chance.random() * 0.1)
    async with place.working():
        await hub.until(name, total)
        await _until(lambda: place.kept(lambda file: file.place("hub", 0)) == total)
    told: dict[str, list[int]] = {}
    messages = _documents(await hub.messages(name))
    for document in messages:
        row = document["data"]["after"]
        told.setdefault(row["code"], []).append(int(row["region"]))
    print(f"{turns} turns, {total} events, {len(messages)} messages")
    assert told == {row: list(range(last + 1)) for row, last in numbers.items()}


async def test_what_is_told_again_within_the_duplicate_window_is_kept_once(hub: Any, place_of: PlaceOf) -> None:
    await hub.add("TWICE")
    place = place_of("TWICE")
    await place.write(("A", "north"), ("B", "north"))
    for _ in range(2):
        place.kept(lambda file: file.taken("hub", 0))
        async with place.working():
            await _until(lambda: place.kept(lambda file: file.place("hub", 0)) == 2)
    assert await hub.count("TWICE") == 2


async def test_another_log_and_another_subscriber_are_no_duplicates(hub: Any, place_of: PlaceOf) -> None:
    await hub.add("OTHER")
    place = place_of("OTHER")
    await place.write(("A", "north"))
    async with place.working():
        await hub.until("OTHER", 1)
    place.kept(lambda file: file.taken("hub", 5_000))  # the log is another one than it was told of
    async with place.working():
        await hub.until("OTHER", 2)
    messages = await hub.messages("OTHER")
    first, second = (each.headers["Nats-Msg-Id"].split(".", 1) for each in messages)
    assert first[0] != second[0]
    assert first[1] == second[1]


async def test_a_full_stream_is_waited_for(hub: Any, place_of: PlaceOf) -> None:
    """A consumer of a work queue takes its time: nothing is lost meanwhile, and nothing waits in memory."""
    await hub.add("FULL", max_msgs=5, discard=DiscardPolicy.NEW, retention=RetentionPolicy.WORK_QUEUE)
    place, taken = place_of("FULL"), list[str]()
    await place.write(*((f"{number:03}", "north") for number in range(40)))
    async with place.working(), hub.jetstream() as stream:
        await _until(lambda: "maximum messages exceeded" in _note(place))
        measured = place.deliverer.measured["hub"]
        assert measured.waits
        assert measured.behind > 0
        config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT)
        subscription = await stream.pull_subscribe("full.>", durable="slow", stream="FULL", config=config)
        async with asyncio.timeout(60):
            while len(taken) < 40:
                for message in await subscription.fetch(5, timeout=20):
                    taken.append(json.loads(message.data)["data"]["after"]["code"])
                    await message.ack_sync()
        await _until(lambda: place.kept(lambda file: file.place("hub", 0)) == 40)
    assert sorted(taken) == [f"{number:03}" for number in range(40)]
    assert _note(place) == ""


async def test_what_is_too_large_is_a_dead_letter(hub: Any, place_of: PlaceOf) -> None:
    await hub.add("LARGE", max_msg_size=20_000)
    place = place_of("LARGE")
    await place.change(_stand("a", 0), _stand("b", 0, "x" * 40_000), _stand("c", 0, "x" * 2_000_000), _stand("d", 0))
    async with place.working():
        await hub.until("LARGE", 2)
        await _until(lambda: len(place.kept(lambda file: file.dead(9))) == 2)
    whys = [each.why for each in place.kept(lambda file: file.dead(9))]
    assert whys == ["it is larger than the stream takes", "it is larger than the server takes"]
    assert [each["data"]["after"]["code"] for each in _documents(await hub.messages("LARGE"))] == ["a", "d"]


async def test_what_is_too_large_with_its_headers_keeps_nobody(hub: Any, place_of: PlaceOf) -> None:
    await hub.add("EDGE")
    place, most = place_of("EDGE"), 1_048_576
    await place.change(_stand("a", 0))
    async with place.working():
        await hub.until("EDGE", 1)
        around = len((await hub.messages("EDGE"))[0].data)
        await place.change(_stand("b", 0, "x" * (most - around - 30)), _stand("c", 0, "x" * (most - around - 400)))
        await hub.until("EDGE", 2)
        await place.reached("hub", 3)
    assert [each.why for each in place.kept(lambda file: file.dead(9))] == ["it is larger than the server takes"]


@pytest.mark.parametrize("answer", [b"1", b"no JSON", b"{}", b'{"error": 7}'])
async def test_somebody_else_who_answers_is_no_stream(hub: Any, place_of: PlaceOf, answer: bytes) -> None:
    place = place_of("STRANGE")
    await place.write(("A", "north"))
    async with hub.jetstream() as stream:
        client = stream._nc

        async def say(message: Any) -> None:
            await client.publish(message.reply, answer)

        await client.subscribe("strange.>", cb=say)
        await client.flush()
        async with place.working():
            await _until(lambda: _note(place) == "what answers there isn't the stream", 10)


async def test_what_isnt_there_is_waited_for(hub: Any, place_of: PlaceOf, servers: ModuleType) -> None:
    place = place_of("LATE")
    await place.write(("A", "north"))
    async with place.working():
        await _until(lambda: _note(place) == "no stream of the server takes its subjects")
        await hub.add("LATE")
        await hub.until("LATE", 1)
        await _until(lambda: _note(place) == "")
    gone = place_of("LATE", url=f"nats://127.0.0.1:{servers.free_port()}")
    await gone.write(("B", "north"))
    async with gone.working():
        await _until(lambda: "can't be reached" in _note(gone))
    await hub.add("TAKEN")
    async with hub.jetstream() as stream:  # a stream of another name has the subjects
        await stream.delete_stream("LATE")
        await stream.update_stream(name="TAKEN", subjects=["late.>"])
    async with place_of("LATE").working():
        await _until(lambda: "expected stream does not match" in _note(place))
    assert await hub.count("TAKEN") == 0


@pytest.mark.slow
async def test_a_long_log_costs_no_memory(hub: Any, place_of: PlaceOf) -> None:
    events, each = 5_000, 16_384
    await hub.add("LONG", max_bytes=8 * 2**20)
    place = place_of("LONG")
    for begin in range(0, events, 500):
        await place.change(*(_stand(f"{number}", 0, "x" * each) for number in range(begin, begin + 500)))
    tracemalloc.start()
    try:
        async with place.working():
            await _until(lambda: place.kept(lambda file: file.place("hub", 0)) == events, 600)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print(f"{events * each >> 20} MiB of rows: at most {peak / 2**20:.1f} MiB of memory")
    assert peak < 32 * 2**20


_TEXTS = st.text(alphabet=" .*>%_-/\0\t\u00a0aA0\u00e9\u20ac\U0001f600\ud800", max_size=6)


@given(_TEXTS, _TEXTS)
def test_tokens_are_those_of_nats_and_tell_texts_apart(one: str, other: str) -> None:
    first, second = token(one), token(other)
    assert first
    assert not set(first) & set(" .*>\t\r\n\0")
    assert first.isascii()
    assert (first == second) == (one == other)


def test_a_subject_without_a_key_or_with_a_very_long_one_is_its_sources() -> None:
    document: dict[str, Any] = {"source": "/changes/erp/stock"}
    assert subject_of("a.b", document) == "a.b.erp.stock"
    assert subject_of("a", {**document, "subject": '["x", 7, ""]'}) == "a.erp.stock.x.7.%"
    assert subject_of("a", {**document, "subject": json.dumps(["y" * 2_000])}) == "a.erp.stock"


@given(st.lists(st.sampled_from(["", "a", "b", "c", "d"]), max_size=30), st.integers(1, 5))
def test_what_is_under_way_together_is_bounded_and_of_other_keys(keys: list[str], most: int) -> None:
    told = [(Event(at, "erp.t", "", "insert", key, None, None, None, 0.0), {"at": at}) for at, key in enumerate(keys)]
    made = list(waves(told, most))
    assert [each for wave in made for each in wave] == told
    for wave in made:
        mine = [event.key for event, _ in wave]
        assert 0 < len(mine) <= most
        assert len(set(mine)) == len(mine)
        assert "" not in mine or len(mine) == 1
