"""What imported contract tests call: a running gateway, asked for one route and held against its own contract."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema_rs
import pytest

_NEEDED = "say where the gateway is: FIGWAY_URL=http://127.0.0.1:8080 FIGWAY_KEY=… pytest"
_REFUSALS = frozenset((404, 409, 422))


class Gateway:
    """A gateway, and the contract that it shows to the key's owner."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._document: dict[str, Any] = {}
        self._entries: dict[str, Any] = {}

    def answers(self, operation_id: str, entry_of: str = "", key: Mapping[str, str] | None = None) -> None:
        """Calls a route with the contract's own examples, or with the first entry of the list `entry_of` (parameter →
        member in `key`). The reply must be as the contract says: its answer, or a refusal of the example."""
        given = self._key(entry_of, key or {}) if entry_of else {}
        reply, operation = self._called(operation_id, given)
        told = f"{operation_id} answered {reply.status_code}: {reply.text[:500]}"
        assert reply.is_success or (reply.status_code in _REFUSALS and not given), told
        if reply.is_success and reply.status_code != 204:
            self._check(operation["responses"][str(reply.status_code)], reply.json())

    def denies(self, method: str, path: str) -> None:
        """Nobody may call that route yet. Once somebody may, change this test."""
        filled = path.replace("{", "").replace("}", "")
        reply = self._client.request(method, filled, json=None if method in ("GET", "DELETE") else {})
        assert reply.status_code == 403, f"{method} {path} answered {reply.status_code}: {reply.text[:500]}"

    def _key(self, entry_of: str, key: Mapping[str, str]) -> dict[str, Any]:
        if entry_of not in self._entries:
            reply, _ = self._called(entry_of, {"limit": 1})
            assert reply.status_code == 200, f"{entry_of} answered {reply.status_code}: {reply.text[:500]}"
            self._entries[entry_of] = next(iter(reply.json()["items"]), None)
        entry = self._entries[entry_of]
        return {} if entry is None else {name: entry[member] for name, member in key.items()}

    def _called(self, operation_id: str, given: Mapping[str, Any]) -> tuple[httpx.Response, dict[str, Any]]:
        method, path, operation = self._operation(operation_id)
        query: dict[str, Any] = {}
        headers: dict[str, str] = {}
        for each in operation.get("parameters", ()):
            parameter = self._resolved(each)
            name = parameter["name"]
            if name not in given and not parameter.get("required"):
                continue
            value = _text(given[name] if name in given else parameter.get("example", "x"))
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
            else:
                (headers if parameter["in"] == "header" else query)[name] = value
        media = operation.get("requestBody", {}).get("content", {}).get("application/json")
        body = None if media is None else media.get("example", {})
        return self._client.request(method.upper(), path, params=query, headers=headers, json=body), operation

    def _operation(self, operation_id: str) -> tuple[str, str, dict[str, Any]]:
        if not self._document:
            self._document = self._client.get("/openapi.json").raise_for_status().json()
        for path, item in self._document["paths"].items():
            for method, operation in item.items():
                if operation.get("operationId") == operation_id:
                    return method, path, operation
        raise AssertionError(f"{operation_id} isn't among the routes that this key may call")

    def _check(self, response: Mapping[str, Any], value: Any) -> None:
        schema = self._resolved(response)["content"]["application/json"]["schema"]
        whole = {**schema, "components": self._document["components"]}
        faults = [each.message for each in jsonschema_rs.Draft202012Validator(whole).iter_errors(value)]
        assert not faults, f"the reply breaks its contract: {faults[:3]}"

    def _resolved(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in value:
            found: Any = self._document
            for part in value["$ref"].split("/")[1:]:
                found = found[part.replace("~1", "/").replace("~0", "~")]
            value = found
        return value


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """The gateway at FIGWAY_URL, called with FIGWAY_KEY."""
    url, key = os.environ.get("FIGWAY_URL"), os.environ.get("FIGWAY_KEY")
    if not url or not key:
        pytest.fail(_NEEDED)
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        yield Gateway(client)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
