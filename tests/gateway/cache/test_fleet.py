"""Two hosts that share what they keep in Redis: each a gateway with a state folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adapters.contract import Source
from gateway.cache.far import Far
from gateway.cache.memory import Entry
from gateway.identity.keyrings import Keyrings
from gateway.store.contract import StoreError

_fresh = count()
GATEWAY = """
upstreams:
  lab: {{kind: lab, journal: "{journal}", deadline: 8s, concurrency: 64}}
stores: {{cache: "{store}"}}
keys: {{cursor: env:CURSOR_KEY}}
"""
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE"


@dataclass
class Store:
    """A Redis server that runs."""

    url: str
    process: subprocess.Popen[bytes]


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("redis-server is missing: apt-get install redis-server")
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "socket"
    command = [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while not _answers(path):
            assert time.monotonic() < until
            time.sleep(0.02)
        yield Store(f"unix://{path}", process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.terminate()
        process.wait(20)


@dataclass
class Fleet:
    """Two gateways, and what their upstream was asked."""

    hosts: tuple[Any, Any]
    journal: Path
    store: Store

    def asked(self, sku: str) -> int:
        return self.journal.read_text().split("\n").count(sku) if self.journal.exists() else 0


@pytest.fixture(scope="module")
def fleet(
    store: Store, tmp_path_factory: pytest.TempPathFactory, running: ModuleType, shop_files: dict[str, str]
) -> Iterator[Fleet]:
    folders = [tmp_path_factory.mktemp("host") for _ in range(2)]
    journal = folders[0] / "journal.txt"
    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("CURSOR_KEY", KEY)
        hosts = []
        for folder in folders:
            gateway = GATEWAY.format(journal=journal, store=store.url)
            running.write_workspace(folder, {"gateway.yaml": gateway, **shop_files})
            hosts.append(stack.enter_context(running.serving(folder, extra={"CURSOR_KEY": KEY})))
        yield Fleet((hosts[0], hosts[1]), journal, store)


@pytest.fixture
def sku() -> str:
    return f"F{next(_fresh)}"


def test_what_one_host_keeps_the_other_tells(fleet: Fleet, sku: str) -> None:
    one, other = (host.client(host.reader) for host in fleet.hosts)
    with one, other:
        first = one.get(f"/kept/{sku}")
        until = time.monotonic() + 10
        while True:  # it is handed over behind the reply
            second = other.get(f"/kept/{sku}")
            if "hit" in second.headers["cache-status"]:
                break
            assert time.monotonic() < until
            sku = f"{sku}x"
            first = one.get(f"/kept/{sku}")
            time.sleep(0.1)
        assert second.json() == first.json()
        assert second.headers["figway-as-of"] == first.headers["figway-as-of"]
        assert fleet.asked(sku) == 1


def test_a_write_through_one_host_is_visible_through_the_other(fleet: Fleet, sku: str) -> None:
    one, other = (host.client() for host in fleet.hosts)
    with one, other:
        for number in range(20):
            writer, reader = (one, other) if number % 2 else (other, one)
            assert writer.put(f"/items/{sku}", json={"note": f"n{number}"}).status_code == 200
            for client in (reader, writer, reader):
                assert client.get(f"/items/{sku}").json()["name"] == f"n{number}"


def test_what_is_let_go_at_one_host_is_let_go_at_the_other(fleet: Fleet, sku: str, running: ModuleType) -> None:
    with fleet.hosts[1].client(fleet.hosts[1].reader) as client:
        for _ in range(3):
            client.get(f"/items/{sku}")
        before = fleet.asked(sku)
        for number, arguments in enumerate((("--group", "items"), ()), 1):
            running.figway(
                "cache",
                "purge",
                *arguments,
                "--workspace",
                str(fleet.hosts[0].folder),
                extra={"CURSOR_KEY": KEY},
                check=True,
            )
            client.get(f"/items/{sku}")
            assert fleet.asked(sku) == before + number


def test_while_the_store_is_away_systems_are_asked(fleet: Fleet, sku: str) -> None:
    with fleet.hosts[0].client() as client:
        assert client.get(f"/items/{sku}").status_code == 200
        os.kill(fleet.store.process.pid, signal.SIGSTOP)
        try:
            before = fleet.asked(sku)
            for number in range(1, 6):
                reply = client.get(f"/items/{sku}")
                assert reply.status_code == 200
                assert "cache-status" not in reply.headers
                assert fleet.asked(sku) == before + number
            assert client.put(f"/items/{sku}", json={"note": "away"}).status_code == 200
            assert client.get(f"/items/{sku}").json()["name"] == "away"
            only = client.get(f"/items/{sku}", headers={"cache-control": "only-if-cached"})
            assert only.status_code == 504
        finally:
            os.kill(fleet.store.process.pid, signal.SIGCONT)
        until = time.monotonic() + 20
        while "hit" not in client.get(f"/items/{sku}").headers.get("cache-status", ""):
            assert time.monotonic() < until
            time.sleep(0.1)
        with fleet.hosts[1].client() as other:
            assert other.get(f"/items/{sku}").json()["name"] == "away"


async def test_an_answer_is_nobody_elses_to_read_or_to_make(store: Store, tmp_path: Path) -> None:
    far = Far(store.url, Keyrings(tmp_path / "one", {})["cursor"])
    other = Far(store.url, Keyrings(tmp_path / "other", {})["cursor"])
    now = datetime.now(UTC)
    source = Source("s", "o", "k", (1, 2), now)
    entry = Entry(200, b'{"a":1}', now, time.monotonic_ns(), [(b"x", b"y")], (source,), ("w",), ("u", 7))
    try:
        look = await far.look(b"question", None, (1, 2))
        assert look is not None
        entry.seen = look.seen
        await far._kept(b"question", entry, 60)
        found = await far.look(b"question", None, (1, 2))
        assert found is not None
        assert found.entry is not None
        assert abs(found.entry.asked - entry.asked) < 10**9
        found.entry.asked = entry.asked
        assert found.entry == entry
        theirs = await other.look(b"question", None, (1, 2))
        assert theirs is not None
        assert theirs.entry is None
        sealed = far._sealed(b"question", entry)
        assert b'"a"' not in sealed
        assert far._opened(b"another", sealed) is None
        assert far._opened(b"question", sealed[:-1] + bytes([sealed[-1] ^ 1])) is None
        assert await far.touch((2,))
        gone = await far.look(b"question", None, (1, 2))
        assert gone is not None
        assert gone.entry is None
        assert await far.touch((1,), later=30)
        assert await far.look(b"question", None, (1, 2)) is None
    finally:
        await far.close()
        await other.close()


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Far("nothing://here", Keyrings(tmp_path, {})["cursor"])
