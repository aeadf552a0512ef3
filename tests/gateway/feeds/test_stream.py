"""`/-/events` on a gateway that captures a real database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import orjson
import pytest


def _put(sku: str, region: str | None = "north", secret: str = "s", internal: str = "i") -> str:
    region = "NULL" if region is None else f"'{region}'"
    return f"INSERT OR REPLACE INTO stock VALUES ('{sku}', {region}, '{secret}', '{internal}');"


def test_a_subscriber_sees_what_the_route_would_show(world: Any) -> None:
    whole, narrow = world.key("all"), world.key("narrow", "north")
    world.loaded(whole)
    with world.reading(whole) as everything, world.reading(narrow) as some:
        world.sql(
            _put("A") + _put("B", "south") + _put("C", None)
            + "UPDATE stock SET secret = 't' WHERE sku = 'A'; UPDATE stock SET internal = 'j' WHERE sku = 'A';"
            + "UPDATE stock SET region = 'north' WHERE sku = 'B'; UPDATE stock SET region = 'south' WHERE sku = 'A';"
            + "DELETE FROM stock WHERE sku = 'C'; DELETE FROM stock WHERE sku = 'B';"
        )  # fmt: skip
        told = [everything.next() for _ in range(8)]
        assert [each["type"].rpartition(".")[2] for each in told] == [
            "insert", "insert", "insert", "update", "update", "update", "delete", "delete",
        ]  # fmt: skip
        assert told[0]["subject"] == '["A"]'
        assert told[3]["data"] == {
            "before": {"code": "A", "region": "north", "secret": "s"},
            "after": {"code": "A", "region": "north", "secret": "t"},
        }
        assert not any("internal" in str(each) or "sequence" in each for each in told)
        seen = [some.next() for _ in range(4)]
    a, b = {"code": "A", "region": "north"}, {"code": "B", "region": "north"}
    assert [(each["type"].rpartition(".")[2], each["data"]) for each in seen] == [
        ("insert", {"before": None, "after": a}),
        ("insert", {"before": None, "after": b}),
        ("delete", {"before": a, "after": None}),
        ("delete", {"before": b, "after": None}),
    ]
    ids = {each["id"] for each in told}
    assert len(ids) == 8
    assert {each["id"] for each in seen} <= ids


def test_who_may_follow_nothing_is_refused(world: Any) -> None:
    whole = world.key("all")
    with httpx.Client(base_url=world.gateway.url, timeout=30, trust_env=False) as client:

        def asked(key: str, query: str = "", **headers: str) -> int:
            return client.get(f"/-/events{query}", headers={"authorization": key, **headers}).status_code

        assert client.get("/-/events").status_code == 401
        assert asked(world.key("routes")) == 403
        assert asked(world.key("events")) == 403
        assert asked(whole, "?source=erp.nothing") == 403
        assert asked(whole, "?source=erp.untold") == 403
        assert asked(whole, "?from=1") == 400
        assert asked(whole, "?after=7") == 400
        assert asked(whole, **{"last-event-id": "0" * 300}) == 400


def test_a_stream_ends_with_its_credential(world: Any) -> None:
    whole, other = world.key("all"), world.key("all")
    world.loaded(whole)
    with world.reading(other) as reader:
        world.sql(_put("A"))
        assert reader.next()["data"]["after"]["code"] == "A"
        world.revoke(other)
        assert reader.next()["problem"]["status"] == 401


def test_a_stream_follows_the_policies(world: Any, running: ModuleType) -> None:
    whole = world.key("all")
    world.loaded(whole)
    policy = world.workspace / "policies/access.cedar"
    with world.reading(whole) as reader:
        world.sql(_put("A"))
        assert "secret" in reader.next()["data"]["after"]
        masked = '@mask("secret") permit (principal in Role::"all", action in Action::"read", resource);'
        events = 'permit (principal in Role::"all", action == Action::"gateway:read_events", resource);'
        policy.write_text(masked + events)
        apply = ("apply", "--reason", "less", "--workspace", str(world.workspace))
        running.figway(*apply, extra=world.environment, check=True)
        world.sql(_put("B"))
        assert reader.next()["data"]["after"] == {"code": "B", "region": "north"}
        policy.write_text(masked)
        running.figway(*apply, extra=world.environment, check=True)
        world.sql(_put("C"))
        assert reader.next()["problem"]["status"] == 403


def test_open_streams_end_when_the_gateway_stops(world: Any) -> None:
    whole = world.key("all")
    with world.reading(whole, "?after=first") as reader:
        assert reader.next()["type"] == "figway.change.loaded"
        world.gateway.process.send_signal(signal.SIGTERM)
        with pytest.raises(AssertionError, match="ended"):
            reader.next()
    assert world.gateway.process.wait(20) == 0


_RECEIVER = """
import os, sys, httpx
url, key, path, last, pause = sys.argv[1:]
import time
headers = {"authorization": key} | ({"last-event-id": last} if last else {})
query = "" if last else "?after=first"
with httpx.stream("GET", url + "/-/events" + query, headers=headers, timeout=60, trust_env=False) as response:
    with open(path, "a") as file:
        id = ""
        for line in response.iter_lines():
            if line.startswith("id: "):
                id = line[4:]
            elif line.startswith("data: "):
                file.write(id + " " + line[6:] + "\\n")
                file.flush()
                time.sleep(float(pause))
