"""What operators see of subscribers on a running gateway, and what they can do."""

from __future__ import annotations

import asyncio
import sqlite3
import tarfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from adapters.changes import Batch, Change, What
from gateway.events.loads import LoadedFile
from gateway.feeds.deliveries import Deliveries
from gateway.store.backup import backup
from gateway.store.place import StateFolder

RULES = Path(__file__).parents[3] / "docker/prometheus/rules.yaml"
_EVENTS = """
events:
  streams:
    hub: {{url: "{url}", stream: OPS, prefix: ops, as: {{principal: x, roles: [all]}}, sources: [erp.stock]}}
    late: {{url: "{url}", stream: NONE, prefix: none, as: {{principal: x, roles: [all]}}, sources: [erp.stock]}}
"""


def _until(what: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def _in_file(path: Path, do: Callable[[Deliveries], Any]) -> Any:
    with closing(Deliveries(path)) as file:
        return do(file)


def _begun(file: Deliveries) -> list[str]:
    return [file.origin(each) for each in ("hub", "late")]


def test_operators_see_and_replay_what_isnt_taken(world: Any, running: ModuleType, hub: Any) -> None:
    asyncio.run(hub.add("OPS"))
    key, narrow = world.key("all"), world.key("narrow", "north")
    world.loaded(key)
    config = world.workspace / "gateway.yaml"
    config.write_text(config.read_text() + _EVENTS.format(url=hub.url))
    apply = ("apply", "--reason", "streams", "--workspace", str(world.workspace))
    running.figway(*apply, extra=world.environment, check=True)
    file = world.workspace / ".figway/deliveries.db"
    with world.gateway.client(key) as client, world.gateway.client(narrow) as stranger:
        ready = lambda: client.get("/-/ready").json().get("subscribers", {})  # noqa: E731
        _until(lambda: file.exists() and all(_in_file(file, _begun)))
        world.sql("INSERT INTO stock VALUES ('N', 'north', 's', 'i');")
        _until(lambda: asyncio.run(hub.count("OPS")) and ready().get("late") == "waits")
        last = _in_file(file, lambda each: each.place("hub", 0))
        _in_file(file, lambda each: each.passed("hub", 0, [(last, "it is larger than the stream takes")]))
        assert ready() == {"hub": "has dead letters", "late": "waits"}
        dead = client.get("/-/events/dead").json()
        assert [(each["subscriber"], each["sequence"]) for each in dead["items"]] == [("hub", last)]
        assert dead["subscribers"][0] == {"name": "hub", "waits": None, "dead": 1}
        assert dead["subscribers"][1]["waits"] == "no stream of the server takes its subjects"
        assert stranger.get("/-/events/dead").status_code == 403
        assert stranger.post("/-/events/replay", json={"subscriber": "hub"}).status_code == 403
        wrong = client.post("/-/events/replay", json={"subscriber": "hob"})
        assert (wrong.status_code, "hub" in wrong.text) == (400, True)

        at = {"FIGWAY_TOKEN": key.removeprefix("Bearer ")}
        server = ("--server", world.gateway.url)
        assert "larger than the stream takes" in running.figway("events", "dead", *server, extra=at).stdout
        assert running.figway("events", "replay", "hub", *server, extra=at, check=True).stdout == (
            "hub: 1 dead letters are sent again\n"
        )
        _until(lambda: not client.get("/-/events/dead").json()["items"])
        assert "/-/events/replay" in client.get("/-/audit").text

        told = client.get("/-/asyncapi.json").json()
        assert list(told["servers"]) == ["events"]
        shown = stranger.get("/-/asyncapi.json").json()["components"]["schemas"]["events.erp.stock"]
        assert set(shown["properties"]) == {"code", "region"}
        printed = client.get("/-/metrics").text
        rules = [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
        for name in ("figway_capture_stalled", "figway_capture_age_seconds", "figway_feed_waiting",
                     "figway_feed_lag_seconds", "figway_feed_dead_total"):  # fmt: skip
            assert any(name in each for each in rules), name
            assert f"\n{name}{{" in printed, name
        assert 'figway_feed_waiting{subscriber="late"} 1' in printed
        assert 'figway_feed_events_total{subscriber="hub"} 1' in printed


def test_a_backup_has_events_and_how_far_subscribers_are(tmp_path: Path) -> None:
    """And never a subscriber that is further than the log, which would begin anew."""
    folder = StateFolder(tmp_path / "state")
    with closing(LoadedFile(folder.events)) as log:
        log.enrol("erp.stock", "d")
        log.write("erp.stock", Batch([Change("1", What.INSERT, ("A",), {"sku": "A"})], "", False))
    _in_file(folder.deliveries, lambda file: file.place("hub", 1))
    with closing(sqlite3.connect(folder.path / "state.db")) as state:
        state.execute("CREATE TABLE t (id)")
    names: list[str] = []
    backup(folder, folder.path / "state.db", tmp_path / "made.tar", lambda name, _: names.append(name))
    assert names.index("deliveries.db") < names.index("events.db")
    with tarfile.open(tmp_path / "made.tar") as tar:
        tar.extractall(tmp_path / "again", filter="data")
    assert _in_file(tmp_path / "again/deliveries.db", lambda file: file.place("hub", 9)) == 1
    with closing(LoadedFile(tmp_path / "again/events.db")) as log:
        assert log.span() == (1, 1)
