"""Names whose addresses change, and several addresses: no call is lost, none is doubled."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from adapters import names
from adapters.balance import Address, Balance
from adapters.errors import AdapterError, Unavailable, UnknownOutcome

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NAME = "crm.test"


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────


class Resolving:
    """Stands in for the system's resolver: `addresses`, or an exception; `waits` makes it hang until it is set."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: tuple[str, ...] | OSError = addresses
        self.waits: threading.Event | None = None
        self.asked = 0

    def __call__(self, host: str, port: Any, **_: Any) -> list[Any]:
        assert host == NAME
        self.asked += 1
        if self.waits is not None:
            self.waits.wait(30)
        if isinstance(self.addresses, OSError):
            raise self.addresses
        return [(0, 0, 0, "", (each, 0)) for each in self.addresses]


@pytest.fixture
def resolving(monkeypatch: pytest.MonkeyPatch) -> Resolving:
    resolver = Resolving("127.0.0.1")
    monkeypatch.setattr("adapters.names.socket.getaddrinfo", resolver)
    monkeypatch.setattr(names, "FRESH_SECONDS", 0.0)
    return resolver


@pytest.fixture
async def two(wire: Any) -> tuple[Any, Any, str]:
    """Servers at one port of two addresses, and the URL of their name."""
    first = await wire(OK)
    port = int(first.url.rpartition(":")[2])
    second = await wire(OK, host="127.0.0.2", port=port)
    return first, second, f"http://{NAME}:{port}/"


