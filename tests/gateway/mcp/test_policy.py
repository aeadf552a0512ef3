"""Tools are what policies let a caller use: the same list as /openapi.json, and no way round it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest

from gateway.audit.verify import records

SEED = 20261121
CALLERS, ROUTES = 30, 40
OPERATION = """
  /r{number}:
    get:
      operationId: read_{number}
      summary: Reads {number}
      parameters: [{{name: sku, in: query, schema: {{type: string}}}}]
      responses:
        "200": {{description: One., content: {{application/json: {{schema: {{type: object}}}}}}}}
      x-gateway:
        effect: read
        legacy: {{upstream: lab, operation: item.get, input: {{sku: "query.sku || 'A'"}}}}
"""
UNKNOWN = "no_such_tool"
HEADERS = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25",
    "content-type": "application/json",
}


def asked(client: httpx.Client, method: str, params: dict[str, Any]) -> httpx.Response:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return client.post("/mcp", json=message, headers=HEADERS)


def listed(client: httpx.Client) -> list[str]:
    names: list[str] = []
    params: dict[str, Any] = {}
    while True:
        page = asked(client, "tools/list", params).json()["result"]
        names += [tool["name"] for tool in page["tools"]]
        if "nextCursor" not in page:
            return names
        params = {"cursor": page["nextCursor"]}


@pytest.fixture(scope="module")
def allowed() -> list[set[str]]:
    """What each caller may use."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    names = [f"read_{number}" for number in range(ROUTES)]
    return [set(chance.sample(names, chance.randint(0, ROUTES))) for _ in range(CALLERS)]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, running: ModuleType, allowed: list[set[str]]) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("guarded")
    paths = "".join(OPERATION.format(number=number) for number in range(ROUTES))
    rules = []
    for number, each in enumerate(allowed):
        actions = ", ".join(f'Action::"{name}"' for name in sorted(each))
        rules += [f'permit (principal in Role::"role{number}", action in [{actions}], resource);'] if each else []
    files = {
        "gateway.yaml": "upstreams: {lab: {kind: lab}}\n",
        "openapi/lab.yaml": f'openapi: 3.1.0\ninfo: {{title: Lab, version: "1"}}\npaths:{paths}',
        "policies/access.cedar": "\n".join(rules),
    }
    with running.serving(running.write_workspace(folder, files)) as gateway:
        yield gateway


def test_what_is_listed_is_what_policies_allow_and_nothing_else_can_be_called(
    guarded: Any, running: ModuleType, allowed: list[set[str]]
) -> None:
    pairs = leaks = 0
    for number, expected in enumerate(allowed):
        key = running.create_key(guarded.folder, f"role{number}", principal=f"caller{number}")
        with guarded.client(key) as client:
            assert listed(client) == sorted(expected)
            document = client.get("/openapi.json").json()
            assert {item["get"]["operationId"] for item in document["paths"].values()} == expected
            unknown = asked(client, "tools/call", {"name": UNKNOWN})
            for route in range(ROUTES):
                name = f"read_{route}"
                answer = asked(client, "tools/call", {"name": name, "arguments": {}})
                pairs += 1
                if name in expected:
                    assert answer.json()["result"]["isError"] is False, answer.text
                    continue
                # In nothing that a caller sees does a hidden tool differ from one that isn't there.
                leaks += answer.content != unknown.content or answer.status_code != unknown.status_code
    assert pairs == CALLERS * ROUTES >= 1_000
    assert leaks == 0


def test_a_refusal_is_on_record_as_what_it_is(guarded: Any, running: ModuleType) -> None:
    key = running.create_key(guarded.folder, "nobody", principal="mallory")
    with guarded.client(key) as client:
        assert "Unknown tool" in asked(client, "tools/call", {"name": "read_0"}).text
    told = [each for each in records(guarded.folder / ".figway" / "audit") if each.get("principal") == "mallory"]
    last = told[-1]
    assert (last["operation"], last["status"], last["decision"]) == ("read_0", 403, "deny")
    assert last["noted"] == {"mcp": "tools/call"}
