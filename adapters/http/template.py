"""An operation's name, "PATCH /v2/customers/{id}", compiled; and an input turned into one request by it.

Keys that the path names go into the path. Of the others, an object `query` goes into the query string, an object
`header` into the headers; then, for POST, PUT and PATCH, `body` is the body, or what remains becomes its members,
and for every other method what remains goes into the query string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote

import orjson

from adapters.bodies import Pieces
from adapters.contract import Effect, Json, Operation
from adapters.errors import FieldError, Invalid
from adapters.http.media import JSON_ONLY, Outcome

EFFECTS = {
    "GET": Effect.READ,
    "HEAD": Effect.READ,
    "PUT": Effect.IDEMPOTENT_WRITE,
    "DELETE": Effect.IDEMPOTENT_WRITE,
    "POST": Effect.WRITE,
    "PATCH": Effect.WRITE,
}
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_NAME = re.compile(r"([A-Z]+) (/\S*)")
# RFC 3986 section 3.3: pchar, and parameters in braces.
_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|\{[A-Za-z_][A-Za-z0-9_]*\})+")
_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# What frames the message or says who calls is the gateway's own.
OWN_HEADERS = frozenset(
    {"accept-encoding", "authorization", "connection", "content-encoding", "content-length", "content-type", "cookie"}
    | {"expect", "host", "idempotency-key", "keep-alive", "proxy-authorization", "te", "traceparent", "trailer"}
    | {"transfer-encoding", "upgrade"}
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: `target` is path and query, percent-encoded; `body` is of the media type `media`, or None; `key`
    names the entity."""

    target: str
    headers: Mapping[str, str]
    body: bytes | Pieces | None
    key: str | None
    media: str = "application/json"


class Followed(dict[str, Json]):
    """A query string as the API itself spelt it, in a link to the next page: it is sent as it is."""


class Known(Protocol):
    """An operation that can be called. `template` is its "METHOD /path"; `names` are its path's parameters."""

    @property
    def name(self) -> str: ...

    @property
    def template(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def effect(self) -> Effect: ...

    @property
    def outcome(self) -> Outcome: ...

    def operation(self) -> Operation: ...

    def request(self, input: Mapping[str, Json], own: frozenset[str] = frozenset()) -> Request:
        """The request for `input`; raises `Invalid`. `own` are further headers (lower-case) that it may not set."""
        ...


@dataclass(frozen=True, slots=True)
class Template:
    """One operation's name, compiled. `parts` alternates literal text and parameter names."""

    name: str
    method: str
    parts: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def effect(self) -> Effect:
        return EFFECTS[self.method]

    @property
    def template(self) -> str:
        return self.name

    @property
    def outcome(self) -> Outcome:
        return JSON_ONLY

    def operation(self) -> Operation:
        """The operation as the contract describes it; nothing is known of its reply."""
        text = {"type": ["string", "number", "boolean"]}
        schema = {"type": "object", "properties": dict.fromkeys(self.names, text), "required": list(self.names)}
        return Operation(self.name, self.effect, schema, {}, f"{self.name} of a REST API")

    def request(self, input: Mapping[str, Json], own: frozenset[str] = frozenset()) -> Request:
        """The request for `input`; raises `Invalid`. `own` are further headers (lower-case) that it may not set."""
        try:
            return self._request(dict(input), own)
        except (UnicodeEncodeError, orjson.JSONEncodeError) as error:
            raise Invalid("The input can't be written as UTF-8 and 64-bit JSON.", detail=str(error)) from error

    def _request(self, rest: dict[str, Json], own: frozenset[str]) -> Request:
        values = [rest.pop(name, None) for name in self.names]
        path = self._path(values)
        query = rest.pop("query") if isinstance(rest.get("query"), Mapping) else {}
        headers = rest.pop("header") if isinstance(rest.get("header"), Mapping) else {}
        body = None
        if self.method in _WITH_BODY:
            body = _body(rest)
        elif rest:
            query = {**rest, **query}
        target = f"{path}?{query_text(query)}" if query else path
        key = "/".join(str(value) for value in values) if values else None
        return Request(target, header_fields(headers, own) if headers else {}, body, key)

    def _path(self, values: list[Json]) -> str:
        """The path with its parameters filled in; a value can neither leave its segment nor vanish."""
        pieces = list(self.parts)
        for index, (name, value) in enumerate(zip(self.names, values, strict=True)):
            pieces[2 * index + 1] = quote(path_text(name, value), safe="")
        path = "".join(pieces)
        if self.names and any(segment in (".", "..") for segment in path.split("/")):
            raise Invalid("The path would leave its place.", errors=[FieldError("", "makes a '.' or '..' segment")])
        return path


@lru_cache(maxsize=4096)
def template(name: str) -> Template | None:
    """The operation's name compiled, or None when it isn't METHOD, a blank and a path template."""
    match = _NAME.fullmatch(name)
    if match is None or match[1] not in EFFECTS:
        return None
    segments = match[2].removesuffix("/").split("/")[1:]
    if any(
        not _SEGMENT.fullmatch(segment) or segment.lower().replace("%2e", ".") in (".", "..") for segment in segments
    ):
        return None
    parts = tuple(_PARAMETER.split(match[2]))
    names = parts[1::2]
    return Template(name, match[1], parts, names) if len(set(names)) == len(names) else None


def path_text(name: str, value: Json) -> str:
    text = text_of(value)
    if text is None:
        raise Invalid(f"'{name}' is needed in the path.", errors=[FieldError(f"/{name}", "must be a text or a number")])
    # Some servers decode %2F and %5C before they look at segments.
    if not text.isprintable() or any(piece in ("", ".", "..") for piece in re.split(r"[/\\]", text)):
        raise Invalid(f"'{name}' can't be part of a path.", errors=[FieldError(f"/{name}", "isn't a plain identifier")])
    return text


def text_of(value: Json) -> str | None:
    """A scalar as the wire spells it, None when it isn't one."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, (int, float)) else None


def query_text(fields: Mapping[str, Json]) -> str:
    """The query string, as OpenAPI's style `form`, exploded: a list repeats its key; null is left out."""
    return "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in _pairs(fields))


def _pairs(fields: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        for each in value if isinstance(value, (list, tuple)) else (value,):
            text = text_of(each)
            if text is not None:
                yield name, text
            elif each is not None:
                raise Invalid(
                    f"'{name}' can't be part of a query.", errors=[FieldError(f"/{name}", "must be a text or a number")]
                )


def header_fields(fields: Mapping[str, Json], own: frozenset[str]) -> dict[str, str]:
    headers = {}
    for name, value in fields.items():
        text = text_of(value)
        if name.lower() in OWN_HEADERS or name.lower() in own or not _HEADER_NAME.fullmatch(name):
            raise Invalid("That header is the gateway's own.", errors=[FieldError(f"/header/{name}", "can't be set")])
        if text is not None:
            if not text.isprintable():
                raise Invalid(
                    "A header holds control characters.", errors=[FieldError(f"/header/{name}", "isn't plain")]
                )
            headers[name] = text
    return headers


def _body(rest: dict[str, Json]) -> bytes | None:
    """The JSON body: `body` when it is given, else what remains; no member at all, no body."""
    if "body" in rest:
        if len(rest) > 1:
            extra = next(name for name in rest if name != "body")
            raise Invalid(f"'{extra}' has no place beside 'body'.", errors=[FieldError(f"/{extra}", "has no place")])
        return orjson.dumps(rest["body"])
    return orjson.dumps(rest) if rest else None
