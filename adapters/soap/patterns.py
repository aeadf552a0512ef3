"""XML Schema's regular expressions (part 2, appendix F) in the dialect of JSON Schema: anchored, escapes spelt out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import jsonschema_rs

# XML 1.0's name characters, as far as a class needs them; \i starts a name, \c is within one.
_NAME_START = "A-Z_a-z:\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u3001-\\uD7FF"
_NAME = _NAME_START + "0-9.\\u00B7\\u0300-\\u036F-"
_PIECE = re.compile(r"\\(?:p\{[^}]*\}|P\{[^}]*\}|.)|.", re.DOTALL)


# What the built-in names are made of (XML Schema part 2, sections 3.3.3 to 3.3.9).
NAMES: Mapping[str, tuple[str, ...]] = {
    "language": ("[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*",),
    "NMTOKEN": (r"\c+",),
    "Name": (r"\i\c*",),
    **dict.fromkeys(("NCName", "ID", "IDREF", "ENTITY"), (r"\i\c*", "[^:]*")),
}


def anchored(pattern: str) -> str:
    """`pattern` for the whole text: XML Schema's are, JSON Schema's aren't."""
    return f"^(?:{pattern})$"


@lru_cache(maxsize=1024)
def translated(alternatives: tuple[str, ...]) -> str | None:
    """One pattern that matches where any of `alternatives` does; None when there is no such spelling."""
    found = [_dialect(each) for each in alternatives]
    if any(each is None for each in found):
        return None
    pattern = anchored("|".join(f"(?:{each})" for each in found) if len(found) > 1 else str(found[0]))
    try:
        jsonschema_rs.validator_for({"pattern": pattern})
        re.compile(pattern)
    except (ValueError, re.error):
        return None
    return pattern


def _dialect(pattern: str) -> str | None:
    """`pattern` with ^ and $ as plain characters and \\i \\c spelt out; None for blocks, subtraction, \\I and \\C."""
    parts: list[str] = []
    within = False
    for piece in _PIECE.findall(pattern):
        if piece == "[" and within:
            return None
        if piece in "[]":
            within = piece == "["
        elif piece in ("^", "$") and not within:
            piece = "\\" + piece
        elif piece in ("\\i", "\\c"):
            names = _NAME_START if piece == "\\i" else _NAME
            piece = names if within else f"[{names}]"
        elif piece[:2] in ("\\I", "\\C", "\\p", "\\P"):
            return None
        parts.append(piece)
    return "".join(parts)
