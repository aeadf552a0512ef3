"""Composites as callers meet them: how long they take, what is missing, what they would do, where values came from."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import ModuleType
from typing import Any

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
SECONDS = 3.1 if SLOW else 0.2
_EIGHT = "\n".join(f"s{at}: {{route: look, input: {{sku: \"'{at}'\", seconds: body.seconds}}}}" for at in range(8))
_MIXED = """
first: {route: look, input: {sku: body.sku}}
second: {route: look, input: {sku: first.sku}, when: body.more}
third: {route: look, for_each: body.skus, input: {sku: item, error: body.error}, concurrency: 3, on_error: omit}
last: {route: look, input: {sku: "'z'"}, after: [second, third]}
"""
_WRITES = """
found: {route: look, input: {sku: body.sku}}
one: {route: make, input: {sku: found.sku, n: body.n}, compensate: {route: unmake, input: {sku: one.sku, n: body.n}}}
two: {route: make, input: {sku: one.sku, n: body.n}}
each: {route: make, for_each: body.skus, input: {sku: item, n: body.n}}
maybe: {route: set_it, input: {sku: body.sku, n: body.n}, when: one.name}
never: {route: set_it, input: {sku: body.sku, n: body.n}, when: body.nothing}
"""


def composites(lab: ModuleType) -> list[str]:
    """What the gateway serves."""
    return [
        lab.composite("/eight", "eight", _EIGHT, effect="read"),
        lab.composite("/mixed", "mixed", _MIXED, effect="read"),
        lab.composite("/writes", "writes", _WRITES),
        lab.composite("/around", "around", 'inner: {route: mixed, input: {body: "@.body"}}', effect="read"),
    ]


def _lineage(client: Any, reply: Any) -> dict[str, dict[str, Any]]:
    told = client.get(f"/-/lineage/{reply.headers['figway-lineage']}").json()
    return {each["step"]: each for each in told["steps"]}


def test_eight_steps_that_wait_for_nothing_take_as_long_as_one(served: tuple[Any, Path]) -> None:
    gateway, _ = served
    with gateway.client() as client:
        started = time.monotonic()
        reply = client.post("/eight", json={"seconds": SECONDS}, timeout=30)
        took = time.monotonic() - started
        assert reply.status_code == 200, reply.text
        steps = _lineage(client, reply)
    print(f"\n8 steps of {SECONDS} s took {took:.3f} s")
    assert len(steps) == 8
    assert max(each["from_ms"] for each in steps.values()) < min(each["to_ms"] for each in steps.values())


def test_lineage_tells_of_each_step(served: tuple[Any, Path]) -> None:
    gateway, _ = served
    with gateway.client() as client:
        reply = client.post("/mixed", json={"sku": "a", "skus": ["x", "y"]})
        assert list(reply.json()) == ["first", "third", "last"]
        assert [each["sku"] for each in reply.json()["third"]] == ["x", "y"]
        steps = _lineage(client, reply)
    assert {name: each["outcome"] for name, each in steps.items()} == {
        "first": "ok",
        "second": "skipped",
        "third": "ok",
        "last": "ok",
    }
    assert steps["second"]["input"] == {"sku": "first.sku"}
    assert steps["second"]["when"] == "body.more"
    assert (steps["third"]["for_each"], steps["third"]["items"]) == ("body.skus", 2)
    assert steps["last"]["from_ms"] >= max(steps["second"]["to_ms"], steps["third"]["to_ms"])


def test_steps_within_steps_are_told_by_both_names(served: tuple[Any, Path]) -> None:
    gateway, _ = served
    with gateway.client() as client:
        reply = client.post("/around", json={"sku": "a", "skus": []})
        assert reply.status_code == 200, reply.text
        steps = _lineage(client, reply)
    assert steps.keys() == {"inner", "inner.first", "inner.second", "inner.third", "inner.last"}
    assert steps["inner.second"]["input"] == {"sku": "first.sku"}


def test_what_is_missing_is_said_and_never_kept(served: tuple[Any, Path]) -> None:
    gateway, _ = served
    with gateway.client() as client:
        reply = client.post("/mixed", json={"sku": "a", "skus": ["x", "y"], "error": "NotFound"})
        assert reply.json()["third"] == [None, None]
        assert reply.headers["figway-partial"] == "third"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["figway-warning"] == "Of the part 'third' 2 of 2 are missing: not found."
        asked = {"name": "mixed", "arguments": {"body": {"sku": "a", "skus": ["x"], "error": "NotFound"}}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked}
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
        told = client.post("/mcp", json=message, headers=headers).json()["result"]
    assert not told["isError"], told
    assert told["_meta"]["figway/partial"] == "third"


def test_a_dry_run_reads_and_writes_nothing(served: tuple[Any, Path], lab: ModuleType) -> None:
    gateway, journal = served
    before = lab.effects(journal)
    with gateway.client() as client:
        body = {"sku": "a", "n": 1, "skus": ["x"]}
        reply = client.post("/writes", json=body, headers={"prefer": "dry-run"})
        assert reply.status_code == 200, reply.text
        assert reply.headers["preference-applied"] == "dry-run"
    assert lab.effects(journal) == before
    told = {each["step"]: each for each in reply.json()["would"]["body"]["steps"]}
    assert told["found"]["does"] == "reads"
    assert told["found"]["reply"]["sku"] == "a"
    assert told["one"]["does"] == "writes"
    assert told["one"]["input"] == {"sku": "a", "n": 1}
    assert told["one"]["undone_by"] == "unmake"
    assert told["two"] == {
        "step": "two",
        "route": "make",
        "effect": "write",
        "does": "open",
        "input": {"n": 1},
        "why": "sku depends on 'one', which isn't made",
    }
    assert told["each"]["items"][0]["input"] == {"sku": "x", "n": 1}
    assert told["maybe"]["why"] == "whether it is called depends on 'one', which isn't made"
    assert told["never"]["does"] == "nothing"


def test_a_dry_run_fails_as_the_composite_would(served: tuple[Any, Path]) -> None:
    gateway, _ = served
    with gateway.client() as client:
        reply = client.post("/writes", json={"sku": {"not": "a text"}}, headers={"prefer": "dry-run"})
    assert reply.status_code == 502
    assert "'found'" in reply.json()["detail"]


def test_lineage_tells_nothing_of_parts_that_are_not_for_the_caller(
    tmp_path: Path, running: ModuleType, lab: ModuleType
) -> None:
    steps = """
one: {route: make, input: {sku: "'one'"}}
secret: {route: look, input: {sku: one.sku}, on_error: omit}
"""
    permit = 'permit (principal in Role::"few", action in [Action::"make", Action::"whole"], resource);\n'
    whole = lab.composite("/whole", "whole", steps, "{one: one.sku, secret: secret.name}")
    lab.workspace(tmp_path, running, *lab.ROUTES, whole, policy=permit)
    with running.serving(tmp_path) as gateway:
        told = []
        for role in ("few", "writer"):
            with gateway.client(running.create_key(tmp_path, role, principal=role)) as client:
                id = client.post("/whole", json={}).headers["figway-lineage"]
                told.append(client.get(f"/-/lineage/{id}").json())
    hidden = ["look", "item.note"]
    assert [[each in str(answer) for each in hidden] for answer in told] == [[False, False], [True, True]]
    assert [each["step"] for each in told[0]["steps"]] == ["one"]
    assert [each["pointer"] for each in told[0]["fields"]] == [each["pointer"] for each in told[1]["fields"]]
