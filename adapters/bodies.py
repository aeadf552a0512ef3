"""Bodies of HTTP messages on their way: read within a bound, decompressed within the same bound, spooled, streamed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence

import aiohttp

from adapters.blob import Blob, Spool
from adapters.errors import BadReply

_INLINE_INFLATE = 64 * 1024
AT_ONCE = 256 * 1024
"""Bytes that are written at once, to a connection or a file."""

Pieces = Sequence[bytes | Blob]
"""A body in pieces, sent one behind another."""


def length(pieces: Pieces) -> int:
    """Bytes of all of them."""
    return sum(len(each) if isinstance(each, bytes) else each.size for each in pieces)


async def streamed(pieces: Pieces) -> AsyncIterator[bytes]:
    """The bytes of a body in pieces; what is in a file is read on a thread, a chunk at a time."""
    for piece in pieces:
        if isinstance(piece, bytes):
            for at in range(0, len(piece), AT_ONCE):
                yield piece[at : at + AT_ONCE]
            continue
        chunks = piece.chunks()
        while chunk := await asyncio.to_thread(next, chunks, b""):
            yield chunk


async def whole(response: aiohttp.ClientResponse, bound: int) -> bytes:
    """The body as it came over the wire; more than the bound closes the connection."""
    if (response.content_length or 0) > bound and response.method != "HEAD":
        response.close()
        raise too_big(bound)
    content = response.content
    body = await content.readany()
    if content.at_eof() and len(body) <= bound:
        return body
    parts, size = [body], len(body)
    while size <= bound and not content.at_eof():
        part = await content.readany()
        parts.append(part)
        size += len(part)
    if size > bound:
        response.close()
        raise too_big(bound)
    return b"".join(parts)


async def spooled(response: aiohttp.ClientResponse, encoding: str, bound: int, media_type: str) -> Blob:
    """The body, decompressed, never much of it in memory; more than the bound closes the connection."""
    sink = _Sink(encoding, bound, media_type)
    try:
        if (response.content_length or 0) > bound:
            raise too_big(bound)
        while not response.content.at_eof():
            parts, size = [], 0
            while size < AT_ONCE and not response.content.at_eof():
                parts.append(await response.content.readany())
                size += len(parts[-1])
            await asyncio.to_thread(sink.write, b"".join(parts))
        return await asyncio.to_thread(sink.blob)
    except BaseException:
        response.close()
        raise


class _Sink:
    """A spool with a bound, behind a decompressor where one is needed."""

    def __init__(self, encoding: str, bound: int, media_type: str) -> None:
        self._bound, self._media_type, self._encoding = bound, media_type, encoding
        self._spool = Spool()
        self._inflater: zlib._Decompress | None = None

    def write(self, data: bytes) -> None:
        if self._encoding in ("", "identity"):
            self._keep(data)
            return
        if self._inflater is None:
            if not data:
                return
            self._inflater = inflater(data, self._encoding)
        try:
            while data and not self._inflater.eof:
                self._keep(self._inflater.decompress(data, AT_ONCE))
                data = self._inflater.unconsumed_tail
        except zlib.error as error:
            raise BadReply("The upstream's reply can't be decompressed.", detail=str(error)) from error
        if data or self._inflater.unused_data:
            raise _torn()

    def _keep(self, data: bytes) -> None:
        if self._spool.size + len(data) > self._bound:
            raise too_big(self._bound)
        self._spool.write(data)

    def blob(self) -> Blob:
        if self._inflater is not None:
            try:
                while tail := self._inflater.decompress(self._inflater.unconsumed_tail, AT_ONCE):
                    self._keep(tail)
            except zlib.error as error:
                raise BadReply("The upstream's reply can't be decompressed.", detail=str(error)) from error
            if not self._inflater.eof or self._inflater.unused_data:
                raise _torn()
        return self._spool.blob(self._media_type)


def inflater(start: bytes, encoding: str) -> zlib._Decompress:
    """The decompressor of a body that begins with `start`, at least two bytes; raises `BadReply`."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise BadReply("The upstream's reply has a content encoding that wasn't asked for.", detail=encoding)
    # RFC 9110 section 8.4.1.2: "deflate" is zlib's format; some servers send the bare stream instead.
    bare = encoding == "deflate" and (start[0] & 0x0F != 8 or int.from_bytes(start[:2], "big") % 31 != 0)
    return zlib.decompressobj(-15 if bare else 47)


async def inflated(raw: bytes, encoding: str, bound: int) -> bytes:
    """`raw` decompressed, never holding more than `bound` bytes; what is large goes to a thread."""
    stream = inflater(raw, encoding)
    try:
        head = stream.decompress(raw, min(_INLINE_INFLATE, bound + 1))
        rest = b""
        if not stream.eof and len(head) <= bound:
            rest = await asyncio.to_thread(stream.decompress, stream.unconsumed_tail, bound + 1 - len(head))
    except zlib.error as error:
        raise BadReply("The upstream's reply can't be decompressed.", detail=str(error)) from error
    if len(head) + len(rest) > bound:
        raise too_big(bound)
    if not stream.eof or stream.unused_data:
        raise _torn()
    return head + rest


def too_big(bound: int) -> BadReply:
    """The error of a body over its bound."""
    return BadReply(f"The upstream's reply is larger than {bound} bytes.")


def _torn() -> BadReply:
    return BadReply("The upstream's compressed reply isn't one whole stream.")
