"""The contract of age, over HTTP and MCP: what is told of it, and what is refused for it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

NIGHT = 8 * 3600


def _as_of(reply: httpx.Response) -> datetime:
    return datetime.fromisoformat(reply.headers["figway-as-of"])


def test_a_live_answer_says_how_old_it_is(client: httpx.Client) -> None:
    before = datetime.now(UTC)
    reply = client.get("/live/A", params={"age": NIGHT})
    assert reply.status_code == 200
    assert timedelta(seconds=-1) < before - timedelta(seconds=NIGHT) - _as_of(reply) < timedelta(seconds=5)
    assert NIGHT <= int(reply.headers["age"]) < NIGHT + 5


@pytest.mark.parametrize("path", ["/live/A", "/batch/A"])
def test_what_is_older_than_its_caller_accepts_is_a_504(client: httpx.Client, path: str) -> None:
    for said in ("max-age=60", "max-age=60, max-stale=30", f"max-age={NIGHT - 9}, only-if-cached"):
        reply = client.get(path, params={"age": NIGHT}, headers={"cache-control": said})
        assert reply.status_code == 504, said
        problem = reply.json()
        assert problem["type"] == "urn:figway:problem:stale"
        told = re.search(r"was true (\d+) s ago", problem["detail"])
        if "only" not in said:
            assert told is not None
            assert NIGHT <= int(told[1]) < NIGHT + 60
            assert NIGHT <= int(reply.headers["age"]) < NIGHT + 60


def test_what_is_as_new_as_its_caller_wants_is_told(client: httpx.Client) -> None:
    for said in (
        f"max-age={NIGHT + 60}",
        f"max-age=60, max-stale={NIGHT}",
        "max-age=5, max-stale",
        "no-cache",
        "max-stale",
    ):
        reply = client.get("/live/A", params={"age": NIGHT}, headers={"cache-control": said})
        assert reply.status_code == 200, said
    assert client.get("/live/A", headers={"cache-control": "max-age=0"}).status_code == 200
    assert client.get("/live/A", headers={"cache-control": "max-age=soon"}).status_code == 400


def test_a_composite_is_as_old_as_its_oldest_part_and_tells_each(client: httpx.Client) -> None:
    reply = client.get("/both/A", params={"age": 3600})
    assert reply.status_code == 200
    parts = dict(re.findall(r'(\w+)="([^"]+)"', reply.headers["figway-parts-as-of"]))
    assert list(parts) == ["now", "then"]
    assert reply.headers["figway-as-of"] == parts["then"] < parts["now"]
    refused = client.get("/both/A", params={"age": 3600}, headers={"cache-control": "max-age=60"})
    assert (refused.status_code, refused.json()["type"]) == (504, "urn:figway:problem:stale")


def _called(client: httpx.Client, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    headers = {"accept": "application/json, text/event-stream"}
    reply = client.post("/mcp", json=body, headers=headers)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()["result"]
    return found


def test_a_tool_is_told_the_oldest_answer_that_is_accepted(client: httpx.Client) -> None:
    told = _called(client, "live", {"sku": "A", "age": NIGHT})
    assert NIGHT <= int(told["_meta"]["figway/age"]) < NIGHT + 5
    assert datetime.fromisoformat(told["_meta"]["figway/as-of"]) < datetime.now(UTC) - timedelta(hours=7)
    refused = _called(client, "live", {"sku": "A", "age": NIGHT, "_gateway": {"max_age": 60}})
    assert refused["isError"]
    assert '"urn:figway:problem:stale"' in refused["content"][0]["text"]
    wrong = _called(client, "live", {"sku": "A", "_gateway": {"max_age": "soon"}})
    assert wrong["isError"]
    whole = _called(client, "both", {"sku": "A", "age": 3600})
    assert 'then="' in whole["_meta"]["figway/parts-as-of"]


def test_a_stream_is_held_to_it_too(client: httpx.Client) -> None:
    headers = {"accept": "application/x-ndjson", "cache-control": "max-age=60"}
    reply = client.get("/items", headers=headers)
    assert reply.status_code == 200
    assert reply.text.count("\n") == 1000
