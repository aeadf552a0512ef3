"""Messages as nobody should send them: each gets an answer of JSON-RPC or of HTTP, and both ways judge alike.

What is answered without the SDK, and what the SDK answers of the same message under another spelling, must agree.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

SEED = 20261121
EXAMPLES = 3_000 if os.environ.get("FIGWAY_SLOW") else 150
MODERN, LEGACY = "2026-07-28", "2025-11-25"
VERSIONS = [MODERN, LEGACY, "2025-06-18", "2024-11-05", "2031-01-01", "", "2026-07-28, 2026-07-28"]
METHODS = [
    "tools/list", "tools/call", "resources/list", "resources/read", "resources/templates/list", "initialize",
    "server/discover", "notifications/cancelled", "notifications/initialized", "prompts/list", "tools/CALL", "", "ping",
]  # fmt: skip
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
BOTH = {"accept": "application/json, text/event-stream", "content-type": "application/json"}

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**80), 2**80), st.floats(), st.text(max_size=20), st.just("A" * 5_000)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ids = st.one_of(st.integers(0, 9), st.just("id"), scalars, st.lists(st.integers(), max_size=2))
names = st.one_of(
    st.sampled_from(["get_item", "put_item", "list_items", "wait", "nothing", "get_item "]), st.text(max_size=12)
)
arguments = st.one_of(
    st.just({"sku": "A"}),
    st.dictionaries(st.sampled_from(["sku", "limit", "cursor", "_gateway", "X-Colour", "more"]), values, max_size=4),
    values,
)
more = st.dictionaries(
    st.sampled_from(["progressToken", *META, "io.modelcontextprotocol/clientInfo", "x"]), values, max_size=2
)
metas = st.one_of(st.just(META), st.builds(lambda given: {**META, **given}, more), values)
params = st.one_of(
    st.fixed_dictionaries({"name": names, "arguments": arguments, "_meta": metas}),
    st.fixed_dictionaries({"_meta": metas}, optional={"cursor": st.one_of(st.text(max_size=9), values), "uri": names}),
    st.fixed_dictionaries({"name": names}, optional={"arguments": arguments, "extra": values}),
    values,
)
messages = st.fixed_dictionaries(
    {"jsonrpc": st.one_of(st.just("2.0"), scalars), "method": st.one_of(st.sampled_from(METHODS), scalars)},
    optional={"id": ids, "params": params, "result": values, "error": values},
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A message, or what only looks like one."""
    message = draw(st.one_of(messages, messages, messages, st.lists(messages, max_size=3), values))
    text = json.dumps(message)
    kind = draw(st.integers(0, 11))
    if kind == 0:  # a member twice
        text = text.replace('"method"', '"method": "ping", "method"', 1)
    if kind == 1:
        text = text[: draw(st.integers(0, len(text)))]
    if kind == 2:
        deep = draw(st.sampled_from([30, 70, 2_000, 60_000]))
        text = text.replace('"2.0"', "[" * deep + "]" * deep, 1)
    if kind == 3:
        text = text.replace('"2.0"', draw(st.sampled_from(["1e999", "-0", "NaN", "9" * 400, "1" + "0" * 5_000])), 1)
    raw = text.encode("utf-8", "surrogatepass")
    if kind == 4:
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.binary(min_size=1, max_size=4)) + raw[at:]
    return raw


@st.composite
def fields(draw: st.DrawFn) -> dict[str, str]:
    """Header fields, most of them as they should be."""
    found = {**BOTH, "mcp-protocol-version": draw(st.sampled_from([MODERN, LEGACY, *VERSIONS]))}
    found |= {"mcp-method": draw(st.sampled_from(METHODS)), "mcp-name": draw(st.sampled_from(["get_item", "wait", ""]))}
    for name in draw(st.lists(st.sampled_from([*found, "mcp-session-id", "mcp-param-x", "last-event-id"]), max_size=2)):
        found[name] = draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)).strip()
    return found


@pytest.fixture(scope="module")
def client(gateway: Any) -> Iterator[httpx.Client]:
    with gateway.client() as client:
        yield client


def judged(answer: httpx.Response) -> tuple[int, Any]:
    """The status and the code of JSON-RPC's error, if any; fails where it's neither's answer."""
    assert answer.status_code < 500 or answer.json()["type"] == "urn:figway:problem:overloaded", answer.text
    if answer.status_code == 202 or not answer.content:
        return answer.status_code, None
    assert "content-type" in answer.headers, (answer.status_code, answer.headers, answer.text)
    if answer.headers["content-type"].startswith("application/problem+json"):
        return answer.status_code, answer.json()["type"]
    if answer.headers["content-type"].startswith("text/event-stream"):
        return answer.status_code, "stream"
    if not answer.headers["content-type"].startswith("application/json"):
        assert answer.status_code >= 400, answer.text
        return answer.status_code, None
    document = answer.json()
    assert document["jsonrpc"] == "2.0", document
    assert ("result" in document) != ("error" in document), document
    assert document.get("error", {}).get("code") != -32603, document
    return answer.status_code, document.get("error", {}).get("code")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@seed(SEED)
@given(raw=bodies(), headers=fields())
def test_every_message_gets_an_answer(client: httpx.Client, raw: bytes, headers: dict[str, str]) -> None:
    judged(client.post("/mcp", content=raw, headers=headers, timeout=30))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@seed(SEED)
@given(
    method=st.sampled_from(["tools/list", "tools/call"]),
    name=names.filter(lambda name: name.isascii() and name.isprintable() and name == name.strip()),
    arguments=st.one_of(st.just({"sku": "A"}), st.dictionaries(st.text(max_size=5), values, max_size=2)),
    cursor=st.one_of(st.none(), st.text(max_size=9), scalars),
    meta=st.dictionaries(st.sampled_from(["progressToken", "x"]), scalars, max_size=2),
    id=ids,
    modern=st.booleans(),
)
def test_both_ways_judge_alike(
    client: httpx.Client,
    method: str,
    name: str,
    arguments: dict[str, Any],
    cursor: Any,
    meta: dict[str, Any],
    id: Any,
    modern: bool,
) -> None:
    params: dict[str, Any] = {"_meta": {**META, **meta} if modern else meta}
    params |= (
        {"name": name, "arguments": arguments}
        if method == "tools/call"
        else {}
        if cursor is None
        else {"cursor": cursor}
    )
    message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
    headers = {**BOTH, "mcp-protocol-version": MODERN if modern else LEGACY, "mcp-method": method}
    headers |= {"mcp-name": name} if method == "tools/call" else {}
    raw = json.dumps(message).encode("utf-8", "surrogatepass")
    own = client.post("/mcp", content=raw, headers=headers, timeout=30)
    # A quality is nothing that the SDK minds, and nothing that is understood without it.
    accept = "application/json;q=0.9, text/event-stream;q=0.9"
    other = client.post("/mcp", content=raw, headers={**headers, "accept": accept}, timeout=30)
    assert judged(own) == judged(other), (own.text, other.text)
    if own.status_code == 200 and "result" in own.json() and method == "tools/call":
        mine, theirs = own.json()["result"], other.json()["result"]
        assert mine["isError"] == theirs["isError"]
        assert mine.get("structuredContent") == theirs.get("structuredContent")
