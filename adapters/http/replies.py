"""A REST API's reply, decoded, or told as the error that says what the caller may do."""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from email.message import Message
from typing import NoReturn

import orjson

from adapters.blob import Blob
from adapters.client import HttpReply
from adapters.contract import Effect, Json
from adapters.depth import deeper_than
from adapters.errors import (
    AdapterError,
    BadReply,
    Conflict,
    DoNotRetry,
    FieldError,
    Invalid,
    Moved,
    NotFound,
    Refused,
    Retry,
    UnknownOutcome,
    pointer,
)
from adapters.http.media import JSON_ONLY, Outcome

_IN_A_THREAD = 64 * 1024
_MOST_DEPTH = 128
_MOST_ERRORS, _LONGEST_ERROR = 32, 200
# Python's own ways to write texts, some of which take minutes for a megabyte.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
# A double holds 15 digits as written and orjson keeps 64-bit integers: only a longer run can lose something.
_DIGITS = bytes(ord("0") if byte in b"0123456789." else ord(" ") for byte in range(256))
_LONG_RUN = b"0" * 17


async def value_of(reply: HttpReply, effect: Effect, outcome: Outcome = JSON_ONLY, inline: int | None = None) -> Json:
    """The value of a 2xx reply, None when it has no body; raises what any other reply means. Bytes, where the operation
    answers with such, are base64 text, or a `Blob` where they are more than `inline`."""
    told = reply.headers.get("content-type", "application/json")
    media = told.partition(";")[0].strip().lower()
    good, json_ = 200 <= reply.status < 300, media == "application/json" or media.endswith("+json")
    if good and reply.status != 204 and outcome.is_bytes(media) and not (json_ and outcome.json):
        return await _content(reply.spooled or Blob(reply.body, media_type=media), inline)
    if reply.spooled is not None:
        reply = replace(reply, body=await asyncio.to_thread(reply.spooled.read), spooled=None)
    if not good:
        raise failure_of(reply, effect)
    if not reply.body:
        return None
    if not json_:
        if outcome.is_text(media):
            if len(reply.body) > _IN_A_THREAD:
                return await asyncio.to_thread(_text, reply.body, told)
            return _text(reply.body, told)
        raise BadReply("The upstream answered something other than what was expected.", detail=media)
    if len(reply.body) > _IN_A_THREAD:
        return await asyncio.to_thread(decoded, reply.body)
    return decoded(reply.body)


async def _content(blob: Blob, inline: int | None) -> Json:
    if inline is not None and blob.size > inline:
        return blob
    return blob.base64() if blob.in_memory and blob.size <= _IN_A_THREAD else await asyncio.to_thread(blob.base64)


def _text(body: bytes, content_type: str) -> str:
    """A text in the charset that the reply names, by default UTF-8."""
    header = Message()
    header["content-type"] = content_type
    try:
        charset = header.get_content_charset("utf-8")
        if codecs.lookup(charset).name in _NO_CHARSETS:
            raise LookupError(charset)
        return body.decode(charset)
    except (LookupError, ValueError) as error:  # a name that holds NUL is a ValueError
        raise BadReply("The upstream's text isn't in the charset that it names.", detail=str(error)) from error


