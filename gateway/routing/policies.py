"""Cedar policies (https://docs.cedarpolicy.com): parsed, and validated against the entities of this workspace.

The entities are what `authorize` builds: `User::"id"` in `Role::"name"`, with the attribute `agent` where one acts;
`Action::"operation_id"` in `Action::"read"`, `"idempotent_write"` or `"write"`; `Route::"operation_id"` in
`Group::"name"`; for the gateway's own routes `Action::"gateway:…"` (`permissions`) on `Gateway::"figway"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cedarpy

from adapters.contract import Effect
from gateway.routing.model import Finding, Route
from gateway.routing.permissions import PERMISSIONS
from gateway.routing.policy_files import POLICY_FILES
from gateway.routing.report import Report

# One policy at a time, so that each fault has its line: Cedar's own parser tells no position.
_TOKEN = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|;|[^/";]+|.', re.DOTALL)
_NAMED = re.compile(r'\b(Action|Route|Group|Gateway)::"((?:\\.|[^"\\])*)"')
_SPACE = re.compile(r"(?:\s|//[^\n]*)*")
_EFFECTS = tuple(effect.value for effect in Effect)
_IDLE = "unable to find an applicable action"
_PREFIX = re.compile(r"^for policy `[^`]*`, ")


@dataclass(frozen=True, slots=True)
class Policed:
    """What policies may speak of."""

    actions: Mapping[str, str | None]
    """operationId → its effect; None while that isn't known."""
    groups: frozenset[str]

    @classmethod
    def of(cls, operation_ids: list[str], routes: tuple[Route, ...]) -> Policed:
        """What there is, routes that don't compile included."""
        effects = {route.operation_id: route.effect.value for route in routes}
        actions = {each: effects.get(each) for each in operation_ids}
        return cls(actions, frozenset(route.group for route in routes))

    def schema(self) -> dict[str, Any]:
        """The Cedar schema (https://docs.cedarpolicy.com/schema/json-schema.html) of these entities."""
        agent = {"type": "Record", "attributes": {"agent": {"type": "String", "required": False}}}
        entities = {
            "User": {"memberOfTypes": ["Role"], "shape": agent},
            "Role": {},
            "Route": {"memberOfTypes": ["Group"]},
            "Group": {},
            "Gateway": {},
        }
        applies = {"principalTypes": ["User"], "resourceTypes": ["Route"]}
        # An effect is a group of actions, with or without a member today: a policy on it is sound in either case.
        actions: dict[str, Any] = {effect: {"appliesTo": applies} for effect in _EFFECTS}
        for name in PERMISSIONS:
            actions[name] = {"appliesTo": {"principalTypes": ["User"], "resourceTypes": ["Gateway"]}}
        for name, effect in self.actions.items():
            parents = [{"id": each} for each in ([effect] if effect else _EFFECTS)]
            actions[name] = {"memberOf": parents, "appliesTo": applies}
        return {"": {"entityTypes": entities, "actions": actions}}


def read_policies(files: Mapping[str, bytes], policed: Policed | None, report: Report) -> str:
    """The text of all policies joined; each one's faults go into the report.

    `policed` is None while a contract can't be read: then policies are parsed, but not held against the routes.
    """
    parts = []
    for name in sorted(each for each in files if each.startswith("policies/")):
        if name.removeprefix("policies/") in POLICY_FILES:
            continue
        if not name.endswith(".cedar"):
            known = "".join(f", or is {each}" for each in POLICY_FILES)
            report.note(Finding(name, 0, "", f"a policy file's name ends in .cedar{known}: rename or remove it"))
            continue
        try:
            text = files[name].decode()
        except UnicodeDecodeError:
            report.note(Finding(name, 0, "", "this isn't UTF-8 text: save the file as UTF-8"))
            continue
        for line, policy in _policies(text):
            _check(name, line, policy, policed, report)
        parts.append(text)
    return "\n".join(parts)


def _policies(text: str) -> Iterator[tuple[int, str]]:
    """Each policy with the line on which it starts; what follows the last ';' too, if it is anything."""
    start, policy = 0, ""
    for part in _TOKEN.findall(text):
        policy += part
        if part == ";":
            yield _placed(text, start, policy)
            start, policy = start + len(policy), ""
    if _SPACE.sub("", policy):
        yield _placed(text, start, policy)


def _placed(text: str, start: int, policy: str) -> tuple[int, str]:
    space = _SPACE.match(policy)
    skipped = space.end() if space else 0
    return text.count("\n", 0, start + skipped) + 1, policy[skipped:]


def _check(name: str, line: int, policy: str, policed: Policed | None, report: Report) -> None:
    try:
        cedarpy.policies_to_json_str(policy)
    except ValueError as error:
        report.note(Finding(name, line, "", f"the policy can't be read: {error}"))
        return
    if policed is not None:
        _check_fit(name, line, policy, policed, report)


def _check_fit(name: str, line: int, policy: str, policed: Policed, report: Report) -> None:
    unknown = False
    for found in _NAMED.finditer(policy):
        wrong = _unknown(found[1], found[2], policed)
        if wrong is not None:
            unknown = True
            report.note(Finding(name, line + policy.count("\n", 0, found.start()), found[0], wrong))
    for fault in cedarpy.validate_policies(policy, json.dumps(policed.schema())).errors:
        sentence = _PREFIX.sub("", fault.error)
        if sentence.startswith(_IDLE):
            if not unknown:
                report.note(Finding(name, line, "", "no call is such that this policy decides on it", "warning"))
        elif not (unknown and sentence.startswith("unrecognized action")):
            report.note(Finding(name, line, "", f"the policy doesn't fit the routes: {sentence}"))


def _unknown(kind: str, name: str, policed: Policed) -> str | None:
    if kind == "Action" and name not in policed.actions and name not in _EFFECTS and name not in PERMISSIONS:
        others = ", ".join((*_EFFECTS, *PERMISSIONS))
        return f"there is no route '{name}': an action is an operationId, or one of {others}"
    if kind == "Gateway" and name != "figway":
        return f"there is no gateway '{name}': it is Gateway::\"figway\""
    if kind == "Route" and name not in policed.actions:
        return f"there is no route '{name}': there are {', '.join(sorted(policed.actions)) or 'none'}"
    whole = all(effect is not None for effect in policed.actions.values())
    if kind == "Group" and whole and name not in policed.groups:
        return f"there is no group '{name}': there are {', '.join(sorted(policed.groups)) or 'none'}"
    return None