async def until(condition: Callable[[], bool], step: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await step()


async def test_a_changed_address_is_used_without_a_restart(two: Any, resolving: Resolving, make: Any) -> None:
    first, second, url = two
    client = make()
    await client.send("GET", url, deadline=soon())
    assert (len(first.seen), len(second.seen)) == (1, 0)
    assert first.seen[0].headers["host"] == url.split("/")[2]
    resolving.addresses = ("127.0.0.2",)
    await until(lambda: bool(second.seen), lambda: client.send("GET", url, deadline=soon()))
    before = len(first.seen)
    await client.send("GET", url, deadline=soon())
    assert len(first.seen) == before


@pytest.mark.parametrize("how", ["fails", "empty", "hangs"])
async def test_a_resolver_that_is_down_leaves_the_last_addresses(
    two: Any, resolving: Resolving, make: Any, how: str
) -> None:
    first, _, url = two
    client = make()
    await client.send("GET", url, deadline=soon())
    resolving.addresses = socket.gaierror(-3, "try again") if how == "fails" else ()
    resolving.waits = threading.Event() if how == "hangs" else None
    asked = resolving.asked
    await until(lambda: resolving.asked > asked, lambda: client.send("GET", url, deadline=soon()))
    count = len(first.seen)
    for _ in range(5):
        assert (await client.send("GET", url, deadline=soon())).status == 200
    assert len(first.seen) == count + 5
    if resolving.waits is not None:
        assert resolving.asked == asked + 1  # one thread for a name, however long it hangs
        resolving.waits.set()


async def test_a_name_that_was_never_known_is_unavailable_until_it_is(
    two: Any, resolving: Resolving, make: Any, raised: Any
) -> None:
    _, _, url = two
    client = make()
    resolving.addresses = socket.gaierror(-2, "unknown")
    assert type(await raised(client, url, method="POST")) is Unavailable
    resolving.waits = threading.Event()
    assert type(await raised(client, url, 0.2, method="POST")) is Unavailable
    resolving.addresses = ("127.0.0.1",)
    resolving.waits.set()
    resolving.waits = None
    assert (await client.send("GET", url, deadline=soon())).status == 200


async def test_a_client_may_end_while_the_resolver_hangs(resolving: Resolving, make: Any, raised: Any) -> None:
    resolving.waits = threading.Event()
    client = make()
    assert type(await raised(client, f"http://{NAME}:9/", 0.2)) is Unavailable
    await client.close()
    resolving.waits.set()


# ── several addresses ────────────────────────────────────────────────────────────────────────────────────────


async def test_the_addresses_of_a_name_take_turns(two: Any, resolving: Resolving, make: Any) -> None:
    first, second, url = two
    resolving.addresses = ("127.0.0.1", "127.0.0.2")
    client = make()
    for _ in range(10):
        await client.send("GET", url, deadline=soon())
    assert (len(first.seen), len(second.seen)) == (5, 5)
    assert (first.connections, second.connections) == (1, 1)


async def test_the_least_busy_address_is_called(two: Any, resolving: Resolving, make: Any) -> None:
    first, second, url = two
    resolving.addresses = ("127.0.0.1", "127.0.0.2")
    let_go = asyncio.Event()

    async def slowly(seen: Any) -> bytes:
        if seen.target == "/slow":
            await let_go.wait()
        return OK

    first.answer = second.answer = slowly
    client = make(connections=8)
    slow = asyncio.create_task(client.send("GET", url + "slow", deadline=soon()))
    await asyncio.wait(
        {asyncio.create_task(first.arrived.wait()), asyncio.create_task(second.arrived.wait())},
        return_when="FIRST_COMPLETED",
    )
    busy, free = (first, second) if first.seen else (second, first)
    for _ in range(4):
        await client.send("GET", url, deadline=soon())
    assert (len(busy.seen), len(free.seen)) == (1, 4)
    let_go.set()
    await slow


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_address_that_is_down_costs_no_call(wire: Any, resolving: Resolving, make: Any, method: str) -> None:
    """Nothing was sent to it: so a write may go elsewhere, too."""
    resolving.addresses = ("127.0.0.9", "127.0.0.1")
    server = await wire(OK)
    client = make()
    url = f"http://{NAME}:{server.url.rpartition(':')[2]}/"
    for _ in range(6):
        assert (await client.send(method, url, deadline=soon())).status == 200
    assert len(server.seen) == 6
    assert server.connections <= 3  # the first ones were made in another's place; then it is ejected


async def test_several_urls(wire: Any, make: Any, servers: Any) -> None:
    first, second = await wire(OK), await wire(OK, host="127.0.0.2")
    dead = f"http://127.0.0.1:{servers.free_port()}"
    client = make()
    for _ in range(9):
        reply = await client.send("POST", (dead + "/a", first.url + "/b", second.url + "/c"), deadline=soon())
        assert reply.status == 200
    assert {len(first.seen), len(second.seen)} <= {4, 5}
    assert {seen.target for seen in first.seen + second.seen} == {"/b", "/c"}
    with pytest.raises(Unavailable):
        await client.send("POST", (dead, dead + "/2"), deadline=soon())


async def test_a_write_that_reached_one_goes_to_no_other(wire: Any, make: Any) -> None:
    first, second = await wire(None), await wire(None, host="127.0.0.2")
    with pytest.raises(UnknownOutcome):
        await make().send("POST", (first.url, second.url), body=b"1", deadline=soon())
    assert len(first.seen) + len(second.seen) == 1


@pytest.mark.parametrize("failing", ["breaks", "hangs", "503", "malformed"])
async def test_an_address_that_fails_is_ejected(wire: Any, make: Any, reply: Any, failing: str) -> None:
    async def hang(_: Any) -> bytes:
        await asyncio.sleep(60)
        return OK

    answers = {"breaks": None, "hangs": hang, "503": reply("503 Busy", b""), "malformed": b"what?\r\n\r\n"}
    bad, good = await wire(answers[failing]), await wire(OK, host="127.0.0.2")
    client = make()
    for _ in range(12):
        with contextlib.suppress(AdapterError):
            await client.send("GET", (bad.url, good.url), deadline=soon(0.3 if failing == "hangs" else 10))
    assert len(bad.seen) == 3
    assert len(good.seen) == 9


def test_ejection_grows_and_never_leaves_a_caller_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("adapters.balance.time.monotonic", lambda: now[0])
    one, two = Address(0, "a", 80, "10.0.0.1"), Address(0, "a", 80, "10.0.0.2")
    balance = Balance()
    for seconds in (5, 10, 20, 40, 80, 160, 300, 300):
        while balance.state(one).ejected_until <= now[0]:
            balance.failed(one)
        assert balance.ranked([one, two])[0] == two
        now[0] += seconds - 0.5
        assert balance.ranked([one, two])[0] == two
        now[0] += 1
        balance.state(two).turn += 1
        assert balance.ranked([one, two])[0] == one
    balance.failed(two, unreachable=True)
    balance.failed(one)
    assert balance.ranked([one, two]) == [two, one]  # both are ejected; the one whose time is up first goes first
    balance.answered(one, 200)
    assert balance.ranked([one, two])[0] == one


def test_another_family_is_for_when_the_first_fails() -> None:
    six, four = Address(0, "a", 80, "::1"), Address(0, "a", 80, "127.0.0.1")
    balance = Balance()
    balance.begun(six)
    assert balance.ranked([six, four])[0] == six
    balance.failed(six, unreachable=True)
    assert balance.ranked([six, four]) == [four, six]


def test_what_is_kept_of_addresses_is_bounded() -> None:
    balance = Balance()
    busy = Address(0, "busy", 80, "10.0.0.1")
    balance.begun(busy)
    for number in range(1000):
        balance.begun(Address(0, "a", number, "10.0.0.2")).in_flight -= 1
    assert len(balance._states) <= 256
    assert balance.state(busy).in_flight == 1