def decoded(body: bytes) -> Json:
    """JSON without loss: a number that a double or 64 bits don't hold as written becomes a string."""
    try:
        value = orjson.loads(body)
        if _LONG_RUN in body.translate(_DIGITS):
            value = json.loads(body, parse_float=_exact, parse_int=_integer, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise BadReply("The upstream's reply isn't valid JSON.", detail=str(error)) from error
    if deeper_than(body, value, _MOST_DEPTH):
        raise BadReply(f"The upstream's reply has more than {_MOST_DEPTH} levels of arrays and objects.")
    return value


def _exact(text: str) -> float | str:
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else text


def _integer(text: str) -> int | str:
    return int(text) if len(text) < 19 or -(2**63) <= int(text) < 2**64 else text


def _refused(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def as_of(reply: HttpReply, now: datetime) -> datetime:
    """When the reply was true: now, less the `Age` (RFC 9111 section 5.1) that a cache on the way gave it."""
    age = reply.headers.get("age", "")
    return now - timedelta(seconds=int(age)) if age.isascii() and age.isdigit() and len(age) < 10 else now


def applied(reply: HttpReply) -> bool:
    """Whether the reply says that it is that of a dry run: `Preference-Applied` (RFC 7240 section 3)."""
    named = reply.headers.get("preference-applied", "").split(",")
    return "dry-run" in {each.partition(";")[0].partition("=")[0].strip().lower() for each in named}


def failure_of(reply: HttpReply, effect: Effect) -> AdapterError:
    """The error for a reply that isn't 2xx; the table in README.md."""
    status, detail = reply.status, f"HTTP {reply.status}"
    if reply.again and effect is Effect.IDEMPOTENT_WRITE and status in _DONE_BEFORE:
        # Sent twice: it may be gone, or moved on, because the first one did it.
        return UnknownOutcome("The connection broke, and the change may have been made before.", detail=detail)
    if status in (400, 422):
        return Invalid("The upstream refused the input.", detail=detail, errors=tuple(_field_errors(reply)))
    if status in _MEANINGS:
        kind, message = _MEANINGS[status]
        return kind(message, detail=detail)
    if status in (408, 425, 429):
        return Retry("The upstream asks to come back later.", detail=detail, retry_after=reply.retry_after())
    if status >= 500:
        return _server_failure(reply, effect, detail)
    if 300 <= status < 400:
        return DoNotRetry("The upstream answered a redirect, which is never followed.", detail=detail)
    return DoNotRetry("The upstream refused the request.", detail=detail)


_DONE_BEFORE = frozenset({404, 409, 410, 412})
_MEANINGS: Mapping[int, tuple[type[AdapterError], str]] = {
    401: (Refused, "The upstream refused the gateway's credentials."),
    403: (Refused, "The upstream refused the gateway's rights."),
    404: (NotFound, "There is no such thing at the upstream."),
    410: (NotFound, "That is gone from the upstream."),
    409: (Conflict, "The state at the upstream forbids the change."),
    412: (Moved, "The upstream's version has moved on."),
    501: (DoNotRetry, "The upstream can't do that."),
    505: (DoNotRetry, "The upstream can't do that."),
}


def _server_failure(reply: HttpReply, effect: Effect, detail: str) -> AdapterError:
    """A read changed nothing. Of a write only 503 with `Retry-After` says so; a 502 or 504 may come from a proxy
    whose server did it, a 500 from a program that failed half-way."""
    after = reply.retry_after()
    if effect is Effect.READ or (reply.status == 503 and after is not None):
        return Retry("The upstream failed; the same call may work later.", detail=detail, retry_after=after)
    return UnknownOutcome("The upstream failed while it made the change.", detail=detail)


def _field_errors(reply: HttpReply) -> Iterator[FieldError]:
    """The members at fault: RFC 9457's `errors: [{pointer, detail}]` or FastAPI's `detail: [{loc, msg}]`."""
    try:
        document = orjson.loads(reply.body)
    except ValueError:
        return
    if not isinstance(document, dict):
        return
    listed = document.get("errors") or document.get("detail")
    for entry in listed[:_MOST_ERRORS] if isinstance(listed, list) else ():
        if isinstance(entry, dict):
            message = entry.get("detail") or entry.get("msg") or entry.get("message")
            yield FieldError(_pointer(entry), _one_line(message) if isinstance(message, str) else "isn't valid")


def _pointer(entry: Mapping[str, Json]) -> str:
    given, location = entry.get("pointer"), entry.get("loc")
    if isinstance(given, str):
        text = given.removeprefix("#")
    elif isinstance(location, list):
        steps = location[1:] if location[:1] in (["body"], ["query"], ["path"], ["header"]) else location
        text = pointer(*map(str, steps))
    else:
        text = ""
    return _one_line(text) if text.startswith("/") else ""


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:_LONGEST_ERROR])
