"""Headers that people typed → names that fit a contract: lower case, ASCII, unique."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LONGEST = 60
"""Characters of a name, so that a number fits behind it."""

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_REST = re.compile(r"[^a-z0-9]+")
_SPELT = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "œ": "oe", "đ": "d"})


def json_name(header: str, otherwise: str) -> str:
    """`Unit Price (€)` → `unit_price`; `otherwise` where nothing of it can stand in a name."""
    plain = unicodedata.normalize("NFKD", header[:500].translate(_SPELT))
    letters = "".join(each for each in plain if not unicodedata.combining(each))
    name = _REST.sub("_", _WORDS.sub("_", letters).lower()).strip("_")[:LONGEST].rstrip("_")
    if not name:
        return otherwise
    return name if name[0].isalpha() else f"column_{name}"[:LONGEST]


def json_names(headers: Iterable[str], otherwise: str = "column") -> list[str]:
    """A name for each header, in order; one that is empty or comes again has its place, or a number, behind it."""
    found: list[str] = []
    taken: set[str] = set()
    for place, header in enumerate(headers, start=1):
        name = base = json_name(header, f"{otherwise}_{place}")
        number = 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        found.append(name)
    return found
