"""What a tool is given and what it answers has an end: bytes, levels, members and items, whatever a schema says."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

MODERN = "2026-07-28"
ACCEPT = "application/json, text/event-stream"
_META = "io.modelcontextprotocol/"


def called(gateway: Any, name: str, arguments: str) -> httpx.Response:
    """A call of a tool, whose arguments are JSON as it is written here."""
    meta = {f"{_META}protocolVersion": MODERN, f"{_META}clientCapabilities": {}}
    params = f'{{"name": {json.dumps(name)}, "_meta": {json.dumps(meta)}, "arguments": {arguments}}}'
    body = f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {params}}}'
    headers = {"accept": ACCEPT, "content-type": "application/json", "mcp-protocol-version": MODERN}
    headers |= {"mcp-method": "tools/call", "mcp-name": name}
    with gateway.client() as client:
        return client.post("/mcp", content=body, headers=headers)


def refused(reply: httpx.Response) -> str:
    """What a call that went no further was told, by a problem, an error of JSON-RPC or a result that is one."""
    assert reply.status_code < 500, reply.text[:500]
    told = reply.json()
    assert reply.status_code >= 400 or "error" in told or told["result"]["isError"], reply.text[:500]
    return reply.text


def test_a_message_has_bytes_to_it(gateway: Any) -> None:
    long = json.dumps({"body": {"a": "x" * (64 + 65) * 1024}})
    assert called(gateway, "raw_off", long).status_code == 413
    within = json.dumps({"sku": "A", "note": "x" * 70 * 1024})
    assert "request-too-large" in refused(called(gateway, "put_item", within))


@pytest.mark.parametrize("levels", [70, 500, 5_000])
def test_arguments_have_levels_to_them(gateway: Any, levels: int) -> None:
    refused(called(gateway, "raw_off", '{"body": {"a": ' + "[" * levels + "]" * levels + "}}"))


def test_arguments_have_members_to_them(gateway: Any) -> None:
    # 64 KiB hold no 100,000 members; those of bodies are what `test_json_body` shows.
    refused(called(gateway, "raw_off", '{"body": {"a": [' + ",".join("0" * 70_000) + "]}}"))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("put_item", {"sku": ""}),
        ("put_item", {"sku": "A", "more": 1}),
        ("list_items", {"limit": 501}),
        ("list_items", {"limit": 10**30}),
        ("list_items", {"sku.in": [["A"]]}),
        ("get_item", {"sku": {"a": {"b": 1}}}),
    ],
    ids=["short", "unknown", "many", "huge", "nested", "object"],
)
def test_arguments_are_held_to_the_schema(gateway: Any, name: str, arguments: dict[str, Any]) -> None:
    assert "invalid-request" in refused(called(gateway, name, json.dumps(arguments)))


def test_a_query_has_bytes_to_it(gateway: Any) -> None:
    assert "uri-too-long" in refused(called(gateway, "list_items", json.dumps({"name": "x" * 9_000})))


def test_a_list_has_items_to_it_and_a_reply_bytes(gateway: Any) -> None:
    reply = called(gateway, "list_items", json.dumps({"limit": 500})).json()["result"]
    assert len(reply["structuredContent"]["items"]) <= 500
    assert len(json.dumps(reply["structuredContent"]).encode()) <= 2 * 48 * 1024


def test_an_answer_that_breaks_its_contract_goes_no_further(gateway: Any) -> None:
    told = called(gateway, "raw_strict", json.dumps({"body": {"sku": 5, "note": "x" * 200}}))
    assert "bad-upstream-reply" in told.text or "invalid-request" in told.text
    assert "xxxx" not in told.text
