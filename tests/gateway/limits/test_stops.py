"""Kill switches: what each of them stops, on every worker, and what of it outlives a restart."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.contract import Effect
from gateway.call import Call, Principal, Reply
from gateway.errors import StateUnavailable
from gateway.filters.stopped import check, refusal, stopped
from gateway.filters.stream import stream
from gateway.limit_errors import Stopped
from gateway.limits import stops as module
from gateway.limits.stops import Stops, concerns
from gateway.pipeline import chain
from gateway.routing.model import Route
from gateway.store.contract import StoredStop, StoreError
from gateway.store.offload import Offload
from gateway.store.shared import Shared
from gateway.store.sqlite import SqliteState

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def stop(agent: str | None = None, run: str | None = None, operation: str | None = None) -> StoredStop:
    return StoredStop("01", agent, run, operation, "it pays twice", "host:root", NOW)


BOT = Principal("alice", "inner", delegation=("inner", "outer"), run="r1")


@pytest.mark.parametrize(
    ("thrown", "principal", "operation", "stopped"),
    [
        (stop("inner"), BOT, "pay", True),
        (stop("outer"), BOT, "pay", True),
        (stop("alice"), BOT, "pay", False),
        (stop("alice"), Principal("alice"), "pay", True),
        (stop("inner", run="r1"), BOT, "pay", True),
        (stop("inner", run="r2"), BOT, "pay", False),
        (stop(run="r1"), Principal("bob"), "pay", False),
        (stop(run="r1"), BOT, "pay", True),
        (stop(operation="pay"), Principal("bob"), "pay", True),
        (stop(operation="pay"), Principal("bob"), "look", False),
        (stop("inner", operation="pay"), BOT, "look", False),
        (stop("inner", operation="pay"), BOT, None, False),
        (stop("inner"), BOT, None, True),
    ],
)
def test_all_that_a_stop_names_must_fit(
    thrown: StoredStop, principal: Principal, operation: str | None, stopped: bool
) -> None:
    assert concerns(thrown, principal, operation) is stopped


def test_the_refusal_names_what_is_stopped_and_why() -> None:
    problem = refusal(stop("bot", "r1", "pay"))
    assert "the operation 'pay' of the agent 'bot' of the run 'r1': it pays twice" in problem.detail
    assert (problem.status, problem.retryable, problem.retry_after) == (403, False, None)
    assert "operators" in (problem.fix or "")


@pytest.fixture
def stops(tmp_path: Path) -> Iterator[tuple[Stops, SqliteState, Shared]]:
    state, shared, offload = SqliteState(tmp_path / "state.db"), Shared.open(tmp_path / "shared"), Offload()
    yield Stops(state, shared, offload), state, shared
    offload.close()
    shared.close()
    state.close()


def thrown(stops: Stops, agent: str | None = None, operation: str | None = None) -> StoredStop:
    return stops.throw(agent=agent, run=None, operation=operation, reason="why", author="host:root")


async def test_what_one_worker_stops_stops_another_with_its_next_call(
    stops: tuple[Stops, SqliteState, Shared],
) -> None:
    mine, state, shared = stops
    with closing(Offload()) as offload:
        other = Stops(state, shared, offload)
        await check(other, BOT, "pay")
        assert other.current()
        first = thrown(mine, "inner")
        assert not other.current()
        with pytest.raises(Stopped):
            await check(other, BOT, "pay")
        assert thrown(mine, "inner") == first  # twice is once
        assert mine.all() == [first]
        assert mine.lift(first.id) == first
        assert mine.lift(first.id) is None
        await check(other, BOT, "pay")


async def test_nobody_goes_on_while_it_cant_be_told_what_is_stopped(
    stops: tuple[Stops, SqliteState, Shared], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, state, shared = stops
    await check(mine, BOT, "pay")

    def away() -> list[StoredStop]:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(state, "stops", away)
    monkeypatch.setattr(mine, "_reread_at", 0.0)
    await check(mine, BOT, "pay")  # nothing has changed that is known of
    shared.bump_stops()
    for _ in range(2):
        with pytest.raises(StateUnavailable) as refused:
            await check(mine, BOT, "pay")
    assert "disk" not in refused.value.detail
    assert refused.value.retryable


async def test_a_stop_that_nobody_was_told_of_is_seen_after_a_while(
    stops: tuple[Stops, SqliteState, Shared], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, state, _ = stops
    await check(mine, BOT, "pay")
    state.add_stop(stop("inner"))  # and then its process was killed
    await check(mine, BOT, "pay")
    now = time.monotonic() + 31
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    with pytest.raises(Stopped):
        await check(mine, BOT, "pay")


async def test_all_of_a_list_ends_at_the_page_at_which_it_is_stopped(
    stops: tuple[Stops, SqliteState, Shared],
) -> None:
    mine = stops[0]

    class Sink:
        media = "application/x-ndjson"
        written = b""

        async def begin(self, reply: Reply) -> None:
            pass

        async def write(self, piece: bytes) -> None:
            self.written += piece
            thrown(mine, "inner")

    async def page(call: Call) -> Reply:
        call.following = "more"
        return Reply(200, {"items": [{"sku": "A"}]})

    route = Route(*("here", "GET", "/here", Effect.READ, "things", (), None, 200, None), is_list=True)
    call = Call("id", "here", 1, "GET", "/here", 0.0, "", {}, principal=BOT, sink=Sink())
    with pytest.raises(Stopped):
        await stream(route, chain([stopped(mine, "here")], page), 500)(call)
    assert call.sink.written == b'{"sku":"A"}\n'


def test_there_is_an_end_to_stops(stops: tuple[Stops, SqliteState, Shared], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.sqlite.MOST_STOPS", 2)
    for name in ("a", "b"):
        thrown(stops[0], name)
    with pytest.raises(StoreError, match="resume"):
        thrown(stops[0], "c")
    assert thrown(stops[0], "a").agent == "a"


async def test_who_waits_for_a_reading_learns_what_was_stopped_meanwhile(
    stops: tuple[Stops, SqliteState, Shared], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, state, _ = stops
    read, begun, go = state.stops, threading.Event(), threading.Event()

    def slowly() -> list[StoredStop]:
        found = read()
        begun.set()
        go.wait(10)
        return found

    monkeypatch.setattr(state, "stops", slowly)
    first = asyncio.create_task(check(mine, Principal("ann"), "pay"))
    await asyncio.to_thread(begun.wait, 10)
    thrown(mine, "inner")  # by the time it is, the reading under way has passed it
    second = asyncio.create_task(check(mine, BOT, "pay"))
    await asyncio.sleep(0)
    go.set()
    await first
    with pytest.raises(Stopped):
        await second
