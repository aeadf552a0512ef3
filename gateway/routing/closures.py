"""A JMESPath syntax tree becomes closures; what they can't do runs through `jmespath`'s own interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from jmespath.parser import ParsedResult
from jmespath.visitor import Options

from adapters.contract import Json
from gateway.routing.functions import MappingFunctions, digits_date, iso_date, lookup

Node: TypeAlias = Mapping[str, Any]
"""A node of `jmespath`'s syntax tree: `type`, `children`, and for some `value`."""

Step: TypeAlias = Callable[[Json], Any]
"""From the current value to the node's: a JSON value, or `ABSENT`."""


class _Absent:
    def __bool__(self) -> bool:
        return False


ABSENT: Any = _Absent()
"""What a path that leads nowhere leads to."""


def compile_node(node: Node) -> Step:
    """The closure of a node and all below it."""
    return _COMPILERS[node["type"]](node) if _direct(node) and not _mixes(node) else _interpreted(node)


def is_compiled(node: Node) -> bool:
    """Whether nothing of the node is left to the interpreter."""
    return _direct(node) and not _mixes(node) and all(is_compiled(child) for child in children_of(node))


def _direct(node: Node) -> bool:
    """Whether the node itself, its children aside, runs as a closure of ours."""
    if node["type"] == "comparator":
        return node["value"] in ("eq", "ne")
    if node["type"] == "function_expression":
        return node["value"] in _DATES or _table(node) is not None
    return node["type"] in _COMPILERS or node["type"] == "key_val_pair"


def _mixes(node: Node) -> bool:
    # An interpreted part must never see a hash of ours, whose absent members it would miss.
    children = children_of(node)
    if node["type"] not in _CONSUMERS or not any(_contains(child, _is_hash) for child in children):
        return False
    in_turn = node["type"] in _IN_TURN
    return not in_turn or any(_contains(child, lambda each: not _direct(each)) for child in children[1:])


def _contains(node: Node, wanted: Callable[[Node], bool]) -> bool:
    return wanted(node) or any(_contains(child, wanted) for child in children_of(node))


def _is_hash(node: Node) -> bool:
    return bool(node["type"] == "multi_select_dict")


def children_of(node: Node) -> Sequence[Node]:
    """The nodes right below; none for a slice, whose children are its numbers."""
    children: Sequence[Node] = node["children"] if node["type"] != "slice" else ()
    return children


def _interpreted(node: Node) -> Step:
    search = ParsedResult("", cast(Any, node)).search
    return lambda value: search(None if value is ABSENT else value, _OPTIONS)


def _field(node: Node) -> Step:
    name = node["value"]

    def step(value: Json) -> Any:
        return value.get(name, ABSENT) if isinstance(value, dict) else ABSENT

    return step


def _same(node: Node) -> Step:
    return lambda value: value


def _literal(node: Node) -> Step:
    constant = node["value"]
    return lambda value: constant


def _index(node: Node) -> Step:
    position = node["value"]

    def step(value: Json) -> Any:
        if isinstance(value, list) and -len(value) <= position < len(value):
            return value[position]
        return ABSENT

    return step


def _in_turn(node: Node) -> Step:
    first, *rest = (compile_node(child) for child in node["children"])
    if len(rest) == 1:
        second = rest[0]
        return lambda value: second(first(value))

    def step(value: Json) -> Any:
        value = first(value)
        for each in rest:
            value = each(value)
        return value

    return step


def _hash(node: Node) -> Step:
    children = [(pair["value"], pair["children"][0]) for pair in node["children"]]
    if all(_is_field(child) for _, child in children):
        return _renaming([(name, child["value"]) for name, child in children])
    members = tuple(
        (name, child["value"] if _is_field(child) else None, compile_node(child)) for name, child in children
    )

    def step(value: Json) -> Any:
        if not isinstance(value, dict):
            return value if value is None or value is ABSENT else _each(members, value)
        collected = {}
        for name, field, member in members:
            if field is None:
                found = member(value)
                if found is not ABSENT:
                    collected[name] = found
            elif field in value:
                collected[name] = value[field]
        return collected

    return step


def _renaming(pairs: Sequence[tuple[str, str]]) -> Step:
    def step(value: Json) -> Any:
        if isinstance(value, dict):
            return {name: value[field] for name, field in pairs if field in value}
        return value if value is None or value is ABSENT else {}

    return step


