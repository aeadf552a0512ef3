"""`/mcp` as an OAuth resource: where tokens are to be had, whose count, and how far they reach."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from beside import beside

RESOURCE = "https://gateway.example.com/mcp"
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
POLICY = 'permit (principal in Role::"clerk", action in [Action::"get_item", Action::"list_items"], resource);'


@pytest.fixture(scope="module")
def issuing() -> ModuleType:
    return beside(__file__, "../identity/issuing")


@pytest.fixture(scope="module")
def issuer(issuing: ModuleType) -> Iterator[Any]:
    with issuing.issuer_server() as server:
        yield server


@pytest.fixture(scope="module")
def resource(tmp_path_factory: pytest.TempPathFactory, running: ModuleType, issuer: Any) -> Iterator[Any]:
    """A gateway that believes the issuer."""
    files = {
        "gateway.yaml": f"""
upstreams:
  lab: {{kind: lab}}
  faulty: {{kind: lab}}
  closed: {{kind: lab, down: true}}
identity:
  issuers:
    - {{issuer: "{issuer.url}", audience: "{RESOURCE}", scope_prefix: "figway:"}}
""",
        "openapi/lab.yaml": (Path(__file__).parent.parent / "ingress" / "lab.yaml").read_text(),
        "policies/access.cedar": POLICY,
    }
    with running.serving(running.write_workspace(tmp_path_factory.mktemp("resource"), files)) as gateway:
        yield gateway


def called(gateway: Any, authorization: str | None, name: str, **headers: str) -> httpx.Response:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": {"sku": "A"}}}
    fields = {**HEADERS, **headers, **({} if authorization is None else {"authorization": authorization})}
    return httpx.post(f"{gateway.url}/mcp", json=message, headers=fields, timeout=30)


def token(issuing: ModuleType, issuer: Any, **claims: Any) -> str:
    told = {"aud": RESOURCE, "roles": ["clerk"], "scope": "figway:list_items", **claims}
    return f"Bearer {issuing.token(issuer.claims(**told))}"


@pytest.mark.parametrize("path", ["", "/mcp"])
def test_who_has_no_token_learns_where_to_get_one(resource: Any, issuer: Any, path: str) -> None:
    refused = called(resource, None, "get_item")
    assert refused.status_code == 401
    where = 'resource_metadata="https://gateway.example.com/.well-known/oauth-protected-resource/mcp"'
    assert where in refused.headers["www-authenticate"]
    document = httpx.get(f"{resource.url}/.well-known/oauth-protected-resource{path}").json()
    assert document["resource"] == RESOURCE
    assert document["authorization_servers"] == [issuer.url]


def test_a_token_for_another_resource_counts_for_nothing(resource: Any, issuer: Any, issuing: ModuleType) -> None:
    refused = called(resource, token(issuing, issuer, aud="https://other.example.com/mcp"), "list_items")
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18"])
def test_a_token_that_doesnt_reach_a_tool_is_told_all_scopes(
    resource: Any, issuer: Any, issuing: ModuleType, version: str
) -> None:
    narrow = token(issuing, issuer)
    refused = called(resource, narrow, "get_item", **{"mcp-protocol-version": version})
    assert refused.status_code == 403
    challenge = refused.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="figway:list_items figway:get_item"' in challenge
    assert "resource_metadata=" in challenge
    # What no scope would open isn't there.
    hidden, unknown = called(resource, narrow, "put_item"), called(resource, narrow, "no_such_tool")
    assert hidden.status_code == unknown.status_code == 200
    assert hidden.content == unknown.content
    wide = called(resource, token(issuing, issuer, scope="figway:list_items figway:get_item"), "get_item")
    assert wide.json()["result"]["isError"] is False


def test_a_gateway_without_issuers_names_none(gateway: Any) -> None:
    answer = httpx.get(f"{gateway.url}/.well-known/oauth-protected-resource")
    assert answer.status_code == 404
    assert "resource_metadata" not in called(gateway, None, "get_item").headers["www-authenticate"]


def test_a_browsers_page_is_refused(gateway: Any) -> None:
    refused = called(gateway, gateway.reader, "get_item", origin="http://evil.example.com", host="evil.example.com")
    assert refused.status_code == 403
    assert json.loads(refused.content)["type"] == "urn:figway:problem:forbidden"
    assert called(gateway, gateway.reader, "get_item", origin="http://localhost:6274").status_code == 200
