"""Requests and replies against the contract: what breaks it goes no further, in either direction."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import jsonschema_rs

from adapters.contract import Effect, Json, JsonSchema
from adapters.errors import pointer
from gateway.call import Call, Reply
from gateway.errors import (
    BadRequest,
    BadUpstreamReply,
    InvalidRequest,
    Problem,
    UnknownOutcome,
    UnsupportedMediaType,
)
from gateway.filters.breaches import Breach, breaches, fix_of
from gateway.filters.json_body import json_body
from gateway.filters.parameters import QueryReader, reader
from gateway.filters.shape import trimmer
from gateway.filters.versions import conditions
from gateway.pipeline import Stage
from gateway.routing.model import Body, Parameter, Route
from gateway.routing.shown import partial_of

_DATA = frozenset({"const", "default", "enum", "example", "examples"})
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def validate_request(route: Route) -> Stage:
    """A filter that types the parameters, decodes the body and holds both against the contract."""
    read_query = QueryReader(route.parameters)
    read_path = {each.name: reader(each) for each in route.parameters if each.where == "path"}
    header_parameters = [(each, each.name.lower().encode(), reader(each)) for each in _in(route, "header")]
    schema = _request_schema(route)
    validator = compiled(schema)
    check_conditions = conditions(route)

    def before(call: Call) -> Awaitable[None] | None:
        if check_conditions is not None:
            check_conditions(call)
        if call.parent is not None:
            call.query = {**read_query.defaults, **call.query}
            check(call)
            return None
        call.query = read_query(call.raw_query)
        call.path = {name: read_path[name](text) for name, text in call.path.items()}
        for parameter, name, read in header_parameters:
            value = call.raw_headers.get(name)
            if value is not None:
                call.header[parameter.name] = read(value.decode("latin-1"))
        if route.body is not None:
            return with_body(call, route.body)
        check(call)
        return None

    async def with_body(call: Call, body: Body) -> None:
        call.body = await _read_body(call, body)
        check(call)

    def check(call: Call) -> None:
        request = {"path": call.path, "query": call.query, "header": call.header}
        if route.body is not None and call.body is not _ABSENT:
            request["body"] = call.body
        if not validator.is_valid(request):
            raise _invalid(breaches(validator, schema, request))

    return Stage(before)


_ABSENT: Any = object()


def compiled(schema: JsonSchema) -> jsonschema_rs.Draft202012Validator:
    """The validator of a schema, formats asserted; its sentences never echo a value."""
    return jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True, mask="the value")


def _in(route: Route, where: str) -> list[Parameter]:
    return [each for each in route.parameters if each.where == where]


def _request_schema(route: Route) -> JsonSchema:
    """One schema over `{path, query, header, body}`, so that one call of the validator tells everything."""
    places: dict[str, Any] = {}
    for where in ("path", "query", "header"):
        parameters = _in(route, where)
        places[where] = {
            "type": "object",
            "properties": {each.name: _isolated(each.schema, f"{where}-{each.name}") for each in parameters},
            "required": [each.name for each in parameters if each.required],
            "additionalProperties": False,
        }
    required = ["path", "query", "header"]
    if route.body is not None:
        places["body"] = _isolated(_whole(next(iter(route.body.media.values()))), "body")
        required += ["body"] if route.body.required else []
    return {"$schema": _DIALECT, "type": "object", "properties": places, "required": required}


def _whole(schema: Any) -> Any:
    """The schema with its integers held to 64 bits: JSON's reader makes a longer one a float, which isn't exact."""
    if isinstance(schema, list):
        return [_whole(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    mended = {name: part if name in _DATA else _whole(part) for name, part in schema.items()}
    if "integer" in (kinds := schema.get("type", ())) and isinstance(kinds, str | list):
        return {"minimum": -(2**63), "maximum": 2**64 - 1, **mended}
    return mended


def _isolated(schema: JsonSchema, name: str) -> JsonSchema:
    """The schema as a resource of its own (`$id`), so that its `$ref`s into its own `$defs` keep their meaning."""
    return {**schema, "$id": f"urn:figway:{name}"} if "$defs" in schema else schema


async def _read_body(call: Call, body: Body) -> Json:
    content_type = call.raw_headers.get(b"content-type")
    _check_whole(call.raw_headers)
    raw = await call.read_body() if call.read_body is not None else b""
    if not raw:
        if body.required:
            missing = {"pointer": "/body", "detail": "is missing", "rule": "required"}
            raise InvalidRequest("The request has no body.", fix="Send a JSON body.", errors=[missing])
        return _ABSENT
    if content_type is None or not _is_json(content_type, body):
        raise UnsupportedMediaType(
            "The body's media type isn't one that this route takes.", fix=f"Send {', '.join(body.media)}."
        )
    return json_body(raw)


def _check_whole(headers: Mapping[bytes, bytes]) -> None:
    """Raises for a body that isn't the representation itself: compressed, or a part of it (RFC 9110 §8.4, §14.5)."""
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise UnsupportedMediaType("The body is encoded, which no route takes.", fix="Leave Content-Encoding out.")
    if b"content-range" in headers:
        raise BadRequest("The body is only a part, which no route takes.", fix="Send it whole.")


def _is_json(content_type: bytes, body: Body) -> bool:
    name, *parameters = [part.strip() for part in content_type.decode("latin-1").lower().split(";")]
    charsets = [each[8:].strip('"') for each in parameters if each.startswith("charset=")]
    return name in body.media and all(charset == "utf-8" for charset in charsets)


def _invalid(errors: Sequence[Breach]) -> InvalidRequest:
    where = errors[0]["pointer"] or "the request"
    return InvalidRequest(
        f"The request breaks the contract at {where}: {errors[0]['detail']}",
        errors=errors,
        fix=fix_of(errors, "The contract is at /openapi.json."),
    )


def validate_reply(route: Route) -> Stage:
    """A filter that holds what comes back against the contract: `strict` refuses, `shape` trims what isn't declared."""
    assert route.reply is not None
    validator = compiled(route.reply)
    partly = compiled(partial_of(route.reply, is_list=route.is_list)) if route.sparse else validator
    trim = trimmer(route.reply) if route.enforcement == "shape" else None
    writes = route.effect is not Effect.READ

    def after(call: Call, reply: Reply) -> None:
        if trim is not None:
            reply.body = trim(reply.body)
        judge = partly if call.partial else validator
        if not judge.is_valid(reply.body):
            raise _broken(judge, reply.body, writes and not call.trying)

    return Stage(after=after)


def _broken(validator: jsonschema_rs.Draft202012Validator, body: Json, writes: bool) -> Problem:
    first = next(iter(validator.iter_errors(body)))
    where = pointer(*first.instance_path) or "its root"
    note = f"reply breaks the contract at {where}: {first.message}"
    if writes:
        return UnknownOutcome(
            "The change was made, but the answer breaks the route's contract.",
            fix="Read the entity to see the change; don't send it again.",
            note=note,
        )
    return BadUpstreamReply(f"The answer breaks the route's contract at {where}.", note=note)
