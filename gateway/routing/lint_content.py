"""Whether a route that answers bytes can: it reads, it is served by one side, and its output leads to content."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.contract import Effect, JsonSchema
from gateway.routing.bindings import operation_of
from gateway.routing.closures import Node
from gateway.routing.mapping import Mapped
from gateway.routing.model import Binding, Route
from gateway.routing.paths import declared, resolve
from gateway.routing.upstreams import Upstreams

_MANY = frozenset({"multi_select_dict", "multi_select_list", "projection", "filter_projection", "value_projection"})
Say = Callable[[tuple[str, ...], str], None]


def check_content(route: Route, upstreams: Upstreams, say: Say) -> None:
    """Tells by `say` (a place within x-gateway, a sentence) what keeps it from it."""
    what = f"a route that answers {route.content}"
    if route.effect is not Effect.READ or route.method != "GET":
        say((), f"{what} is a GET that reads: answer JSON, or use GET with effect: read")
    if route.compose is not None:
        say(("compose",), f"{what} is served by one operation: bind it to legacy or replacement")
    elif (route.replacement is not None and route.legacy is not None) or route.missing is not None:
        say(("replacement",), f"{what} has one side, as bytes can't be compared: keep legacy or replacement")
    if route.measured is not None:
        say(("cost",), f"{what} has no reply to measure its cost by: give a number")
    for name, binding in (("legacy", route.legacy), ("replacement", route.replacement)):
        if binding is not None:
            _check_output(binding, name, route, upstreams, say)


def _check_output(binding: Binding, side: str, route: Route, upstreams: Upstreams, say: Say) -> None:
    adapter = upstreams.adapters.get(binding.upstream)
    operation = None if adapter is None else operation_of(adapter, binding.operation)
    if operation is None:
        return
    chain: tuple[str, ...] = ()
    if isinstance(binding.output, Mapped):
        # `a.b` reads `a` on its way; an expression of several ends can't be judged.
        ends = [each for each in binding.output.chains() if binding.output.source.replace('"', "") == ".".join(each)]
        if len(ends) != 1:
            if _last(binding.output.node)["type"] in _MANY:
                say((side, "output"), "the output makes several values, where the route answers one content (base64)")
            return
        chain = ends[0]
    found = _at(operation.output, chain, operation.output)
    if found is not None and not _is_content(found, operation.output):
        where = f"'{'.'.join(chain)}'" if chain else f"what '{operation.name}' answers"
        say((side, "output"), f"{where} isn't content (base64), which the route answers as {route.content}")


def _last(node: Node) -> Node:
    """What an expression ends in."""
    while node["type"] in ("subexpression", "pipe"):
        node = node["children"][-1]
    return node


def _at(schema: JsonSchema, chain: tuple[str, ...], root: JsonSchema) -> JsonSchema | None:
    """The schema of what `chain` leads to; None where nothing tells."""
    for name in chain:
        schema = {**_plain(schema, root), "$defs": root.get("$defs", {})}
        inner = declared(schema).get(name)
        if not isinstance(inner, Mapping):
            return None
        schema = inner
    return schema or None


def _plain(schema: JsonSchema, root: JsonSchema) -> JsonSchema:
    target = resolve(schema.get("$ref"), root)
    return (
        {**target, **{key: each for key, each in schema.items() if key != "$ref"}}
        if isinstance(target, Mapping)
        else schema
    )


def _is_content(schema: JsonSchema, root: JsonSchema) -> bool:
    schema = _plain(schema, root)
    choices = [each for word in ("anyOf", "oneOf") for each in schema.get(word, ()) if isinstance(each, Mapping)]
    if choices:
        return any(_is_content(each, root) for each in choices)
    return schema.get("contentEncoding") == "base64" or not schema.get("type")
