"""Cedar policies (https://docs.cedarpolicy.com): parsed, and validated against the entities of this workspace.

The entities are what `authorize` builds: `User::"id"` in `Role::"name"`; `Action::"operation_id"` in
`Action::"read"`, `"idempotent_write"` or `"write"`; `Route::"operation_id"` in `Group::"name"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import cedarpy

from adapters.contract import Effect
from gateway.routing.model import Finding, Route
from gateway.routing.report import Report

_UNKNOWN_ACTION = re.compile(r'unrecognized action `?(Action::"[^"]*")')


def read_policies(files: Mapping[str, bytes], routes: Iterable[Route], report: Report) -> str:
    """The text of all policies joined; each file's faults go into the report."""
    schema = policy_schema(routes)
    parts = []
    for name in sorted(each for each in files if each.startswith("policies/")):
        if not name.endswith(".cedar"):
            report.note(Finding(name, 0, "", "a policy file's name ends in .cedar: rename or remove it"))
            continue
        try:
            text = files[name].decode()
        except UnicodeDecodeError:
            report.note(Finding(name, 0, "", "this isn't UTF-8 text: save the file as UTF-8"))
            continue
        _check(name, text, schema, report)
        parts.append(text)
    return "\n".join(parts)


def policy_schema(routes: Iterable[Route]) -> dict[str, Any]:
    """The Cedar schema of the entities that this workspace's policies may speak of."""
    applies = {"principalTypes": ["User"], "resourceTypes": ["Route"], "context": _CONTEXT}
    actions: dict[str, Any] = {effect.value: {} for effect in Effect}
    for route in routes:
        actions[route.operation_id] = {"memberOf": [{"id": route.effect.value}], "appliesTo": applies}
    return {"": {"entityTypes": _ENTITIES, "actions": actions}}


_CONTEXT = {"type": "Record", "attributes": {}}
_ENTITIES = {"User": {"memberOfTypes": ["Role"]}, "Role": {}, "Route": {"memberOfTypes": ["Group"]}, "Group": {}}


def _check(name: str, text: str, schema: Mapping[str, Any], report: Report) -> None:
    try:
        cedarpy.policies_to_json_str(text)
    except ValueError as error:
        report.note(Finding(name, 0, "", f"{error}"))
        return
    result = cedarpy.validate_policies(text, json.dumps(schema))
    for each in result.errors:
        report.note(Finding(name, 0, each.policy_id, each.error))
