"""Operations as an OpenAPI document describes them, each compiled when it is first asked for.

An operation's input has its path's parameters as members, the others in objects `query` and `header`, and its `body`.
What doesn't fit its schema isn't sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import orjson

from adapters.contract import Effect, Json, Operation
from adapters.errors import ConfigError, ConfigProblem, FieldError, Invalid, pointer
from adapters.http.contents import Body, body_of, without_blobs
from adapters.http.document import Broken, Document
from adapters.http.media import Outcome
from adapters.http.outcome import outcome_of
from adapters.http.pages import Pages, list_operation
from adapters.http.parameters import Parameter, parameters
from adapters.http.schemas import Bundle
from adapters.http.template import EFFECTS, Followed, Request, query_text

_METHODS = ("get", "head", "post", "put", "patch", "delete")
_OTHERS = ("options", "trace")
_PARAMETER = re.compile(r"\{([^{}]+)\}")
_LITERAL = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_OURS = frozenset({"query", "header", "body"})
_MOST_ERRORS = 32
_LIGHT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Described:
    """One operation. `template` is its "METHOD /path"; `parts` alternates the path's literal text and parameters."""

    name: str
    template: str
    method: str
    parts: tuple[str, ...]
    names: tuple[str, ...]
    parameters: Mapping[tuple[str, str], Parameter]
    body: Body | None
    outcome: Outcome
    described: Operation
    validator: jsonschema_rs.Validator

    @property
    def effect(self) -> Effect:
        return EFFECTS[self.method]

    def operation(self) -> Operation:
        """The operation as the contract of adapters describes it."""
        return self.described

    def request(self, input: Mapping[str, Json], own: frozenset[str] = frozenset()) -> Request:
        """The request for `input`; raises `Invalid`. `own` are headers (lower-case) that it may not set."""
        self._check(input)
        try:
            return self._request(input, own)
        except (UnicodeEncodeError, orjson.JSONEncodeError) as error:
            raise Invalid("The input can't be written as UTF-8 and 64-bit JSON.", detail=str(error)) from error

    def _check(self, input: Mapping[str, Json]) -> None:
        plain = without_blobs(input) if self.body is not None and self.body.kind in ("bytes", "multipart") else input
        followed = isinstance(input.get("query"), Followed)
        try:
            if self.validator.is_valid(plain):
                return
            found = [
                FieldError(pointer(*error.instance_path), error.message)
                for error, _ in zip(self.validator.iter_errors(plain), range(_MOST_ERRORS), strict=False)
                # The query of a followed link is the API's own word.
                if not (followed and error.instance_path[:1] == ["query"])
            ]
        except ValueError as error:
            raise Invalid("The input holds what JSON can't express.", detail=str(error)) from error
        if found:
            raise Invalid("The input doesn't fit what the upstream describes.", errors=found)

    def _request(self, input: Mapping[str, Json], own: frozenset[str]) -> Request:
        values = [input[name] for name in self.names]
        query = self._query(input.get("query") or {})
        path = self._path(values)
        body, media = None, ""
        if self.body is not None and "body" in input:
            media, body = self.body.written(input["body"])
        key = "/".join(str(value) for value in values) if values else None
        headers = self._headers(input.get("header") or {}, own)
        return Request(f"{path}?{query}" if query else path, headers, body, key, media)

    def _path(self, values: list[Json]) -> str:
        pieces = list(self.parts)
        for index, (name, value) in enumerate(zip(self.names, values, strict=True)):
            pieces[2 * index + 1] = self.parameters["path", name].path(value)
        path = "".join(pieces)
        if self.names and any(segment in (".", "..") for segment in path.split("/")):
            raise Invalid("The path would leave its place.", errors=[FieldError("", "makes a '.' or '..' segment")])
        return path

    def _query(self, query: Mapping[str, Json]) -> str:
        if isinstance(query, Followed):
            return query_text(query)
        given = [(self.parameters["query", name], value) for name, value in query.items()]
        for parameter, value in given:
            self._check_members(parameter, value)
        return "&".join(part for parameter, value in given for part in parameter.pairs(value))

    def _check_members(self, parameter: Parameter, value: Json) -> None:
        """An object whose members are parameters by themselves mustn't say a second time what another one says. Some
        servers don't tell small letters from large ones."""
        if not parameter.spreads or not isinstance(value, Mapping):
            return
        others = {name.lower() for where, name in self.parameters if where == "query"} - {parameter.name.lower()}
        if any(key.lower() in others for key in value):
            raise parameter.misfit("has a member that is a parameter of its own")

    def _headers(self, fields: Mapping[str, Json], own: frozenset[str]) -> dict[str, str]:
        headers: dict[str, str] = {}
        for name, value in fields.items():
            if name.lower() in own:
                where = pointer("header", name)
                raise Invalid("That header is the gateway's own.", errors=[FieldError(where, "can't be set")])
            text = self.parameters["header", name].header(value)
            if text is not None:
                headers[name] = text
        return headers


