"""Media types: how content of each is written, and which of them an operation answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from adapters.contract import JsonSchema

Kind = Literal["json", "form", "multipart", "text", "bytes"]
BYTES: Mapping[str, Any] = {"type": "string", "contentEncoding": "base64"}
"""The JSON Schema of bytes."""
_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_NONE: frozenset[str] = frozenset()


def kind_of(media: str) -> Kind:
    """How content of a media type is written."""
    if media == "application/json" or media.endswith("+json"):
        return "json"
    if media in (_FORM, _MULTIPART):
        return "form" if media == _FORM else "multipart"
    return "text" if media.startswith("text/") or media == "application/xml" or media.endswith("+xml") else "bytes"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`accept`: the header of the request; `texts` and `bytes`: the media types, or `type/*`, of replies that are no
    JSON, `json`: whether one may be; `schema`: the value's."""

    accept: str = "application/json, application/problem+json"
    json: bool = True
    texts: frozenset[str] = _NONE
    bytes: frozenset[str] = _NONE
    schema: JsonSchema = field(default_factory=dict)

    def is_text(self, media: str) -> bool:
        """Whether a reply of that media type is a text."""
        return _among(media, self.texts)

    def is_bytes(self, media: str) -> bool:
        """Whether a reply of that media type is bytes."""
        return _among(media, self.bytes)


JSON_ONLY = Outcome()
"""What is understood where nothing is described."""


def _among(media: str, known: frozenset[str]) -> bool:
    return bool(known) and bool({media, media.partition("/")[0] + "/*", "*/*"} & known)
