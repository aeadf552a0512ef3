"""Subjects of NATS for events (https://docs.nats.io/nats-concepts/subjects): tokens between dots, none of them empty,
without spaces and wildcards."""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from adapters.contract import Json

_LONGEST = 1024
"""Bytes of a subject; a line of the protocol has at most 4096."""
_STRANGE = re.compile(rb"[^A-Za-z0-9_-]")
_EMPTY = "%"
"""The token of an empty text: no other text has it, as two digits follow each sign of ours."""


def subject_of(prefix: str, document: Mapping[str, Json]) -> str:
    """`PREFIX.UPSTREAM.CAPTURE` and the key's values as the subscriber sees them, each a token; without these where the
    event has no key, or a very long one. No two keys of one source have the same subject but such long ones."""
    source = str(document["source"]).removeprefix("/changes/").split("/", 1)
    beginning = ".".join((prefix, *map(token, source)))
    key = document.get("subject")
    values = orjson.loads(key) if isinstance(key, str) else []
    whole = ".".join((beginning, *map(token, values)))
    return whole if len(whole) <= _LONGEST else beginning


def token(value: Json) -> str:
    """A text as one token: whatever isn't a letter of ASCII, a digit, `_` or `-` is `%` and its bytes' two hexadecimal
    digits, as in URLs (RFC 3986 §2.1); what is no text is written as JSON first."""
    text = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else orjson.dumps(value)
    return _STRANGE.sub(lambda found: b"%%%02X" % found.group()[0], text).decode() or _EMPTY
