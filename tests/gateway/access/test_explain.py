"""`figway policy explain`, as its users run it."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

GATEWAY = "upstreams: {lab: {kind: lab}}\n"
CONTRACT = """
openapi: 3.1.0
info: {title: Lab, version: "1"}
paths:
  /items/{sku}:
    put:
      operationId: put_item
      tags: [items]
      parameters: [{name: sku, in: path, required: true, schema: {type: string}}]
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, required: [serial], properties: {serial: {type: integer}}}}}
      responses: {"200": {description: Put., content: {application/json: {schema: {type: object}}}}}
      x-gateway:
        effect: write
        legacy: {upstream: lab, operation: item.put, input: {sku: path.sku, serial: body.serial}}
  /stocktaking:
    post:
      operationId: count_items
      responses: {"200": {description: Counted., content: {application/json: {schema: {type: object}}}}}
      x-gateway:
        effect: write
        compose: {steps: {put: {route: put_item, input: {sku: "'a'", serial: "`1`"}}}, output: put}
"""
POLICY = """\
@id("clerks")
permit (principal in Role::"clerk", action == Action::"put_item", resource in Group::"items")
when { context.arguments.body.serial < 10 };

@id("no-robots")
forbid (principal, action, resource) when { principal has agent && principal.agent == "robot" };

@id("by-day")
forbid (principal, action, resource) unless { context.time.hour >= 8 };

@id("counters")
permit (principal, action == Action::"count_items", resource);

@id("too-far")
forbid (principal, action, resource) when { context.delegation_depth * 9223372036854775807 < 0 };
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Path:
    files = {"gateway.yaml": GATEWAY, "openapi/lab.yaml": CONTRACT, "policies/access.cedar": POLICY}
    found: Path = running.write_workspace(tmp_path_factory.mktemp("explain"), files)
    return found


@pytest.fixture(scope="module")
def figway(folder: Path, running: ModuleType) -> Any:
    def run(*arguments: str, code: int = 0) -> str:
        done = running.figway("policy", "explain", "--workspace", str(folder), *arguments)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    return run


CLERK = ("--as", "alice", "--role", "clerk", "--via", "bot", "--action", "put_item")


def test_a_call_is_explained_policy_by_policy(figway: Any) -> None:
    noon = ("--at", "2026-11-21T12:00:00Z", "--arg", "sku=a")
    told = json.loads(figway(*CLERK, "--json", *noon, "--arg", "serial=9"))
    assert (told["decision"], told["deciding"]) == ("allow", ["clerks"])
    places = {each["name"]: (each["file"], each["line"], each["outcome"]) for each in told["policies"]}
    assert places == {
        "clerks": ("policies/access.cedar", 1, "satisfied"),
        "no-robots": ("policies/access.cedar", 5, "not satisfied"),
        "by-day": ("policies/access.cedar", 8, "not satisfied"),
        "too-far": ("policies/access.cedar", 14, "not satisfied"),
    }
    assert json.loads(figway(*CLERK, "--json", *noon, "--arg", "serial=10"))["decision"] == "deny"


def test_what_can_be_said_before_a_call_is_said(figway: Any) -> None:
    text = figway(*CLERK)
    assert text.splitlines()[0].startswith("depends: alice via bot may call, depending on the call, put_item")
    assert "policies/access.cedar:1" in text
    assert "waits for the call" in text


def test_an_error_is_told_and_denies(figway: Any) -> None:
    """Two agents in a row are more than 64 bits can count, if one multiplies them by what fits once."""
    told = figway(*CLERK, "--via", "bot", "--behind", "other")
    assert told.startswith("deny: alice via bot may not call put_item (too-far)")
    assert "error: " in told


def test_a_composite_is_explained_with_what_it_cant_do_without(figway: Any) -> None:
    told = figway("--as", "ann", "--action", "count_items")
    why = "it can't do without put_item, which no policy lets this caller use"
    assert told.startswith(f"deny: ann may not call count_items ({why}).")
    assert json.loads(figway("--as", "ann", "--action", "count_items", "--json"))["lacking"] == ["put_item"]
    allowed = figway("--as", "ann", "--role", "clerk", "--action", "count_items")
    assert not allowed.startswith("deny")


def test_scopes_and_permissions_are_explained_too(figway: Any) -> None:
    assert "narrowed to other operations" in figway(*CLERK, "--scope", "read")
    assert figway("--as", "ann", "--via", "bot", "--action", "gateway:read_audit").startswith("deny: ann via bot")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--as", "a", "--action", "gone"), "no operation and no permission 'gone'; there are count_items, put_item"),
        ((*CLERK, "--arg", "sku"), "'sku' isn't NAME=VALUE"),
        ((*CLERK, "--at", "noon"), "'noon' isn't a time"),
    ],
)
def test_wrong_use_is_told(figway: Any, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in figway(*arguments, code=2)