def _each(members: Sequence[tuple[str, str | None, Step]], value: Json) -> dict[str, Json]:
    found = ((name, member(value)) for name, _, member in members)
    return {name: each for name, each in found if each is not ABSENT}


def _is_field(node: Node) -> bool:
    return bool(node["type"] == "field")


def _list(node: Node) -> Step:
    members = tuple(compile_node(child) for child in node["children"])

    def step(value: Json) -> Any:
        if value is None or value is ABSENT:
            return value
        return [None if (found := member(value)) is ABSENT else found for member in members]

    return step


def _projection(node: Node) -> Step:
    base, each = compile_node(node["children"][0]), compile_node(node["children"][1])

    def step(value: Json) -> Any:
        items = base(value)
        if not isinstance(items, list):
            return ABSENT if items is ABSENT else None
        return [found for item in items if (found := each(item)) is not None and found is not ABSENT]

    return step


def _filter(node: Node) -> Step:
    base, each, condition = (compile_node(child) for child in node["children"])

    def step(value: Json) -> Any:
        items = base(value)
        if not isinstance(items, list):
            return ABSENT if items is ABSENT else None
        chosen = (each(item) for item in items if not _false(condition(item)))
        return [found for found in chosen if found is not None and found is not ABSENT]

    return step


def _flatten(node: Node) -> Step:
    base = compile_node(node["children"][0])

    def step(value: Json) -> Any:
        items = base(value)
        if not isinstance(items, list):
            return ABSENT if items is ABSENT else None
        if not any(isinstance(item, list) for item in items):
            return items
        return [inner for item in items for inner in (item if isinstance(item, list) else (item,))]

    return step


def _either(node: Node) -> Step:
    left, right = (compile_node(child) for child in node["children"])
    goes_on = node["type"] == "or_expression"

    def step(value: Json) -> Any:
        found = left(value)
        return right(value) if _false(found) is goes_on else found

    return step


def _false(value: Json) -> bool:
    # JMESPath's truth: 0 is true.
    return value is None or value is False or value is ABSENT or (isinstance(value, (str, list, dict)) and not value)


def _equal(node: Node) -> Step:
    if node["value"] not in ("eq", "ne"):
        return _interpreted(node)
    left, right = (compile_node(child) for child in node["children"])
    wanted = node["value"] == "eq"

    def step(value: Json) -> Any:
        return _equals(left(value), right(value)) is wanted

    return step


def _equals(one: Json, other: Json) -> bool:
    # JMESPath tells true from 1; Python doesn't.
    one, other = _known(one), _known(other)
    return bool(one == other) and (isinstance(one, bool) is isinstance(other, bool))


def _call(node: Node) -> Step:
    value_of = compile_node(node["children"][0])
    table = _table(node)

    if table is not None:
        return lambda value: ABSENT if (found := value_of(value)) is ABSENT else lookup(found, table)
    function = _DATES[node["value"]]
    return lambda value: ABSENT if (found := value_of(value)) is ABSENT else function(found)


def _table(node: Node) -> Mapping[str, Json] | None:
    """The table of a `lookup(value, {A: 'a', …})` that is made of literals."""
    if node["value"] != "lookup" or not _is_hash(node["children"][1]):
        return None
    members = {pair["value"]: pair["children"][0] for pair in node["children"][1]["children"]}
    if any(member["type"] != "literal" for member in members.values()):
        return None
    return {name: member["value"] for name, member in members.items()}


def _known(value: Any) -> Json:
    return None if value is ABSENT else value


_DATES: Mapping[str, Callable[[Json], Json]] = {"iso_date": iso_date, "digits_date": digits_date}
_OPTIONS = Options(custom_functions=MappingFunctions())
_IN_TURN = frozenset({"subexpression", "index_expression", "pipe", "projection", "filter_projection"})
# What looks at the values of its children, rather than just placing them.
_CONSUMERS = _IN_TURN | {"or_expression", "and_expression", "comparator"}
_COMPILERS: Mapping[str, Callable[[Node], Step]] = {
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
    "filter_projection": _filter,
    "flatten": _flatten,
    "or_expression": _either,
    "and_expression": _either,
    "comparator": _equal,
    "function_expression": _call,
}
