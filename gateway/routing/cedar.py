"""Cedar text as policies one by one: where each stands, what it annotates, and what of a call it has to know.

A policy that reads `context.arguments` or `context.time` can't be decided before a call is there. What it says apart
from them can: its conditions are a chain of conjuncts, and `split` tells those that wait for the call from the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import cedarpy

from adapters.depth import deeper_than

# One policy at a time, so that each fault has its line: Cedar's own parser tells no position.
_MOST_TEXT, _MOST_DEPTH, _MOST_NODES = 32_768, 64, 256
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*')
_BRACKETS = re.compile(r"[(\[{}\])]")
_TOKEN = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|;|[^/";]+|.', re.DOTALL)
_SPACE = re.compile(r"(?:\s|//[^\n]*)*")

Node: TypeAlias = Mapping[str, Any]
"""A policy or expression in Cedar's JSON form (https://docs.cedarpolicy.com/policies/json-format.html)."""

KNOWN = frozenset({"agent", "agents", "delegation_depth", "in_run", "scopes"})
"""The members of `context` that depend on who calls alone."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One Cedar policy and where it stands."""

    id: str
    """Unique in its workspace: `access.cedar:12`."""
    file: str
    line: int
    text: str
    node: Node = field(repr=False, hash=False, compare=False)

    @property
    def name(self) -> str:
        """What people call it: its `@id`, else its id."""
        return self.annotations.get("id") or self.id

    @property
    def permits(self) -> bool:
        return bool(self.node["effect"] == "permit")

    @property
    def annotations(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.node.get("annotations", {})
        return {name: value or "" for name, value in found.items()}

    def waits(self) -> bool:
        """Whether it reads what only a call tells."""
        return any(_waits(part) for part in conjuncts(self.node))

    def decides_on(self, operation: str, effect: str, group: str, upstreams: frozenset[str]) -> bool:
        """Whether its head allows for that route, whoever calls."""
        above = {("Route", operation), ("Group", group), *(("Upstream", name) for name in upstreams)}
        actions = {("Action", operation), ("Action", effect)}
        return _matches(self.node["action"], actions, ("Action", operation)) and _matches(
            self.node["resource"], above, ("Route", operation)
        )


def policies_of(file: str, text: str) -> Iterator[Policy | tuple[int, str]]:
    """The policies of a file; for one that can't be read its line and what is wrong."""
    seen: set[str] = set()
    for line, written in _placed_policies(text):
        if _too_deep(written):
            yield line, f"the policy can't be read: it has over {_MOST_TEXT} characters, or brackets {_MOST_DEPTH} deep"
            continue
        try:
            raw = cedarpy.policies_to_json_str(written).encode()
            nodes = json.loads(raw)
        except RecursionError:
            nodes, raw = None, b""
        except ValueError as error:
            yield line, f"the policy can't be read: {error}"
            continue
        if nodes is None or deeper_than(raw, nodes, _MOST_NODES):
            yield line, "the policy can't be read: its conditions are nested too deep; make several policies of it"
            continue
        if nodes["templates"] or not nodes["staticPolicies"]:
            yield line, "the policy can't be read: templates (?principal, ?resource) aren't taken here"
            continue
        (node,) = nodes["staticPolicies"].values()
        id = f"{file.removeprefix('policies/')}:{line}"
        while id in seen:
            id += "+"
        seen.add(id)
        yield Policy(id, file, line, written, node)


def _too_deep(policy: str) -> bool:
    """Whether a policy isn't to be parsed: Cedar's parser takes the process down with it where brackets are deep."""
    if len(policy) > _MOST_TEXT:
        return True
    depth = most = 0
    for bracket in _BRACKETS.findall(_QUOTED.sub("", policy)):
        depth += 1 if bracket in "([{" else -1
        most = max(most, depth)
    return most > _MOST_DEPTH


def _placed_policies(text: str) -> Iterator[tuple[int, str]]:
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


# ── what a policy waits for ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Parts:
    """A waiting policy without what it waits for."""

    first: Node
    """With only the conditions before the first that waits: when it is false or errs, so is and does the policy."""
    known: Node
    """With every condition that doesn't wait: when it is false or errs, the policy can't be satisfied."""


def split(policy: Policy) -> Parts:
    """The parts of a policy that `waits`."""
    first: list[Node] = []
    known: list[Node] = []
    waiting = False
    for part in conjuncts(policy.node):
        if _waits(part):
            waiting = True
            continue
        known.append(part)
        if not waiting:
            first.append(part)
    return Parts({**policy.node, "conditions": first}, {**policy.node, "conditions": known})


def conjuncts(policy: Node) -> Iterator[Node]:
    """The policy's conditions one by one in the order in which Cedar evaluates them: `when {a && b}` is `when {a}
    when {b}`, `unless {a || b}` is `unless {a} unless {b}`."""
    for condition in policy["conditions"]:
        kind = condition["kind"]
        operator = "&&" if kind == "when" else "||"
        for part in _operands(condition["body"], operator):
            yield {"kind": kind, "body": part}


def _operands(body: Node, operator: str) -> Iterator[Node]:
    if operator in body:
        yield from _operands(body[operator]["left"], operator)
        yield from _operands(body[operator]["right"], operator)
    else:
        yield body


def _waits(node: Any) -> bool:
    """Whether an expression reads more of `context` than who calls."""
    if isinstance(node, list):
        return any(map(_waits, node))
    if not isinstance(node, Mapping):
        return False
    for operator in (".", "has"):
        if operator in node and node[operator]["left"] == {"Var": "context"}:
            return node[operator]["attr"] not in KNOWN
    if node == {"Var": "context"}:
        return True
    return any(_waits(part) for name, part in node.items() if name != "Value")


def names_read(policy: Policy) -> frozenset[str]:
    """Every member's name that its conditions mention."""
    return frozenset(_names(policy.node["conditions"]))


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _names(each)
    elif isinstance(node, Mapping):
        for operator, part in node.items():
            if operator in (".", "has"):
                yield part["attr"]
            yield from _names(part)


def takes_whole(policy: Policy) -> bool:
    """Whether it looks at `context` or at the arguments as a whole, rather than at a member of them."""
    return any(_takes_whole(part["body"]) for part in conjuncts(policy.node))


def _takes_whole(node: Any, depth: int = 0) -> bool:
    # `depth`: how many members are read of this value.
    if isinstance(node, list):
        return any(map(_takes_whole, node))
    if not isinstance(node, Mapping):
        return False
    chain = _chain(node)
    if chain is not None:
        needed = {(): 1, ("arguments",): 1}
        needed |= {("arguments", place): 1 for place in ("path", "query", "header", "body")}
        return needed.get(chain, 0) > depth
    for operator in (".", "has"):
        if operator in node:
            return _takes_whole(node[operator]["left"], 1)
    return any(_takes_whole(part) for part in node.values())


def _chain(node: Node) -> tuple[str, ...] | None:
    """The members that lead from `context` to a value, if that is all that the expression is."""
    if node == {"Var": "context"}:
        return ()
    if "." in node:
        above = _chain(node["."]["left"])
        return None if above is None else (*above, node["."]["attr"])
    return None


def _matches(head: Node, above: set[tuple[str, str]], itself: tuple[str, str]) -> bool:
    operator = head["op"]
    if operator == "All":
        return True
    if operator == "==":
        return _entity(head["entity"]) == itself
    if operator == "is":
        within = head.get("in")
        return bool(head["entity_type"] == itself[0]) and (within is None or _entity(within["entity"]) in above)
    entities = head["entities"] if "entities" in head else [head["entity"]]
    return any(_entity(each) in above for each in entities)


def _entity(node: Node) -> tuple[str, str]:
    return node["type"], node["id"]
