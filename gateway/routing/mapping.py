"""JMESPath (https://jmespath.org/specification.html), compiled once: paths, projections and hashes become closures.

What only renames and picks runs as our own closures, thirty times as fast as the interpreter; functions, filters and
the like run through `jmespath` itself. Values are the same, but for one thing that JMESPath can't say: a member of a
hash whose value is absent is left out, where JMESPath says null. So NULL stays null and absent stays absent, in
replies as in a PATCH.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

from adapters.contract import Json
from gateway.routing.model import Expression, MappingFailed
from gateway.routing.paths import Chain, chains

Node: TypeAlias = Mapping[str, Any]
_Step: TypeAlias = Callable[[Json], Any]


class _Absent:
    def __bool__(self) -> bool:
        return False


_ABSENT: Any = _Absent()


class BadExpression(ValueError):
    """A text that isn't JMESPath; the message says where it stops being that."""


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """A compiled expression (see `model.Expression`)."""

    source: str
    _step: _Step = field(repr=False)
    node: Node = field(repr=False)
    """The expression's syntax tree, as `jmespath` parses it."""
    compiled: bool = True
    """Whether it runs as closures wholly."""

    def __call__(self, scope: Json) -> Json:
        try:
            value = self._step(scope)
        except JMESPathError as error:
            raise MappingFailed(f"{self.source}: {error}") from error
        except TypeError as error:  # jmespath compares and sorts without looking at every type
            raise MappingFailed(f"{self.source}: the values don't fit the expression") from error
        return None if value is _ABSENT else value

    def names(self) -> frozenset[str]:
        return frozenset(chain[0] for chain in self.chains() if chain)

    def chains(self) -> frozenset[Chain]:
        """Every path of the scope that the expression reads."""
        return chains(self.node)


def expression(source: str) -> Mapped:
    """Compiles JMESPath; raises `BadExpression`."""
    try:
        node = jmespath.compile(source).parsed
    except JMESPathError as error:
        sentence = " ".join(str(error).split())
        raise BadExpression(f"{source!r} isn't JMESPath: {sentence}") from error
    except RecursionError as error:
        raise BadExpression("the expression is nested too deep") from error
    return Mapped(source, _compile(node), node, _is_compiled(node))


def literal(value: Json) -> Mapped:
    """An expression that is always `value`."""
    return Mapped(repr(value), lambda scope: value, {"type": "literal", "value": value, "children": []})


def renames(mapped: Expression) -> Mapping[str, str]:
    """Public name → upstream name, where the expression plainly renames the members of an object or of `items`."""
    node = _renaming_hash(mapped.node) if isinstance(mapped, Mapped) else None
    pairs = node["children"] if node is not None else ()
    return {pair["value"]: pair["children"][0]["value"] for pair in pairs if pair["children"][0]["type"] == "field"}


def _renaming_hash(node: Node) -> Node | None:
    kind, children = node["type"], node["children"]
    if kind == "multi_select_dict":
        items = [pair["children"][0] for pair in children if pair["value"] == "items"]
        if items and items[0]["type"] == "projection":
            return _renaming_hash(items[0]["children"][1])
        return node
    return _renaming_hash(children[-1]) if kind == "subexpression" else None


def _compile(node: Node) -> _Step:
    compiler = _COMPILERS.get(node["type"])
    if compiler is None or _mixes(node):
        return _interpreted(node)
    return compiler(node)


def _mixes(node: Node) -> bool:
    # An interpreted part must never see a hash of ours, whose absent members it would miss.
    if node["type"] in ("multi_select_dict", "multi_select_list", "key_val_pair"):
        return False
    hashes = any(_contains(child, lambda kind: kind == "multi_select_dict") for child in node["children"])
    if not hashes:
        return False
    truth = node["type"] in ("or_expression", "and_expression", "not_expression")
    return truth or any(_contains(child, lambda kind: kind not in _SAFE) for child in node["children"][1:])


