"""Webhooks that are told of events: receivers that fail, are gone, are slow, and see what their policies show."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import pytest

from gateway.approvals.webhook import signature
from gateway.feeds.deliveries import Deliveries

SECRET = "a secret of the tests"


class Receiver:
    """A receiver on a free port; `status` says what it answers, `pause` how long it takes."""

    def __init__(self, port: int = 0) -> None:
        self.status, self.pause = 200, 0.0
        self.taken: list[dict[str, Any]] = []
        self.tries = 0
        self.refused: set[str] = set()
        """Codes of rows that aren't taken, whatever `status` says."""
        self.cookies: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                id, now = self.headers["webhook-id"], int(self.headers["webhook-timestamp"])
                assert self.headers["webhook-signature"] == signature(SECRET, id, now, body)
                receiver.tries += 1
                time.sleep(receiver.pause)
                event = json.loads(body)
                status = 409 if event["data"]["after"]["code"] in receiver.refused else receiver.status
                if status == 200:
                    receiver.taken.append(event)
                receiver.cookies += self.headers.get_all("cookie", [])
                self.send_response(status)
                self.send_header("set-cookie", f"try{receiver.tries}=large; Path=/")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def codes(self) -> list[str]:
        return [each["data"]["after"]["code"] for each in self.taken]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


_EVENTS = """
events:
  webhooks:
    billing:
      url: http://127.0.0.1:{port}/hook
      secret: env:HOOK_SECRET
      as: {{principal: billing, roles: [{role}], tenant: north}}
      sources: [erp.stock]
"""


def _has(receiver: Receiver, count: int) -> bool:
    return len(receiver.taken) >= count


async def _until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not what():  # noqa: ASYNC110 - a test waits
            await asyncio.sleep(0.01)


@pytest.fixture
def place_of(make_place: Callable[..., Any]) -> Callable[[int, str], Any]:
    """A place whose webhook is at a port, and whose principal has a role."""

    def make(port: int, role: str) -> Any:
        made = make_place(_EVENTS.format(port=port, role=role), {"HOOK_SECRET": SECRET})
        made.begin("billing")
        return made

    return make


async def test_a_webhook_is_told_in_order_what_its_principal_may_see(
    receiver: Receiver, place_of: Callable[[int, str], Any]
) -> None:
    place = place_of(receiver.port, "narrow")
    await place.write(("A", "north"), ("B", "south"), ("C", "north"))
    async with place.working():
        await _until(lambda: len(receiver.taken) == 2)
    assert [each["data"]["after"] for each in receiver.taken] == [
        {"code": "A", "region": "north"},
        {"code": "C", "region": "north"},
    ]
    assert "secret" not in str(receiver.taken)


async def test_what_isnt_taken_is_a_dead_letter_and_can_be_replayed(
    receiver: Receiver, place_of: Callable[[int, str], Any]
) -> None:
    place = place_of(receiver.port, "all")
    receiver.status = 503
    await place.write(("A", "north"), ("B", "north"))
    async with place.working():
        await _until(lambda: len(place.kept(lambda file: file.dead(9))) == 2)
        assert receiver.tries == 6
        receiver.status = 200
        await place.write(("C", "north"))
        await _until(lambda: receiver.codes() == ["C"])
        assert place.kept(lambda file: file.replay("billing")) == 2
        await _until(lambda: not place.kept(lambda file: file.dead(9)))
    assert receiver.codes() == ["C", "A", "B"]


