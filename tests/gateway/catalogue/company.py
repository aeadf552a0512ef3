"""Contracts and workspaces, made of company.yaml and its like: every route is a mock, as no system is behind it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_HERE = Path(__file__).parent
_METHODS = ("get", "post", "patch", "put", "delete")
_PAGE = {
    "limit": {"schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}},
    "cursor": {"schema": {"type": "string", "maxLength": 2000}},
}


def tasks(name: str) -> list[tuple[str, str]]:
    """What people say, and the tool that is right for it."""
    return [(each["ask"], each["tool"]) for each in yaml.safe_load((_HERE / name).read_text())]


def contract(name: str = "company") -> dict[str, Any]:
    """The OpenAPI document of the company, or of who else is called `name`."""
    told = _written(name)
    paths: dict[str, dict[str, Any]] = {}
    for route in told["routes"]:
        method = next(name for name in _METHODS if name in route)
        paths.setdefault(route[method], {})[method] = _operation(route, method)
    schemas = {name: _object(members) for name, members in told["types"].items()}
    document = {"openapi": "3.1.0", "info": {"title": name.capitalize(), "version": "1"}, "paths": paths}
    return {**document, "components": {"schemas": schemas}}


def files(name: str = "company") -> dict[str, str]:
    """The workspace's files, for `running.write_workspace`."""
    return {
        "gateway.yaml": "upstreams: {}\n",
        f"openapi/{name}.yaml": json.dumps(contract(name), indent=1),
    }


@cache
def _written(name: str) -> Any:
    return yaml.safe_load((_HERE / f"{name}.yaml").read_text())


def _object(members: dict[str, Any]) -> dict[str, Any]:
    told = {
        name: {"type": "string"} | _described(each) if isinstance(each, str) else each for name, each in members.items()
    }
    return {"type": "object", "additionalProperties": False, "properties": told}


def _described(text: str) -> dict[str, str]:
    return {"description": text} if text else {}


def _operation(route: dict[str, Any], method: str) -> dict[str, Any]:
    named = re.findall(r"{(\w+)}", route[method])
    parameters = [_parameter(name, "path", {"required": True}) for name in named]
    parameters += [_parameter(name, "query", _described(told)) for name, told in route.get("by", {}).items()]
    if "lists" in route:
        parameters += [_parameter(name, "query", each) for name, each in _PAGE.items()]
    made: dict[str, Any] = {"operationId": route["id"], "tags": [route["group"]], "summary": route["summary"]}
    made |= {"description": route["description"]} if "description" in route else {}
    made |= {"parameters": parameters} if parameters else {}
    if "takes" in route:
        made["requestBody"] = {"required": True, "content": _json({"$ref": f"#/components/schemas/{route['takes']}"})}
    made["responses"] = {"200": {"description": "What was asked for.", "content": _json(_reply(route))}}
    return {**made, "x-gateway": {"effect": "read" if method == "get" else "write", "missing": "mock"}}


def _parameter(name: str, where: str, more: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": where, "schema": {"type": "string"}, **more}


def _reply(route: dict[str, Any]) -> dict[str, Any]:
    if isinstance(route.get("answers"), dict):
        return dict(route["answers"])
    if "answers" in route:
        return {"$ref": f"#/components/schemas/{route['answers']}"}
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{route['lists']}"}}
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {"items": items, "next": {"type": ["string", "null"]}},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
