"""Parameters become typed values, by OpenAPI 3.1 style (`simple` in paths and headers, `form` in queries)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from adapters.contract import Json
from adapters.errors import pointer
from gateway.errors import BadRequest, InvalidRequest
from gateway.nearest import nearest, nearest_names
from gateway.routing.model import Parameter

Reader: TypeAlias = Callable[[str], Json]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,300})(?:\.[0-9]{1,300})?(?:[eE][+-]?[0-9]{1,3})?")
_WORD = 2**63
_BOOLEANS = {"true": True, "false": False}
_MOST = 100
_LONGEST = 300


def reader(parameter: Parameter) -> Reader:
    """A function from a parameter's text to its value; what doesn't look like its type stays text, to be told later."""
    kinds = _types(parameter.schema)
    if "array" in kinds:
        items = parameter.schema.get("items", {})
        return partial(_array, reader=_scalar(_types(items)))
    return _scalar(kinds)


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    kinds = schema.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds)


def _scalar(kinds: frozenset[str]) -> Reader:
    if "string" in kinds or not kinds & {"integer", "number", "boolean"}:
        return str
    return partial(_typed, kinds=kinds)


def _typed(text: str, kinds: frozenset[str]) -> Json:
    if "boolean" in kinds and text in _BOOLEANS:
        return _BOOLEANS[text]
    if kinds & {"integer", "number"} and _INTEGER.fullmatch(text):
        whole = int(text)
        if -_WORD <= whole < 2 * _WORD:
            return whole
    if "number" in kinds and _NUMBER.fullmatch(text):
        value = float(text)
        return value if abs(value) != float("inf") else text
    return text


def _array(text: str, reader: Reader) -> Json:
    return [reader(part) for part in text.split(",")] if text else []


def split_query(raw: bytes) -> list[tuple[str, str]]:
    """A query string's pairs, decoded (`+` is a space, as forms write it); at most 100, UTF-8 without controls."""
    pairs = raw.split(b"&")
    if len(pairs) > _MOST:
        raise BadRequest(f"The query has more than {_MOST} parameters.", fix=f"Send at most {_MOST}.")
    return [_pair(pair) for pair in pairs if pair]


def _pair(pair: bytes) -> tuple[str, str]:
    name, _, value = pair.partition(b"=")
    return _text(name), _text(value)


def _text(raw: bytes) -> str:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The query isn't UTF-8.", fix="Percent-encode texts as UTF-8.") from error
    if "\0" in text:
        raise BadRequest("The query holds a NUL character.", fix="Leave it out.")
    return text


class QueryReader:
    """Reads a route's query parameters; an undeclared or repeated one is an error, so that no filter is lost."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self._parameters = {each.name: each for each in parameters if each.where == "query"}
        self._readers = {name: reader(each) for name, each in self._parameters.items()}
        self.defaults = {name: each.default for name, each in self._parameters.items() if each.default is not None}

    def __call__(self, raw: bytes) -> dict[str, Json]:
        values = dict(self.defaults)
        if not raw:
            return values
        seen: dict[str, Json] = {}
        for name, text in split_query(raw):
            self._take(seen, name, text)
        values.update(seen)
        return values

    def _take(self, seen: dict[str, Json], name: str, text: str) -> None:
        parameter = self._parameters.get(name)
        if parameter is None:
            raise _unknown(name, self._parameters)
        repeated = name in seen
        if "array" in _types(parameter.schema) and parameter.explode:
            item = _scalar(_types(parameter.schema.get("items", {})))
            seen.setdefault(name, []).append(item(text))
        elif repeated:
            raise _wrong(name, "The query parameter is given twice.", "Give it once.")
        else:
            seen[name] = self._readers[name](text)


def _wrong(name: str, detail: str, fix: str) -> InvalidRequest:
    where = pointer("query", name[:_LONGEST])
    error = {"pointer": where, "detail": detail, "rule": "maxItems", "expected": 1}
    return InvalidRequest(detail, fix=fix, errors=[error])


def _unknown(name: str, known: Collection[str]) -> InvalidRequest:
    where, names = pointer("query", name[:_LONGEST]), sorted(known)
    expected = nearest_names(name, names) or names
    error = {"pointer": where, "detail": "isn't known here", "rule": "additionalProperties", "expected": expected}
    meant = nearest(name, names) or "."
    fix = f"Leave out {where}{meant} This route takes: {', '.join(names) or 'none'}."
    return InvalidRequest("There is no such query parameter.", fix=fix, errors=[error])
