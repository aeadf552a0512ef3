"""A reply or a problem as HTTP says it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeAlias

import orjson

from adapters.blob import Blob
from gateway.call import Call, Reply
from gateway.errors import MEDIA_TYPE, Problem
from gateway.untrusted.plain import quoted

logger = logging.getLogger("figway")

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Respond: TypeAlias = Callable[[int, bytes, bytes], Awaitable[None] | None]

_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", MEDIA_TYPE)
# What a legacy system holds mustn't be taken for a page of ours.
_AS_SAID = (b"x-content-type-options", b"nosniff")
_WEAK = b"W/"
_QUOTING = frozenset((404, 409, 422))
_OF_CONTENT = (b"content-type", b"content-length")
# They have no content (RFC 9110 §15.3.5, §15.3.6): what was sent would be taken for the next response.
_EMPTY = frozenset((204, 205))
# What would end a header field, or mustn't stand in one (RFC 9110 §5.5).
_ONE_LINE = bytes(0x20 if byte < 0x20 or byte == 0x7F else byte for byte in range(256))


class Response:
    """The status, header fields and body that a call is answered with; `content` is a body that may be in a file, and
    `problem` the slug of a failure."""

    __slots__ = ("_head", "body", "content", "headers", "problem", "served_by", "status")

    def __init__(self, call: Call, reply: Reply | Problem) -> None:
        self._head = call.method == "HEAD"
        self.problem: str | None = None
        self.content: Blob | None = None
        self.served_by: str | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        if isinstance(reply, Problem):
            self._of_problem(call, reply)
        else:
            self._of_reply(reply)
        if self.status != 204:  # RFC 9110 §8.6
            self.headers.append((b"content-length", b"%d" % self.size))
        self.headers += [
            (b"figway-snapshot", b"%d" % call.snapshot),
            (b"figway-lineage", call.id.encode()),
            *call.reply_headers,
        ]
        if call.traceparent:
            self.headers.append((b"traceparent", call.traceparent.encode()))

    def _of_problem(self, call: Call, problem: Problem) -> None:
        self.status, self.problem = problem.status, problem.slug
        if problem.status in _QUOTING or problem.status >= 500:
            _check_quotes(problem)
        self.body = problem.encode(f"urn:figway:call:{call.id}")
        self.headers += [_PROBLEM, *problem.headers]
        if call.side:  # whose failure it is
            self.served_by = call.side
            self.headers.append((b"figway-served-by", call.side.encode()))
        if problem.retry_after is not None:
            self.headers.append((b"retry-after", b"%d" % max(1, round(problem.retry_after))))
        if problem.note:
            level = logging.WARNING if problem.status >= 500 else logging.INFO
            logger.log(level, "call %s of %s: %s: %s", call.id, call.operation, problem.slug, problem.note)

    def _of_reply(self, reply: Reply) -> None:
        self.status = reply.status
        self.body = orjson.dumps(reply.body) if reply.encoded is None else reply.encoded
        if reply.content is not None:
            self.body, self.content = b"", reply.content
            self.headers += [(b"content-type", reply.content.media_type.encode("ascii")), _AS_SAID]
        if self.status in _EMPTY:
            self.body = b""
        if self.body:
            self.headers.append((b"content-type", reply.media_type) if reply.media_type else _JSON)
        self.served_by = reply.served_by
        if reply.served_by is not None:
            self.headers.append((b"figway-served-by", reply.served_by.encode()))
        if reply.as_of is not None:
            self.headers += _age(reply.as_of)
        self.headers += reply.headers
        for warning in reply.warnings:
            self.headers.append((b"figway-warning", warning.encode("ascii", "replace").translate(_ONE_LINE)))

    @property
    def size(self) -> int:
        """Bytes of its body."""
        return len(self.body) if self.content is None else self.content.size

    @property
    def streams(self) -> bool:
        """Whether its body is sent piece by piece."""
        return self.content is not None and not self._head

    def tag(self, call: Call, version: bytes = b"") -> None:
        """Names the representation by an `ETag`, and answers 304 to who has it (RFC 9110 §13.1.2)."""
        tag = self.name(version)
        known = call.raw_headers.get(b"if-none-match")
        if known is not None and (known == b"*" or tag.removeprefix(_WEAK) in _opaque(known)):
            self.status, self.body = 304, b""
            self.headers = [field for field in self.headers if field[0] not in _OF_CONTENT]

    def name(self, version: bytes) -> bytes:
        """Adds the `ETag`. Without the entity's version it is weak: it says that a read would answer the same, and is
        no promise about a write (`If-Match`)."""
        digest = blake2b(self.body, digest_size=12).hexdigest().encode()
        tag = b'"%b.%b"' % (version, digest) if version else b'%b"%b"' % (_WEAK, digest)
        self.headers.append((b"etag", tag))
        return tag

    def send(self, respond: Respond | None, send: Send) -> Awaitable[None] | None:
        """Answers with it: at once through `respond`, where the server has that, else by ASGI's messages."""
        if respond is None:
            return self._send(send)
        fields = b"".join([b"%b: %b\r\n" % field for field in self.headers])
        if fields.count(b"\n") != len(self.headers) or fields.count(b"\r") != len(self.headers) or b"\0" in fields:
            raise ValueError("a header field of the response holds a control character")
        return respond(self.status, fields, b"" if self._head else self.body)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"" if self._head else self.body})


def _check_quotes(problem: Problem) -> None:
    """Leaves out of a problem what an upstream said, where that reads like instructions to a model."""
    problem.detail = quoted(problem.detail)
    problem.errors = tuple(
        {name: quoted(text) if name == "detail" and isinstance(text, str) else text for name, text in each.items()}
        for each in problem.errors
    )


def _opaque(known: bytes) -> set[bytes]:
    """The tags of an `If-None-Match`, compared weakly (RFC 9110 §8.8.3.2): ours hold no comma."""
    return {each.strip().removeprefix(_WEAK) for each in known.split(b",")}


def _age(as_of: datetime) -> list[tuple[bytes, bytes]]:
    """`Figway-As-Of` (RFC 3339, UTC, to the millisecond) and `Age` (seconds, RFC 9111 §5.1)."""
    second = math.floor(as_of.timestamp())
    age = max(int(time.time() - as_of.timestamp()), 0)
    return [
        (b"figway-as-of", b"%b.%03dZ" % (_spelt(second), as_of.microsecond // 1000)),
        (b"age", b"%d" % age),
    ]


@lru_cache(maxsize=256)
def _spelt(second: int) -> bytes:
    """A second of Unix time; replies of one moment share the work."""
    return datetime.fromtimestamp(second, UTC).isoformat()[:19].encode()
