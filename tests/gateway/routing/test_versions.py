"""`version` and `If-Match`: what a contract says of them holds, or `figway check` says that it doesn't."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from gateway.routing.load import Loaded
from gateway.routing.model import Finding

GATEWAY = """\
upstreams:
  shop: {kind: odbc, dsn: env:SHOP_DSN, read_only: false}
  next: {kind: http, base_url: "http://next.test"}
"""
TABLES = """\
tables:
  part:
    primary_key: [id]
    version: revision
    columns: [{name: id, type: integer}, {name: name, type: text}, {name: revision, type: integer}]
  plain:
    primary_key: [id]
    columns: [{name: id, type: integer}, {name: name, type: text}, {name: revision, type: integer}]
"""
IF_MATCH = {"name": "If-Match", "in": "header", "required": True, "schema": {"type": "string"}}
VERSION = {"version": "revision"}
HTTP = {"upstream": "next", "operation": "DELETE /parts/{id}", "input": {"id": "path.id"}}


def _operation(name: str, gateway: dict[str, Any], *parameters: dict[str, Any], writes: bool = True) -> dict[str, Any]:
    key = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    content = {"application/json": {"schema": {"type": "object"}}}
    reply = {"204": {"description": "Gone."}} if writes else {"200": {"description": "One.", "content": content}}
    return {"operationId": name, "parameters": [key, *parameters], "responses": reply, "x-gateway": gateway}


def _shop(operation: str, **binding: Any) -> dict[str, Any]:
    return {"upstream": "shop", "operation": operation, "input": {"id": "path.id"}, **binding}


def _files(read: dict[str, Any], write: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, bytes]:
    get = _operation("get_part", {"effect": "read", "legacy": read}, writes=False)
    served = write if "compose" in write else {"legacy": write}
    remove = _operation("remove_part", {"effect": "idempotent_write", "group": "parts", **served}, *parameters)
    paths = {"/parts/{id}": {"get": get, "delete": remove}}
    contract = {"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": paths}
    return {
        "gateway.yaml": GATEWAY.encode(),
        "openapi/shop.yaml": yaml.safe_dump(contract).encode(),
        "openapi/sources/shop/tables.yaml": TABLES.encode(),
        "policies/access.cedar": b"permit (principal, action, resource);",
    }


GET, DELETE = _shop("part.get", **VERSION), _shop("part.delete", **VERSION)


@pytest.mark.parametrize(
    ("read", "write", "parameters"),
    [
        pytest.param(GET, DELETE, [IF_MATCH], id="demanded"),
        pytest.param(GET, DELETE, [], id="not demanded"),
        pytest.param(GET, {"upstream": "shop", "operation": "part.delete", **VERSION}, [IF_MATCH], id="merged"),
        pytest.param(GET, _shop("part.delete"), [], id="only told"),
        pytest.param(
            {**HTTP, "operation": "GET /parts/{id}"},
            {**HTTP, "input": {"id": "path.id", "header.If-Match": 'header."If-Match"'}},
            [IF_MATCH],
            id="passed on",
        ),
    ],
)
def test_what_holds_is_accepted(
    load: Callable[..., Loaded], read: dict[str, Any], write: dict[str, Any], parameters: list[dict[str, Any]]
) -> None:
    loaded = load(_files(read, write, *parameters))
    (route,) = (each for each in loaded.compiled.routes if each.operation_id == "remove_part")
    assert route.versioned == ("version" in write)


BROKEN = {
    "no versions": (GET, _shop("plain.delete", **VERSION), [], "'plain.delete' knows no versions"),
    "otherwise": (GET, _shop("part.delete", version="name"), [], "is 'revision': say that"),
    "nobody tells": (_shop("part.get"), DELETE, [], "no GET of this path has such a version"),
    "told elsewhere": ({**HTTP, "operation": "GET /parts/{id}"}, DELETE, [], "no GET of this path has such a version"),
    "not obeyed": (GET, _shop("part.delete"), [IF_MATCH], "'If-Match' is declared, and nothing obeys it"),
    "not passed on": (GET, HTTP, [IF_MATCH], "'If-Match' is declared, and nothing obeys it"),
    "no step": (
        GET,
        {"compose": {"steps": {"a": {"route": "get_part", "input": {"id": "path.id"}}}, "output": "a"}},
        [IF_MATCH],
        "no step is given it",
    ),
}


@pytest.mark.parametrize("broken", sorted(BROKEN))
def test_what_doesn_t_hold_is_told(problems: Callable[..., list[Finding]], broken: str) -> None:
    read, write, parameters, sentence = BROKEN[broken]
    found = problems(_files(read, write, *parameters))
    assert any(sentence in each.message for each in found), found
    assert all(each.file == "openapi/shop.yaml" and each.line for each in found)