class Catalogue(Mapping[str, Operation]):
    """All operations of a document, by operationId if there is one, else by "METHOD /path"; `of` knows both."""

    def __init__(self, document: Document, lists: Mapping[str, Pages]) -> None:
        """`lists` says by "METHOD /path" which operations are lists. Raises `ConfigError`: two operations of one name,
        or two paths that are the same."""
        self._document, self._lists = document, lists
        self._places: dict[str, tuple[str, str]] = {}
        self._aliases: dict[str, str] = {}
        self._made: dict[str, Described | str] = {}
        problems = list(self._collected())
        if problems:
            raise ConfigError(problems)

    def of(self, name: str) -> Described | None:
        """The operation called `name`; None where there is none, or it is left out."""
        name = self._aliases.get(name, name)
        if name not in self._places:
            return None
        made = self._compiled(name)
        return made if isinstance(made, Described) else None

    @property
    def left_out(self) -> Mapping[str, str]:
        """Operation → what it uses that can't be expressed."""
        return {name: made for name in self._places if isinstance(made := self._compiled(name), str)}

    def __getitem__(self, name: str) -> Operation:
        found = self.of(name)
        if found is None:
            raise KeyError(name)
        pages = self._lists.get(found.template)
        return found.described if pages is None else list_operation(found, pages)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._places if isinstance(self._compiled(name), Described))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.of(name) is not None

    def _collected(self) -> Iterator[ConfigProblem]:
        paths = self._document.root.get("paths", {})
        shapes: dict[str, str] = {}
        for path, item in paths.items() if isinstance(paths, dict) else ():
            if path.startswith("x-"):
                continue
            place = pointer("paths", path)
            shape = _PARAMETER.sub("{}", path)
            if shape in shapes:
                yield self._document.problem(f"'{path}' and '{shapes[shape]}' are the same path", place)
            shapes[shape] = path
            try:
                found, at = self._document.follow(item, place)
            except Broken as error:
                yield self._document.problem(f"'{path}' uses {error}", place)
                continue
            for method in (*_METHODS, *_OTHERS) if isinstance(found, dict) else ():
                if isinstance(found.get(method), dict):
                    yield from self._noted(path, method, found[method], at)

    def _noted(self, path: str, method: str, given: Mapping[str, Any], at: str) -> Iterator[ConfigProblem]:
        template = f"{method.upper()} {path}"
        name = given.get("operationId")
        name = name if isinstance(name, str) and name else template
        if name in self._places:
            message = f"two operations are called '{name}': {self._aliases[name]} and {template}"
            yield self._document.problem(message, f"{at}/{method}/operationId")
            return
        self._places[name] = (path, f"{at}/{method}")
        self._aliases[template] = name
        self._aliases[name] = name

    def _compiled(self, name: str) -> Described | str:
        made = self._made.get(name)
        if made is None:
            path, place = self._places[name]
            try:
                made = compiled(self._document, name, path, place)
            except Broken as error:
                made = str(error)
            self._made[name] = made
        return made


def compiled(document: Document, name: str, path: str, place: str) -> Described:
    """The operation that stands at `place`, a JSON Pointer; raises `Broken`, whose message completes "it uses …"."""
    item_place, _, method = place.rpartition("/")
    item, given = document.at(item_place), document.at(place)
    if method in _OTHERS:
        raise Broken(f"the method {method.upper()}", place)
    parts = tuple(_PARAMETER.split(path))
    names = parts[1::2]
    found = parameters(document, item, given, place)
    _check_path(path, parts, names, found, place)
    bundle = Bundle(document, sent=True)
    body, body_schema = None, None
    if "requestBody" in given and method in ("post", "put", "patch", "delete"):
        body, body_schema = body_of(document, *document.follow(given["requestBody"], place), bundle)
    schema = bundle.standing(_input(found, body, body_schema, bundle))
    try:
        validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True, mask="the value")
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise Broken(f"a schema that is none: {str(error).splitlines()[0][:200]}", place) from error
    outcome = outcome_of(document, given, place, method)
    text = given.get("summary") or given.get("description")
    told = text.strip() if isinstance(text, str) else f"{method.upper()} {path} of a REST API"
    operation = Operation(name, EFFECTS[method.upper()], schema, outcome.schema, told)
    known: dict[tuple[str, str], Parameter] = {(each.where, each.name): each for each in found}
    return Described(
        name, f"{method.upper()} {path}", method.upper(), parts, names, known, body, outcome, operation, validator
    )  # fmt: skip


def _check_path(path: str, parts: tuple[str, ...], names: tuple[str, ...], found: list[Parameter], place: str) -> None:
    declared = {each.name for each in found if each.where == "path"}
    if not path.startswith("/") or not all(_LITERAL.fullmatch(each) for each in parts[::2]):
        raise Broken("a path that isn't one", place)
    if len(set(names)) != len(names) or _OURS & set(names):
        raise Broken("a name in its path twice, or one of query, header and body", place)
    if set(names) != declared:
        differ = ", ".join(sorted(set(names) ^ declared))
        raise Broken(f"other parameters in its path than it declares: {differ}", place)


def _input(found: list[Parameter], body: Body | None, body_schema: Any, bundle: Bundle) -> dict[str, Any]:
    """The input's JSON Schema."""
    groups: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
    required: dict[str, list[str]] = {"path": [], "query": [], "header": []}
    for each in found:
        schema = bundle.schema(each.schema)
        if each.description and isinstance(schema, dict):
            schema = {"description": each.description, **schema}
        groups[each.where][each.name] = schema
        if each.required:
            required[each.where].append(each.name)
    properties, needed = groups["path"], required["path"]
    for where in ("query", "header"):
        if groups[where]:
            properties[where] = _object(groups[where], required[where])
            needed += [where] if required[where] else []
    if body is not None:
        properties["body"] = body_schema
        needed += ["body"] if body.required else []
    return _object(properties, needed)


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": required} if required else made


def heavy(input: Json) -> bool:
    """Whether an input takes long enough to be checked and written on a thread."""
    left, waiting = _LIGHT, [input]
    while waiting:
        each = waiting.pop()
        left -= len(each) if isinstance(each, str | list | Mapping) else 1
        if left < 0:
            return True
        if isinstance(each, Mapping):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return False
