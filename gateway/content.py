"""What an operation answered as the bytes of a reply: content from a file as it is, content in base64 undone."""

from __future__ import annotations

import asyncio

from adapters.blob import IN_MEMORY, Blob, of_base64
from adapters.contract import Json
from gateway.call import Call
from gateway.errors import BadUpstreamReply, Forbidden, NotFound

INLINE = 64 * 1024
"""Content of more bytes than this stays in the file that it came in, where its adapter knows how."""


def check_whole(call: Call) -> None:
    """Raises `Forbidden` where the caller may see a part only: nobody can tell which bytes that is."""
    if call.grant is not None and (call.grant.narrows or call.grant.redacts):
        raise Forbidden("You may see a part of this only, and content can't be shown in part.")


async def content_of(value: Json) -> Blob:
    """The bytes that `value` is or says; raises `NotFound` where it is null or absent, `BadUpstreamReply` where it says
    none."""
    if isinstance(value, Blob):
        return value
    if value is None:
        raise NotFound("There is no content.")
    try:
        if not isinstance(value, str):
            raise ValueError("not a text")
        return await asyncio.to_thread(of_base64, value) if len(value) > IN_MEMORY else of_base64(value)
    except ValueError as error:
        raise BadUpstreamReply("The answer holds no content where the route has it.", note=str(error)) from error