async def test_who_has_as_many_dead_letters_as_are_kept_is_sent_those_that_are_asked_for(
    receiver: Receiver, place_of: Callable[[int, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.feeds.deliveries.MOST_DEAD", 1)
    place = place_of(receiver.port, "all")
    receiver.refused = {"A", "B"}
    await place.write(("A", "north"), ("B", "north"), ("C", "north"))
    async with place.working():
        await _until(lambda: receiver.tries > 6)
        assert [each.sequence for each in place.kept(lambda file: file.dead(9))] == [1]
        receiver.refused = {"B"}
        place.kept(lambda file: file.replay("billing"))
        await _until(lambda: receiver.codes() == ["A", "C"])
    assert [each.sequence for each in place.kept(lambda file: file.dead(9))] == [2]


async def test_a_receivers_cookies_are_sent_to_nobody(receiver: Receiver, place_of: Callable[[int, str], Any]) -> None:
    place = place_of(receiver.port, "all")
    await place.write(("A", "north"), ("B", "north"))
    async with place.working():
        await _until(lambda: receiver.codes() == ["A", "B"])
    assert receiver.cookies == []


async def test_who_is_stopped_is_told_nothing_until_it_may_go_on(
    receiver: Receiver, place_of: Callable[[int, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.feeds.telling._AGAIN", 0.01)
    place = place_of(receiver.port, "all")
    place.stopped = {"billing"}
    await place.write(("A", "north"))
    async with place.working():
        await _until(lambda: any("it loops" in each.note for each in place.kept(Deliveries.waiting)))
        await asyncio.sleep(0.1)
        assert (receiver.tries, place.kept(lambda file: file.dead(9))) == (0, [])
        place.stopped = set()
        await _until(lambda: receiver.codes() == ["A"])
        await _until(lambda: not place.kept(Deliveries.waiting))


async def test_a_dead_letter_is_replayed_as_policies_are_by_then(
    receiver: Receiver, place_of: Callable[[int, str], Any]
) -> None:
    place = place_of(receiver.port, "all")
    receiver.status = 500
    await place.write(("A", "north"), ("B", "south"))
    async with place.working():
        await _until(lambda: len(place.kept(lambda file: file.dead(9))) == 2)
    receiver.status = 200
    narrow = place_of(receiver.port, "narrow")
    narrow.kept(lambda file: file.replay("billing"))
    async with narrow.working():
        await _until(lambda: not narrow.kept(lambda file: file.dead(9)))
    assert [each["data"]["after"] for each in receiver.taken] == [{"code": "A", "region": "north"}]


async def test_workers_and_receivers_that_end_lose_nothing(place_of: Callable[[int, str], Any]) -> None:
    receiver = Receiver()
    place, taken = place_of(receiver.port, "all"), set[str]()
    for turn in range(6):
        await place.write(*((f"{turn}-{number}", "north") for number in range(10)))
        receiver.pause = 0.002
        async with place.working():
            await _until(partial(_has, receiver, 5))
            receiver.close()  # the worker goes on against nobody, until it is cut off itself
            await asyncio.sleep(0.02)
        taken |= set(receiver.codes())
        receiver = Receiver(receiver.port)
        place.kept(lambda file: file.replay("billing"))
    async with place.working():
        wanted = {f"{turn}-{number}" for turn in range(6) for number in range(10)}
        while taken | set(receiver.codes()) != wanted:
            place.kept(lambda file: file.replay("billing"))
            await asyncio.sleep(0.02)
    receiver.close()


async def test_a_log_that_is_another_one_is_told_from_its_beginning(
    receiver: Receiver, place_of: Callable[[int, str], Any]
) -> None:
    place = place_of(receiver.port, "all")
    place.kept(lambda file: file.taken("billing", 5_000))
    await place.write(("A", "north"))
    async with place.working():
        await _until(lambda: place.kept(lambda file: file.place("billing", 0)) == 1)
    assert receiver.codes() == ["A"]


async def test_who_may_see_nothing_is_told_nothing_and_waits(
    receiver: Receiver, place_of: Callable[[int, str], Any]
) -> None:
    place = place_of(receiver.port, "nobody")
    await place.write(("A", "north"))
    async with place.working():
        await asyncio.sleep(0.3)
    assert receiver.tries == 0
    assert place.kept(lambda file: file.place("billing", 99)) == 0


def test_a_gateway_tells_its_webhooks(world: Any, running: ModuleType, receiver: Receiver) -> None:
    whole = world.key("all")
    world.loaded(whole)
    config = world.workspace / "gateway.yaml"
    hooked = config.read_text() + _EVENTS.format(port=receiver.port, role="narrow")
    secret = world.workspace.parent / "secret"
    secret.write_text(SECRET)
    config.write_text(hooked.replace("env:HOOK_SECRET", f"file:{secret}").replace("erp.stock]", "erp.nothing]"))
    check = ("check", "--workspace", str(world.workspace))
    assert "which no upstream's changes capture" in running.figway(*check, extra=world.environment).stderr
    config.write_text(hooked.replace("env:HOOK_SECRET", f"file:{secret}"))
    apply = ("apply", "--reason", "hooks", "--workspace", str(world.workspace))
    running.figway(*apply, extra=world.environment, check=True)
    here = ("--workspace", str(world.workspace))
    end = time.monotonic() + 60
    number = 0
    while not receiver.taken:  # the webhook begins with what comes once it is known
        assert time.monotonic() < end
        world.sql(f"INSERT INTO stock VALUES ('W{number}', 'north', 's', 'i'), ('X{number}', 'south', 's', 'i');")
        number += 1
        time.sleep(0.2)
    assert set(receiver.taken[0]["data"]["after"]) == {"code", "region"}
    assert running.figway("events", "dead", *here, check=True).stdout == "no subscriber has dead letters\n"
    assert "has no dead letters" in running.figway("events", "replay", "billing", *here, check=True).stdout
