"""What a caller may follow, as AsyncAPI 3.0 describes it (https://www.asyncapi.com/docs/reference/specification/v3.0.0):
the application is the gateway, so that its operations send."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from gateway.feeds.schemas import apart, row_schema
from gateway.feeds.sources import Source
from gateway.policy.grants import Grant
from gateway.routing.events_schema import Stream, Webhook

Sights = Mapping[str, tuple[Source, Grant | None]]
"""Sources by `UPSTREAM.CAPTURE`, each with what may be seen of its rows; None: all of it."""

_CLOUD_EVENT = "application/cloudevents+json"
_TYPES = ("insert", "update", "delete", "truncate", "loaded")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")
_NAMED = re.compile(r"[A-Za-z0-9_-]+")
_CREDENTIAL = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key or a token: `Authorization: Bearer KEY`.",
}


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told over one server, and what."""

    name: str
    server: Mapping[str, Any]
    sights: Sights
    path: str = ""
    """Over HTTP; a source's name follows it where it ends with `=`."""
    prefix: str = ""
    """Of subjects, where it is a stream of NATS."""


def listeners(sights: Sights, base: str) -> Audience:
    """Those who follow `/-/events` of the gateway at the URL `base`."""
    server = {
        **_server(base, urlsplit(base).path.rstrip("/")),
        "description": "Server-Sent Events: each `data` is one event.",
        "security": [{"$ref": "#/components/securitySchemes/credential"}],
    }
    return Audience("events", server, sights, path="/-/events?source=")


def subscriber(name: str, model: Webhook | Stream, sights: Sights) -> Audience:
    """A webhook or a stream of `gateway.yaml`, which has its own principal's sights."""
    mine = {source: sights[source] for source in model.sources if source in sights}
    if isinstance(model, Webhook):
        server = {**_server(model.url), "description": "A webhook: each event is one signed POST."}
        return Audience(f"webhooks.{name}", server, mine, path=urlsplit(model.url).path or "/")
    told = f"NATS JetStream: each event is one message of the stream {model.stream}."
    server = {**_server(model.url), "protocol": "nats", "description": told}
    return Audience(f"streams.{name}", server, mine, prefix=model.prefix)


def document(title: str, version: str, audiences: Iterable[Audience]) -> dict[str, Any]:
    """The document. What an audience may not follow isn't in it."""
    made: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {"title": f"{title}: events", "version": version, "description": "What changes in the systems."},
        "defaultContentType": _CLOUD_EVENT,
        "servers": {},
        "channels": {},
        "operations": {},
        "components": {"messages": {}, "schemas": {}, "securitySchemes": {"credential": _CREDENTIAL}},
    }
    for each in audiences:
        made["servers"][each.name] = dict(each.server)
        for name, (source, grant) in sorted(each.sights.items()):
            _add(made, each, name, source, grant)
    return made


def _server(url: str, path: str = "") -> dict[str, Any]:
    parts = urlsplit(url)
    made = {"host": parts.netloc, "protocol": parts.scheme}
    return {**made, "pathname": path} if path else made


def _add(made: dict[str, Any], audience: Audience, name: str, source: Source, grant: Grant | None) -> None:
    id = _UNFIT.sub("_", f"{audience.name}.{name}")
    made["components"]["schemas"] |= apart(row_schema(source, grant), id)
    made["components"]["messages"][id] = _message(name, id, source, grant)
    made["channels"][id] = {
        **_address(audience, name, _seen(source, grant)),
        "title": f"Changes of {name}",
        "servers": [{"$ref": f"#/servers/{audience.name}"}],
        "messages": {"change": {"$ref": f"#/components/messages/{id}"}},
    }
    made["operations"][f"tell.{id}"] = {
        "action": "send",
        "title": f"Tell changes of {name}",
        "channel": {"$ref": f"#/channels/{id}"},
        "messages": [{"$ref": f"#/channels/{id}/messages/change"}],
    }


def _seen(source: Source, grant: Grant | None) -> tuple[str, ...]:
    """The members that are the key, as subjects have them: none where one of them is never seen."""
    left_out = () if grant is None else grant.always()[0]
    return () if any((member,) in left_out for member in source.key) else source.key


def _address(audience: Audience, name: str, key: tuple[str, ...]) -> dict[str, Any]:
    if audience.path:
        return {"address": audience.path + (quote(name) if audience.path.endswith("=") else "")}
    keys = [each if _NAMED.fullmatch(each) else f"key{number}" for number, each in enumerate(key)]
    address = ".".join((audience.prefix, name, *(f"{{{each}}}" for each in keys)))
    told = "The key's value as one token, strange characters as in URLs; none stand where the key isn't seen."
    return {"address": address} | ({"parameters": {each: {"description": told} for each in keys}} if keys else {})


def _message(name: str, id: str, source: Source, grant: Grant | None) -> dict[str, Any]:
    narrowed = {"x-figway-some-rows": True} if grant is not None and grant.narrows else {}
    return {
        "name": id,
        "title": f"A change of {name}",
        "summary": f"What {source.route.operation_id} answers of it, before and after the change.",
        "contentType": _CLOUD_EVENT,
        "payload": _envelope(name, {"anyOf": [{"$ref": f"#/components/schemas/{id}"}, {"type": "null"}]}),
        **narrowed,
    }


def _envelope(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """CloudEvents 1.0.2 in JSON, as the feed writes it."""
    text = {"type": "string"}
    moment = {"type": "string", "format": "date-time"}
    data = {"type": "object", "required": ["before", "after"], "properties": {"before": row, "after": row}}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "capturedtime", "data"],
        "properties": {
            "specversion": {"type": "string", "const": "1.0"},
            "id": {**text, "description": "The same whenever the event is told."},
            "source": {"type": "string", "const": f"/changes/{name.replace('.', '/')}"},
            "type": {"type": "string", "enum": [f"figway.change.{each}" for each in _TYPES]},
            "subject": {**text, "description": "The key's values as JSON; absent where the key isn't seen."},
            "time": {**moment, "description": "When it was committed, where the system tells."},
            "capturedtime": {**moment, "description": "When it was captured."},
            "datacontenttype": {"type": "string", "const": "application/json"},
            "data": data,
        },
    }
