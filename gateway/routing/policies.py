"""Cedar policies (https://docs.cedarpolicy.com): parsed, and validated against the entities of this workspace.

The entities are what `gateway.policy` builds: `User::"id"` in `Role::"name"`, `Team::"name"` and `Tenant::"name"`, with
the attributes `agent`, `tenant` and `issuer` where there are any; `Action::"operation_id"` in `Action::"read"`,
`"idempotent_write"` or `"write"`; `Route::"operation_id"` in `Group::"name"` and `Upstream::"name"`; for the gateway's
own routes `Action::"gateway:…"` (`permissions`) on `Gateway::"figway"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import cedarpy

from gateway.routing.annotations import marks_of
from gateway.routing.cedar import Policy, policies_of, takes_whole
from gateway.routing.model import Finding, Route
from gateway.routing.permissions import PERMISSIONS
from gateway.routing.policy_files import POLICY_FILES
from gateway.routing.policy_schema import EFFECTS, Policed, upstreams_of
from gateway.routing.report import Report
from gateway.routing.rules import Mark, Rules

__all__ = ["Policed", "decides", "read_policies"]

TRIAL = "policies/trial/"
"""Policies in this folder are tried against live traffic, one set a file, and decide on nothing."""

_NAMED = re.compile(r'\b(Action|Route|Group|Upstream|Gateway)::"((?:\\.|[^"\\])*)"')
_IDLE = "unable to find an applicable action"
_PREFIX = re.compile(r"^for policy `[^`]*`, ")


def decides(policy: Policy, route: Route) -> bool:
    """Whether a policy's head allows for a route, whoever calls."""
    return policy.decides_on(route.operation_id, route.effect.value, route.group, upstreams_of(route))


def read_policies(files: Mapping[str, bytes], policed: Policed | None, report: Report) -> Rules:
    """All policies of the workspace; each one's faults go into the report.

    `policed` is None while a contract can't be read: then policies are parsed, but not held against the routes.
    """
    fit = None if policed is None else _Fit(policed, report)
    policies: list[Policy] = []
    trials: dict[str, tuple[Policy, ...]] = {}
    marks: dict[tuple[str, str], Mark] = {}
    for name in sorted(each for each in files if each.startswith("policies/")):
        found = _read(name, files[name], report)
        for policy in found:
            marks |= fit.judge(policy) if fit is not None else {}
        if name.startswith(TRIAL):
            trials[name.removeprefix(TRIAL).removesuffix(".cedar")] = found
        else:
            policies += found
    return Rules(tuple(policies), trials, marks)


def _read(name: str, content: bytes, report: Report) -> tuple[Policy, ...]:
    """The policies of one file; none of a file that is something else."""
    if name.removeprefix("policies/") in POLICY_FILES:
        return ()
    if not name.endswith(".cedar"):
        known = "".join(f", or is {each}" for each in POLICY_FILES)
        report.note(Finding(name, 0, "", f"a policy file's name ends in .cedar{known}: rename or remove it"))
        return ()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        report.note(Finding(name, 0, "", "this isn't UTF-8 text: save the file as UTF-8"))
        return ()
    read: list[Policy] = []
    for each in policies_of(name, text):
        if isinstance(each, Policy):
            read.append(each)
        else:
            report.note(Finding(name, each[0], "", each[1]))
    return tuple(read)


class _Fit:
    """Holds policies against what there is."""

    def __init__(self, policed: Policed, report: Report) -> None:
        self._policed, self._report = policed, report
        self._schemas: dict[bool, cedarpy.Schema] = {}
        for name in sorted(set(EFFECTS) & set(policed.actions)):
            # It would be a group of actions that holds itself.
            sentence = f"an operation can't be called '{name}', which is an effect: rename it"
            file, _, line = policed.routes[name].where.rpartition(":") if name in policed.routes else ("", "", "0")
            report.note(Finding(file, int(line or 0), "operationId", sentence))

    def judge(self, policy: Policy) -> Mapping[tuple[str, str], Mark]:
        """Notes what doesn't fit; answers the policy's marks."""
        unknown = self._check_names(policy)
        # Whoever doesn't speak of arguments shouldn't wait for every contract's types.
        schema = self._schema(arguments="arguments" in policy.text)
        for fault in cedarpy.validate_policies(policy.text, schema).errors:
            sentence = _PREFIX.sub("", fault.error)
            if sentence.startswith(_IDLE):
                if not unknown:
                    self._say(policy, "no call is such that this policy decides on it", warning=True)
            elif not (unknown and sentence.startswith("unrecognized action")):
                self._say(policy, f"the policy doesn't fit the routes: {sentence}")
        if takes_whole(policy):
            self._say(policy, "context and its arguments can't be compared as a whole: name a member of them")
        routes = self._policed.routes
        deciding = frozenset(name for name, route in routes.items() if decides(policy, route))
        return marks_of(policy, routes, deciding, lambda sentence: self._say(policy, sentence))

    def _schema(self, *, arguments: bool) -> cedarpy.Schema:
        if arguments not in self._schemas:
            schema = self._policed.schema(arguments=arguments)
            self._schemas[arguments] = cedarpy.Schema.from_json_str(json.dumps(schema))
        return self._schemas[arguments]

    def _say(self, policy: Policy, sentence: str, *, warning: bool = False) -> None:
        self._report.note(Finding(policy.file, policy.line, "", sentence, "warning" if warning else "error"))

    def _check_names(self, policy: Policy) -> bool:
        """Whether the policy names something that isn't there."""
        unknown = False
        for found in _NAMED.finditer(policy.text):
            wrong = _unknown(found[1], found[2], self._policed)
            if wrong is not None:
                unknown = True
                line = policy.line + policy.text.count("\n", 0, found.start())
                self._report.note(Finding(policy.file, line, found[0], wrong))
        return unknown


def _unknown(kind: str, name: str, policed: Policed) -> str | None:
    if kind == "Action" and name not in policed.actions and name not in EFFECTS and name not in PERMISSIONS:
        others = ", ".join((*EFFECTS, *PERMISSIONS))
        return f"there is no route '{name}': an action is an operationId, or one of {others}"
    if kind == "Gateway" and name != "figway":
        return f"there is no gateway '{name}': it is Gateway::\"figway\""
    if kind == "Route" and name not in policed.actions:
        return f"there is no route '{name}': there are {', '.join(sorted(policed.actions)) or 'none'}"
    whole = all(effect is not None for effect in policed.actions.values())
    if kind == "Group" and whole and name not in policed.groups:
        return f"there is no group '{name}': there are {', '.join(sorted(policed.groups)) or 'none'}"
    if kind == "Upstream" and whole and name not in policed.upstreams:
        return f"there is no upstream '{name}': there are {', '.join(sorted(policed.upstreams)) or 'none'}"
    return None
