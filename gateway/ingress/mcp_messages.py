"""The messages of MCP that are answered without the SDK: `tools/list` and `tools/call`, as the specification has them.

https://modelcontextprotocol.io/specification/2026-07-28/basic/transports (each request says who it is in `_meta` and
in header fields that must agree), and revision 2025-11-25. Whatever isn't exactly so is the SDK's to judge.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway import __version__
from gateway.errors import BadRequest, UnsupportedMediaType
from gateway.filters.json_body import json_body

MODERN, LEGACY = b"2026-07-28", b"2025-11-25"
LASTS = 5_000
"""Milliseconds for which a client may keep a list of tools."""
_PAGE = 50
INVALID_PARAMS = -32602
NO_TOOL = "Unknown tool: it doesn't exist, or isn't for you. tools/list, or search_tools, names those that are."
SERVER = {"name": "figway", "version": __version__}
_TAKES = {"tools/list": {"_meta", "cursor"}, "tools/call": {"_meta", "name", "arguments"}}
_META = "io.modelcontextprotocol/"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of JSON-RPC 2.0 for tools. `modern`: of revision 2026-07-28."""

    id: str | int
    method: str
    params: Mapping[str, Any]
    modern: bool


def asked_of(raw: bytes, headers: Mapping[bytes, bytes]) -> Asked | None:
    """The request that a message is; None: the SDK is to judge it."""
    version = headers.get(b"mcp-protocol-version")
    if version not in (MODERN, LEGACY) or not _takes_both(headers):
        return None
    try:
        message = json_body(raw)
    except BadRequest:
        return None
    if not isinstance(message, dict) or message.keys() != {"jsonrpc", "id", "method", "params"} - (
        {"params"} - message.keys()
    ):
        return None
    id, method, params = message["id"], message["method"], message.get("params", {})
    taken = _TAKES.get(method) if isinstance(method, str) else None
    if message["jsonrpc"] != "2.0" or type(id) not in (str, int) or taken is None or not isinstance(params, dict):
        return None
    if params.keys() - taken or not _typed(method, params):
        return None
    if version == MODERN and not _agrees(method, params, headers):
        return None
    return Asked(id, method, params, version == MODERN)


def check_media(headers: Mapping[bytes, bytes]) -> None:
    """Raises `UnsupportedMediaType` for a message that isn't said to be JSON."""
    if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
        raise UnsupportedMediaType("Messages are application/json.")


def _takes_both(headers: Mapping[bytes, bytes]) -> bool:
    accept = headers.get(b"accept", b"")
    return b"application/json" in accept and b"text/event-stream" in accept and b"q=" not in accept


def _typed(method: str, params: Mapping[str, Any]) -> bool:
    meta = params.get("_meta", {})
    if not isinstance(meta, dict) or type(meta.get("progressToken", "")) not in (str, int):
        return False
    if method == "tools/list":
        return isinstance(params.get("cursor", ""), str)
    return isinstance(params.get("name"), str) and isinstance(params.get("arguments", {}), dict)


def _agrees(method: str, params: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> bool:
    """Whether header fields and `_meta` say the same, and all that revision 2026-07-28 asks for."""
    meta = params.get("_meta", {})
    client = meta.get(f"{_META}clientInfo", {"name": "", "version": ""})
    return (
        meta.get(f"{_META}protocolVersion") == MODERN.decode()
        and isinstance(meta.get(f"{_META}clientCapabilities"), dict)
        and isinstance(client, dict)
        and isinstance(client.get("name"), str)
        and isinstance(client.get("version"), str)
        and headers.get(b"mcp-method") == method.encode()
        # RFC 9110 section 5.5: blanks around a value aren't part of it.
        and headers.get(b"mcp-name", b"").strip(b" \t") == params.get("name", "").encode()
        and not any(name.startswith(b"mcp-param-") for name in headers)
    )


def answer_to(asked: Asked, result: dict[str, Any]) -> bytes:
    """The response to a request, its result as its revision says it."""
    if asked.modern:
        meta = {**result.get("_meta", {}), f"{_META}serverInfo": SERVER}
        result = {**result, "resultType": "complete", "_meta": meta}
        if asked.method == "tools/list":
            result |= {"ttlMs": LASTS, "cacheScope": "private"}
    return orjson.dumps({"jsonrpc": "2.0", "id": asked.id, "result": result})


def refusal_of(asked: Asked, message: str) -> bytes:
    """The error of a request whose parameters are no good."""
    return orjson.dumps({"jsonrpc": "2.0", "id": asked.id, "error": {"code": INVALID_PARAMS, "message": message}})


class BadCursor(Exception):
    """A cursor that no list gave."""


def page_of(items: Sequence[dict[str, Any]], cursor: str | None, what: str = "tools") -> dict[str, Any]:
    """The page of a list, in the order of names, that a cursor leads to; raises `BadCursor`."""
    after = "" if cursor is None else _name_in(cursor)
    rest = [item for item in items if item["name"] > after]
    page: dict[str, Any] = {what: rest[:_PAGE]}
    if len(rest) > _PAGE:
        page["nextCursor"] = urlsafe_b64encode(rest[_PAGE - 1]["name"].encode()).decode()
    return page


def _name_in(cursor: str) -> str:
    try:
        return urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
    except (Error, ValueError) as error:
        raise BadCursor("The cursor isn't one that this list gave: leave it out to begin anew.") from error
