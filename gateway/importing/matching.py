"""Which operation of a modern API can take over a route, and how: by path, by names, by schemas.

A match is made only where every value that callers give reaches the API, and the API has every member that the contract
promises; what is missing is said. Names are the same where their words are: `credit_limit` and `creditLimit`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.contract import JsonSchema
from gateway.importing.openapi import Api, Modern
from gateway.importing.words import singular, words
from gateway.routing.model import Route
from gateway.routing.paths import declared, required, resolve
from gateway.routing.versions import is_if_match

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VERSION = re.compile(r"v[0-9]+|api|rest")
_DEEPEST = 12


class NoMatch(Exception):
    """Nothing can take the route over; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Match:
    """A replacement's binding for a route."""

    route: Route
    modern: Modern
    binding: Mapping[str, Any]


def match(route: Route, api: Api, upstream: str) -> Match:
    """The binding with which the API takes a route over; raises `NoMatch`."""
    alike = [each for each in api.operations if _same_place(route, each)]
    if not alike:
        raise NoMatch("the API has nothing at such a path with such a method")
    if len(alike) > 1:
        names = ", ".join(each.name for each in alike)
        raise NoMatch(f"several could take it over: {names}")
    modern = alike[0]
    if route.is_list:
        raise NoMatch(f"{modern.name} lists: say under `lists` of {upstream} how it pages, and bind it by hand")
    binding: dict[str, Any] = {"upstream": upstream, "operation": modern.name}
    given = _input(route, modern, api)
    if given:
        binding["input"] = given
    if route.reply is not None:
        if modern.reply is None:
            raise NoMatch(f"{modern.name} doesn't say what it answers")
        binding["output"] = _output(route.reply, route.reply, modern.reply, api.root, "reply", 0)
    return Match(route, modern, binding)


def _same_place(route: Route, modern: Modern) -> bool:
    methods = {route.method.lower(), modern.method}
    return (len(methods) == 1 or methods == {"put", "patch"}) and _shape(route.path) == _shape(modern.path)


def _shape(path: str) -> list[tuple[str, ...]]:
    """A path's segments as words; a parameter is (), and what only says a version isn't there."""
    parts = [part for part in path.split("/") if part and not _VERSION.fullmatch(part.lower())]
    return [() if part.startswith("{") else _plain(part) for part in parts]


def _plain(name: str) -> tuple[str, ...]:
    parts = words(name)
    return (*parts[:-1], singular(parts[-1]))


def _input(route: Route, modern: Modern, api: Api) -> dict[str, str]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    given = {there: f"path.{here}" for here, there in zip(names, modern.path_names, strict=True)}
    if any(is_if_match(each) for each in route.parameters):
        raise NoMatch(f"{modern.name} can't be held to the versions that the route tells (If-Match)")
    own = {"fields"} if route.sparse else set()  # what the gateway does by itself
    query = [each for each in route.parameters if each.where == "query" and each.name not in own]
    asked = {each.name: each.required for each in query}
    known = {words(name): name for name in modern.query}
    for name in asked:
        if words(name) not in known:
            raise NoMatch(f"{modern.name} has no parameter like '{name}'")
        given[f"query.{known[words(name)]}"] = f"query.{_quoted(name)}"
    for name, must in modern.query.items():
        if must and f"query.{name}" not in given:
            raise NoMatch(f"{modern.name} needs '{name}', which callers of the route don't give")
    return given | _body(route, modern, api)


def _body(route: Route, modern: Modern, api: Api) -> dict[str, str]:
    here = {} if route.body is None else next(iter(route.body.media.values()), {})
    there = _whole(modern.body, api.root) if modern.body is not None else {}
    known = {words(name): name for name in _members(there, api.root)}
    made = {}
    for name in declared(here):
        if words(name) not in known:
            raise NoMatch(f"the body of {modern.name} has no '{name}'")
        if "." in known[words(name)]:
            raise NoMatch(f"the body of {modern.name} has '{known[words(name)]}', a name with a dot")
        inner = declared(here)[name]
        made[known[words(name)]] = _moved(inner, here, _members(there, api.root)[known[words(name)]], api, name)
    for name in required(there):
        if name not in made:
            raise NoMatch(f"the body of {modern.name} needs '{name}', which callers of the route don't give")
    return made


