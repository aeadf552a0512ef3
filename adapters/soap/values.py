"""What the codecs of simple values share: their type, the error for a value that isn't of its type, and escaping."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from adapters.blob import Blob
from adapters.contract import Json

Decode: TypeAlias = Callable[[str], Json]
Encode: TypeAlias = Callable[[Json], str]


class BadValue(ValueError):
    """A value that isn't of its type. `message` completes "the value at `path` …"; the path grows on the way up."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path: list[str | int] = []


@dataclass(frozen=True, slots=True)
class Codec:
    """Both directions of one simple type; both raise `BadValue`."""

    decode: Decode
    encode: Encode


_NODE = 16
"""About what a scalar, or a member's tags, take in XML beside their text (bytes)."""


def heavier(value: Json, limit: int) -> bool:
    """Whether `value` takes more than about `limit` bytes in XML; looks no further than that."""
    left, waiting = limit, [value]
    while waiting and left >= 0:
        each = waiting.pop()
        left -= _NODE + (len(each) if isinstance(each, str) else each.size if isinstance(each, Blob) else 0)
        if isinstance(each, dict):
            left -= sum(map(len, each))
            waiting.extend(each.values())
        elif isinstance(each, list):
            if len(each) * _NODE > left:
                return True
            waiting.extend(each)
    return left < 0


_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile('[&<>\r\n\t"\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')


def escape(text: str) -> str:
    """`text` as character data; raises `BadValue` for characters that XML 1.0 can't hold (section 2.2)."""
    if _SPECIAL.search(text) is None:
        return text
    if _FORBIDDEN.search(text) is not None:
        raise BadValue("holds a character that XML can't")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def escape_attribute(text: str) -> str:
    """`text` as an attribute's value in double quotes; raises `BadValue`."""
    return escape(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
