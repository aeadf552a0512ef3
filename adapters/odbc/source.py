"""A connection string, or the name of a data source: its attributes, and what is wrong with it before any connecting.

The grammar is that of ODBC's SQLDriverConnect: `KEY=value` parts between semicolons; a value that holds a special
character stands in braces, a closing brace in it doubled. What is said of a string never quotes it: it may be secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_ATTRIBUTE = re.compile(r"([^=;{}]+)=(\{(?:[^}]|\}\})*\}|[^;]*)")
# One part up to its semicolon; a braced value hides semicolons, an open brace takes all that follows.
_PART = re.compile(r"([^=;]*)(?:(=)\s*(\{(?:[^}]|\}\})*(?:\}|$))?([^;]*))?(;|$)", re.DOTALL)
_BRACED = re.compile(r"\{(?:[^}]|\}\})*\}", re.DOTALL)
_NAME = re.compile(r"[^][{}(),;?*=!@\\\x00-\x1f]{1,255}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SECRET = ("pwd", "password")


def attributes(dsn: str) -> dict[str, str]:
    """A connection string's attributes, names in lower case; a bare data source name is `DSN=name`."""
    return {key.strip().lower(): value.strip() for key, value in _ATTRIBUTE.findall(spelt_out(dsn))}


def spelt_out(dsn: str) -> str:
    """The connection string that a bare data source name stands for."""
    return dsn if "=" in dsn else f"DSN={dsn}"


def faults(dsn: str) -> Iterator[str]:
    """What is malformed, a sentence each."""
    if _CONTROL.search(dsn):
        yield "the connection string holds a line break or another control character: write it on one line"
    elif "=" in dsn:
        yield from _part_faults(dsn)
    elif not dsn.strip():
        yield "the connection string is empty: write Driver=…;Server=… or the name of a data source"
    elif not _NAME.fullmatch(dsn):
        yield "this is neither KEY=value parts nor the name of a data source: write Driver=…;Server=…"


def _part_faults(dsn: str) -> Iterator[str]:
    for number, (raw, equals, braced, rest, end) in enumerate(_PART.findall(dsn.strip()), start=1):
        key = raw.strip()
        if not (key or equals):
            if end:
                yield f"part {number} of the connection string is empty: take out one semicolon"
            continue
        if not equals or not _NAME.fullmatch(key):
            yield f"part {number} of the connection string is no KEY=value: a value with ; in it stands in {{braces}}"
            continue
        yield from _value_faults(key, braced, rest.strip())


def _value_faults(key: str, braced: str, rest: str) -> Iterator[str]:
    if braced and not _BRACED.fullmatch(braced):
        yield f"the brace that opens the value of {key}= isn't closed: end the value with }}"
    elif braced and rest:
        yield f"text follows the closing brace of {key}=: write ; behind it, and a brace within the value twice"
    elif not braced and ("{" in rest or "}" in rest) and key.lower() not in _SECRET:
        yield f"the value of {key}= holds a brace but doesn't stand in braces: write {key}={{value}}"
    elif key.lower() in ("driver", "dsn", "filedsn") and (braced or rest) in ("", "{}"):
        yield f"{key}= is empty: name one or take it out"