"""


class Receiver:
    """A process that takes events into a file, with what it can be killed and begun again by."""

    def __init__(self, world: Any, key: str, path: Path) -> None:
        self._world, self._key, self._path = world, key, path
        path.touch()

    def taken(self) -> list[str]:
        """The whole lines that it has taken."""
        text = self._path.read_text()
        return text[: text.rfind("\n") + 1].splitlines()

    def start(self, pause: float = 0.0) -> subprocess.Popen[bytes]:
        taken = self.taken()
        self._path.write_text("".join(f"{line}\n" for line in taken))
        last = taken[-1].partition(" ")[0] if taken else ""
        arguments = (self._world.gateway.url, self._key, str(self._path), last, str(pause))
        return subprocess.Popen([sys.executable, "-c", _RECEIVER, *arguments])

    def until(self, count: int) -> None:
        end = time.monotonic() + 60
        while len(self.taken()) < count:
            assert time.monotonic() < end, f"{len(self.taken())} of {count} events came"
            time.sleep(0.02)


def test_a_receiver_that_is_killed_loses_nothing(world: Any, tmp_path: Path) -> None:
    whole = world.key("all")
    world.loaded(whole)
    receiver = Receiver(world, whole, tmp_path / "taken")
    rounds, each = 5, 60
    for turn in range(rounds):
        process = receiver.start(0.001)
        try:
            world.sql("".join(_put(f"{turn}-{number}") for number in range(each)))
            receiver.until(1 + turn * each + 20)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    last = receiver.start()
    try:
        receiver.until(1 + rounds * each)
    finally:
        os.kill(last.pid, signal.SIGKILL)
        last.wait()
    ids = [line.partition(" ")[0] for line in receiver.taken()]
    assert len(set(ids)) == len(ids) == 1 + rounds * each


def test_tail_prints_what_a_credential_may_see_and_the_host_all(world: Any, running: ModuleType) -> None:
    whole, narrow = world.key("all"), world.key("narrow", "north")
    world.loaded(whole)
    with world.reading(whole) as reader:
        world.sql(_put("A", "south") + _put("B"))
        reader.next(), reader.next()
    here = ("events", "tail", "--workspace", str(world.workspace), "--no-follow", "--source", "erp.stock")
    lines = [orjson.loads(line) for line in running.figway(*here, check=True).stdout.splitlines()]
    assert [each["type"].rpartition(".")[2] for each in lines] == ["loaded", "insert", "insert"]
    assert lines[1]["data"]["after"]["internal"] == "i"
    with tempfile.TemporaryFile() as output:
        command = ("events", "tail", "--server", world.gateway.url, "--after", "first")
        process = running.start(*command, output=output, extra={"FIGWAY_TOKEN": narrow})
        try:
            end = time.monotonic() + 30
            while output.seek(0) or output.read().count(b"\n") < 2:
                assert time.monotonic() < end
                time.sleep(0.05)
            output.seek(0)
            lines = [orjson.loads(line) for line in output.read().splitlines()]
        finally:
            process.kill()
            process.wait()
    assert lines[1]["data"] == {"before": None, "after": {"code": "B", "region": "north"}}
    refused = running.figway(
        "events", "tail", "--server", world.gateway.url, extra={"FIGWAY_TOKEN": world.key("events")}
    )
    assert refused.returncode == 1
    assert "no policy lets you follow it" in refused.stderr
