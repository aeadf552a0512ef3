"""What an output expression makes, held against the schema that the contract promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.contract import JsonSchema
from gateway.routing.closures import Node
from gateway.routing.paths import declared, members, required, resolve

_LISTS = ("projection", "filter_projection")


def misfits(node: Node, schema: JsonSchema, root: JsonSchema | None = None, at: str = "") -> Iterator[str]:
    """Sentences on members that the hashes of an expression make and `schema` doesn't have, and the other way round."""
    whole = schema if root is None else root
    schema = _whole(schema, whole)
    kind, children = node["type"], node["children"]
    if kind in ("subexpression", "pipe"):
        yield from misfits(children[-1], schema, whole, at)
    elif kind in _LISTS and isinstance(schema.get("items"), Mapping):
        yield from misfits(children[1], schema["items"], whole, f"{at}[]")
    elif kind == "multi_select_dict":
        yield from _members(children, schema, whole, at)


def _members(pairs: Any, schema: JsonSchema, root: JsonSchema, at: str) -> Iterator[str]:
    known, made = declared(schema), {pair["value"]: pair["children"][0] for pair in pairs}
    closed = members(schema) is not None
    for name, node in made.items():
        path = f"{at}.{name}" if at else name
        if name not in known:
            if known or closed:
                yield f"the contract's reply has no '{path}': declare it, or leave it out"
        elif isinstance(known[name], Mapping):
            yield from misfits(node, known[name], root, path)
    for name in sorted(required(schema) - set(made)):
        yield f"the contract's reply needs '{f'{at}.{name}' if at else name}', which the output doesn't make"


def _whole(schema: JsonSchema, root: JsonSchema) -> dict[str, Any]:
    """`schema` with the root's `$defs`, and a mere reference replaced by what it leads to."""
    target = resolve(schema.get("$ref"), root)
    found = {**schema, **target} if isinstance(target, Mapping) else dict(schema)
    return {key: value for key, value in found.items() if key != "$ref"} | {"$defs": root.get("$defs", {})}