def _contains(node: Node, wanted: Callable[[str], bool]) -> bool:
    children = node["children"] if node["type"] != "slice" else []
    return wanted(node["type"]) or any(_contains(child, wanted) for child in children)


def _is_compiled(node: Node) -> bool:
    if node["type"] not in _SAFE or _mixes(node):
        return False
    return all(_is_compiled(child) for child in node["children"])


def _interpreted(node: Node) -> _Step:
    search = ParsedResult("", cast(Any, node)).search
    return lambda value: search(None if value is _ABSENT else value)


def _field(node: Node) -> _Step:
    name = node["value"]

    def step(value: Json) -> Any:
        return value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT

    return step


def _same(node: Node) -> _Step:
    return lambda value: value


def _literal(node: Node) -> _Step:
    constant = node["value"]
    return lambda value: constant


def _index(node: Node) -> _Step:
    position = node["value"]

    def step(value: Json) -> Any:
        if isinstance(value, list) and -len(value) <= position < len(value):
            return value[position]
        return _ABSENT

    return step


def _in_turn(node: Node) -> _Step:
    first, *rest = (_compile(child) for child in node["children"])
    if len(rest) == 1:
        second = rest[0]
        return lambda value: second(first(value))

    def step(value: Json) -> Any:
        value = first(value)
        for each in rest:
            value = each(value)
        return value

    return step


def _hash(node: Node) -> _Step:
    members = tuple((pair["value"], _compile(pair["children"][0])) for pair in node["children"])

    def step(value: Json) -> Any:
        if value is None or value is _ABSENT:
            return value
        collected = {}
        for name, member in members:
            found = member(value)
            if found is not _ABSENT:
                collected[name] = found
        return collected

    return step


def _list(node: Node) -> _Step:
    members = tuple(_compile(child) for child in node["children"])

    def step(value: Json) -> Any:
        if value is None or value is _ABSENT:
            return value
        return [None if (found := member(value)) is _ABSENT else found for member in members]

    return step


def _projection(node: Node) -> _Step:
    base, each = _compile(node["children"][0]), _compile(node["children"][1])

    def step(value: Json) -> Any:
        items = base(value)
        if not isinstance(items, list):
            return _ABSENT if items is _ABSENT else None
        return [found for item in items if (found := each(item)) is not None and found is not _ABSENT]

    return step


def _flatten(node: Node) -> _Step:
    base = _compile(node["children"][0])

    def step(value: Json) -> Any:
        items = base(value)
        if not isinstance(items, list):
            return _ABSENT if items is _ABSENT else None
        if not any(isinstance(item, list) for item in items):
            return items
        return [inner for item in items for inner in (item if isinstance(item, list) else (item,))]

    return step


def _or(node: Node) -> _Step:
    left, right = (_compile(child) for child in node["children"])

    def step(value: Json) -> Any:
        found = left(value)
        return right(value) if _false(found) else found

    return step


def _and(node: Node) -> _Step:
    left, right = (_compile(child) for child in node["children"])

    def step(value: Json) -> Any:
        found = left(value)
        return found if _false(found) else right(value)

    return step


def _false(value: Json) -> bool:
    # JMESPath's truth: 0 is true.
    return value is None or value is False or value is _ABSENT or (isinstance(value, (str, list, dict)) and not value)


_COMPILERS: Mapping[str, Callable[[Node], _Step]] = {
    "field": _field,
    "identity": _same,
    "current": _same,
    "literal": _literal,
    "index": _index,
    "subexpression": _in_turn,
    "index_expression": _in_turn,
    "pipe": _in_turn,
    "multi_select_dict": _hash,
    "multi_select_list": _list,
    "projection": _projection,
    "flatten": _flatten,
    "or_expression": _or,
    "and_expression": _and,
}
_SAFE = frozenset(_COMPILERS) | {"key_val_pair"}