def _moved(inner: Any, here: JsonSchema, there: Any, api: Api, name: str) -> str:
    """A member of the body as the API calls what is in it."""
    path = f"body.{_quoted(name)}"
    if not declared(_with_root(inner, here)):
        return path
    # The other way round: it is the API's members that are made.
    made = _output(_with_root(there, api.root), api.root, _with_root(inner, here), here, name, 0)
    return path if made == "@" else f"{path}.{made}"


def _output(wanted: Any, root: JsonSchema, given: Any, given_root: Any, at: str, depth: int) -> str:
    """JMESPath that makes `wanted` of `given`; raises `NoMatch` where something is missing."""
    if depth > _DEEPEST:
        raise NoMatch(f"'{at}' is nested too deep, or within itself")
    wanted, given = _whole(wanted, root), _whole(given, given_root)
    _comparable(wanted, given, at)
    if wanted.get("type") == "array" or "items" in wanted:
        inner = _output(wanted.get("items", {}), root, given.get("items", {}), given_root, f"{at}[]", depth + 1)
        return "@" if inner == "@" else f"[].{inner}"
    members = _members(wanted, root)
    if not members:
        return "@"
    return "{" + ", ".join(_pairs(wanted, members, root, given, given_root, at, depth)) + "}"


def _pairs(
    wanted: Any, members: Mapping[str, Any], root: Any, given: Any, given_root: Any, at: str, depth: int
) -> Iterator[str]:
    theirs = _members(given, given_root)
    known = {words(name): name for name in theirs}
    needed = required({**wanted, "$defs": root.get("$defs", {})})
    for name, schema in members.items():
        there = known.get(words(name))
        if there is None:
            if name in needed:
                raise NoMatch(f"its answer has no '{name}' (in {at})")
            continue
        inner = _output(schema, root, theirs[there], given_root, name, depth + 1)
        source = _quoted(there) + ("" if inner == "@" else inner if inner.startswith("[") else f".{inner}")
        yield f"{_quoted(name)}: {source}"


def _comparable(wanted: Mapping[str, Any], given: Mapping[str, Any], at: str) -> None:
    here, there = _kinds(wanted), _kinds(given)
    if here and there and not there <= here and not (there <= {"integer"} and "number" in here):
        raise NoMatch(f"'{at}' is {' or '.join(sorted(there))} there, and {' or '.join(sorted(here))} here")
    values, others = wanted.get("enum"), given.get("enum")
    if values is not None and others is not None and not {*map(str, others)} <= {*map(str, values)}:
        raise NoMatch(f"'{at}' has other values there: {', '.join(map(str, others[:6]))}")


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    kinds = schema.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds) - {"null"}


def _members(schema: Any, root: Any) -> Mapping[str, Any]:
    return declared(_with_root(schema, root)) if isinstance(schema, Mapping) else {}


def _with_root(schema: Any, root: Any) -> Any:
    """A schema in which references lead to where they did in its document."""
    if not isinstance(schema, Mapping):
        return {}
    around = {key: root[key] for key in ("$defs", "components") if key in root}
    return {**around, **schema}


def _whole(schema: Any, root: Any) -> Mapping[str, Any]:
    for _ in range(20):
        if not isinstance(schema, Mapping):
            return {}
        if "$ref" not in schema:
            return schema
        schema = resolve(schema["$ref"], root)
    return {}


def _quoted(name: str) -> str:
    if _IDENTIFIER.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unused(api: Api, matches: Sequence[Match]) -> list[Modern]:
    """What the API has and no route asks for."""
    used = {each.modern.name for each in matches}
    return [each for each in api.operations if each.name not in used]
