"""Attached content on its way between JSON and a message's parts (W3C XOP 1.0 section 3; SOAP with Attachments).

In JSON content is base64 text, whether it stands in the message or beside it. Where a call takes `Blob`s, content of
more than so many bytes is one, and stays in its file.
"""

from __future__ import annotations

import binascii
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from lxml import etree

from adapters.blob import Blob, of_base64
from adapters.contract import Json
from adapters.soap.multipart import Part
from adapters.soap.values import BadValue

XOP = "http://www.w3.org/2004/08/xop/include"
INCLUDE = f"{{{XOP}}}Include"
ATTACHMENTS = "#attachments"
"""The property of an operation's input or result that holds what is attached beside the message's own content."""
SCHEMA: Mapping[str, Any] = {
    "type": "array",
    "maxItems": 100,
    "description": "What travels beside the message (SOAP with Attachments), in order.",
    "items": {
        "type": "object",
        "required": ["content"],
        "properties": {
            "id": {
                "type": "string",
                "pattern": "^[A-Za-z0-9._@-]{1,200}$",
                "description": "Its Content-ID; the message refers to it as cid:ID.",
            },
            "type": {"type": "string", "maxLength": 200, "description": "Its media type."},
            "content": {"type": "string", "contentEncoding": "base64"},
        },
        "additionalProperties": False,
    },
}
_SMALLEST = 1024
"""Bytes from which content goes beside the message; what is smaller costs less within it."""


class Outgoing(list[str]):
    """The text of a message that is being rendered, and what goes beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Part] = []

    def included(self, content: Json) -> str | None:
        """The xop:Include that stands for base64 `content`, which goes into a part; None: it is too small for one.
        Raises `BadValue`."""
        if not isinstance(content, Blob):
            if len(content) < _SMALLEST * 4 // 3:
                return None
            content = _blob(content)
        part = Part(f"{secrets.token_hex(12)}@figway", content)
        self.parts.append(part)
        return f'<xop:Include xmlns:xop="{XOP}" href="cid:{quote(part.id)}"/>'


def beside(items: Iterable[Mapping[str, Json]]) -> list[Part]:
    """The parts that the input's `#attachments` name; raises `BadValue`."""
    parts: list[Part] = []
    for index, item in enumerate(items):
        try:
            content = item["content"]
            blob = content if isinstance(content, Blob) else _blob(content)
        except BadValue as error:
            error.path[:0] = [ATTACHMENTS, index, "content"]
            raise
        kind = item.get("type", blob.media_type)
        parts.append(Part(item.get("id", f"{secrets.token_hex(12)}@figway"), blob.slice(0, blob.size, kind)))
    return parts


def _blob(text: str) -> Blob:
    try:
        return of_base64(text)
    except (ValueError, binascii.Error):
        raise BadValue("isn't base64") from None


@dataclass(slots=True)
class Incoming:
    """What came beside a reply. `inline`: content of more bytes is given as a `Blob`; None: always as text."""

    parts: Mapping[str, Part] = field(default_factory=dict)
    inline: int | None = None
    taken: set[str] = field(default_factory=set)

    def content(self, node: etree._Element) -> Json:
        """What the xop:Include in `node` stands for; raises `BadValue`."""
        include = node[0]
        if include.tag != INCLUDE or len(node) != 1:
            raise BadValue("holds elements where its WSDL says text")
        href = include.get("href", "")
        name = unquote(href.removeprefix("cid:"))
        part = self.parts.get(name) if href.startswith("cid:") else None
        if part is None:
            raise BadValue("refers to an attachment that didn't come with it")
        if name in self.taken:
            # Else a small message could name one large part a thousand times.
            raise BadValue("refers to an attachment that another value refers to")
        self.taken.add(name)
        return self.given(part.content)

    def given(self, blob: Blob) -> Json:
        """Content as the caller takes it."""
        return blob if self.inline is not None and blob.size > self.inline else blob.base64()

    def beside(self) -> list[dict[str, Json]]:
        """The parts that no value refers to, as `#attachments` shows them."""
        return [
            {"id": name, "type": part.content.media_type, "content": self.given(part.content)}
            for name, part in self.parts.items()
            if name not in self.taken
        ]


def incoming(parts: Iterable[Part], inline: int | None) -> Incoming:
    """What came, by Content-ID; parts without one are numbered."""
    named = {part.id or f"part-{number}": part for number, part in enumerate(parts, 1)}
    return Incoming(named, inline)


def text_of(value: Json) -> str:
    """Base64 text of content that goes into the message itself."""
    return value.base64() if isinstance(value, Blob) else value


def without_blobs(value: Json) -> Json:
    """`value` with an empty text in place of each `Blob`, as a schema judges it."""
    if isinstance(value, Blob):
        return ""
    if isinstance(value, dict):
        return {key: without_blobs(each) for key, each in value.items()}
    return [without_blobs(each) for each in value] if isinstance(value, list) else value
