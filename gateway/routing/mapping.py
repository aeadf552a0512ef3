"""JMESPath (https://jmespath.org/specification.html), compiled once: paths, projections and hashes become closures.

What only renames and picks runs as our own closures, several times as fast as the interpreter; most functions run
through `jmespath` itself. Values are the same, but for one thing that JMESPath can't say: a member of a
hash whose value is absent is left out, where JMESPath says null. So NULL stays null and absent stays absent, in
replies as in a PATCH.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import jmespath
from jmespath.exceptions import JMESPathError

from adapters.contract import Json
from gateway.routing.closures import ABSENT, Node, Step, children_of, compile_node, is_compiled
from gateway.routing.functions import arities
from gateway.routing.model import Expression, MappingFailed
from gateway.routing.paths import Chain, chains

_LONGEST = 8192


class BadExpression(ValueError):
    """A text that isn't JMESPath; the message says where it stops being that."""


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """A compiled expression (see `model.Expression`)."""

    source: str
    _step: Step = field(repr=False)
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
        return None if value is ABSENT else value

    def names(self) -> frozenset[str]:
        return frozenset(chain[0] for chain in self.chains() if chain)

    def chains(self) -> frozenset[Chain]:
        """Every path of the scope that the expression reads."""
        return chains(self.node)


def expression(source: str) -> Mapped:
    """Compiles JMESPath; raises `BadExpression`."""
    if len(source) > _LONGEST:
        raise BadExpression(f"the expression has more than {_LONGEST} characters")
    try:
        return _expression(source)
    except RecursionError as error:
        raise BadExpression("the expression is nested too deep") from error


def _expression(source: str) -> Mapped:
    try:
        node = jmespath.compile(source).parsed
    except JMESPathError as error:
        sentence = " ".join(str(error).split()).partition(", for expression")[0]
        raise BadExpression(f"{source!r} isn't JMESPath: {sentence}") from error
    for each in _functions(node):
        _check_call(each)
    return Mapped(source, compile_node(node), node, is_compiled(node))


def _functions(node: Node) -> Iterator[Node]:
    if node["type"] == "function_expression":
        yield node
    for child in children_of(node):
        yield from _functions(child)


def _check_call(node: Node) -> None:
    # jmespath itself would only tell at the first call.
    name, given = node["value"], len(node["children"])
    if name not in _ARITIES:
        near = get_close_matches(name, _ARITIES, 1)
        raise BadExpression(f"there is no function {name}(){f': did you mean {near[0]}()?' if near else ''}")
    wanted, variadic = _ARITIES[name]
    if given < wanted or (given > wanted and not variadic):
        raise BadExpression(f"{name}() takes {wanted} arguments, not {given}")


def literal(value: Json) -> Mapped:
    """An expression that is always `value`."""
    return Mapped(repr(value), lambda scope: value, {"type": "literal", "value": value, "children": []})


def renames(mapped: Expression) -> Mapping[str, str]:
    """Public name → upstream name, where the expression plainly renames the members of an object or of `items`."""
    node = _renaming_hash(mapped.node) if isinstance(mapped, Mapped) else None
    pairs = node["children"] if node is not None else ()
    return {pair["value"]: pair["children"][0]["value"] for pair in pairs if pair["children"][0]["type"] == "field"}


def parts(mapped: Mapped, *, is_list: bool) -> Mapping[str, frozenset[str]] | None:
    """Public name → the upstream's members that it is made of, where the expression maps nothing but the members of an
    object, or one by one those of a list's `items`; None where what it needs can't be told name by name."""
    node: Node | None = mapped.node
    if is_list:
        node = _renaming_hash(mapped.node) if _takes_all(mapped.node) else None
    if node is None or node["type"] != "multi_select_dict" or not mapped.compiled or _reads_itself(node):
        return None
    found = {pair["value"]: chains(pair["children"][0]) for pair in node["children"]}
    return {name: frozenset(chain[0] for chain in each if chain) for name, each in found.items()}


def _takes_all(node: Node) -> bool:
    """Whether a list's expression maps all that stands in `items`, and makes nothing else of it."""
    pairs = {pair["value"]: pair["children"][0] for pair in node["children"] if node["type"] == "multi_select_dict"}
    items: Node | None = pairs.pop("items", None)
    if any(chain[0] == "items" for each in pairs.values() for chain in chains(each) if chain):
        return False
    source = items["children"][0] if items is not None and items["type"] == "projection" else None
    while source is not None and source["type"] == "flatten":
        source = source["children"][0]
    return source is not None and source["type"] == "field" and source["value"] == "items"


def _reads_itself(node: Node) -> bool:
    """Whether something is made of the whole value, such as `keys(@)` or `*`."""
    return node["type"] in ("current", "value_projection") or any(map(_reads_itself, children_of(node)))


def _renaming_hash(node: Node) -> Node | None:
    kind, children = node["type"], node["children"]
    if kind == "multi_select_dict":
        items = [pair["children"][0] for pair in children if pair["value"] == "items"]
        if items and items[0]["type"] == "projection":
            return _renaming_hash(items[0]["children"][1])
        return node
    return _renaming_hash(children[-1]) if kind == "subexpression" else None


_ARITIES = arities()
