"""YAML as people write it, from plain values: blocks, one line for what is short, quotes where they are needed.

PyYAML's own writer takes a minute for what 3,000 operations need; this takes a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

WIDTH = 118
_PLAIN = re.compile(r"[A-Za-z_/$][A-Za-z0-9_/$.+-]*(?: [A-Za-z0-9_/$.+()';-]+)*\.?")
"""Texts that need no quotes: no colons, hashes, flow's brackets, nor blanks at an end."""
_WORDS = frozenset("null true false yes no on off y n ~".split())  # noqa: SIM905 - read more easily than a list
_STRANGE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ufeff\\ufffe\\uffff\\ud800-\\udfff]")


def emit(value: Mapping[str, Any]) -> str:
    """A mapping as a YAML document."""
    return "".join(f"{line}\n" for line in lines(value, 0))


def lines(value: Mapping[str, Any], indent: int) -> Iterator[str]:
    """The lines of a mapping, indented by so many blanks."""
    for key, inner in value.items():
        yield from entry(key, inner, indent)


def entry(key: str, value: Any, indent: int) -> Iterator[str]:
    """The lines of one member."""
    start = f"{' ' * indent}{scalar(key)}:"
    if isinstance(value, Mapping) and value:
        short = flow(value, WIDTH - len(start) - 1) if indent else None
        if short is not None and not _always_block(value):
            yield f"{start} {short}"
            return
        yield start
        yield from lines(value, indent + 2)
    elif isinstance(value, (list, tuple)) and value:
        short = flow(value, WIDTH - len(start) - 1)
        if short is not None and not any(isinstance(each, Mapping) for each in value):
            yield f"{start} {short}"
            return
        yield start
        for each in value:
            yield from item(each, indent + 2)
    else:
        yield f"{start} {scalar(value)}"


def item(value: Any, indent: int) -> Iterator[str]:
    """The lines of one item of a list."""
    start = " " * indent + "- "
    short = flow(value, WIDTH - len(start))
    if short is not None:
        yield start + short
    elif isinstance(value, Mapping):
        first, *rest = lines(value, indent + 2)
        yield start + first.lstrip(" ")
        yield from rest
    elif isinstance(value, (list, tuple)):
        inner = [line for each in value for line in item(each, indent + 2)]
        yield start + inner[0].lstrip(" ")
        yield from inner[1:]
    else:
        yield start + scalar(value)


def flow(value: Any, most: int) -> str | None:
    """A value on one line of at most so many characters; None where it is longer."""
    if isinstance(value, Mapping):
        parts, size = [], 0
        for key, inner in value.items():
            made = flow(inner, most - size)
            if made is None:
                return None
            parts.append(f"{scalar(key)}: {made}")
            size += len(parts[-1]) + 2
            if size > most:
                return None
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, (list, tuple)):
        parts, size = [], 0
        for inner in value:
            made = flow(inner, most - size)
            if made is None:
                return None
            parts.append(made)
            size += len(made) + 2
            if size > most:
                return None
        return "[" + ", ".join(parts) + "]"
    made = scalar(value)
    return made if len(made) <= most else None


def scalar(value: Any) -> str:
    """A single value, or an empty list or mapping."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    if isinstance(value, float):
        # YAML 1.1 readers take `1e5` for a text.
        made = repr(value)
        return made if "e" not in made or "." in made else made.replace("e", ".0e")
    return str(orjson.dumps(value).decode()) if not isinstance(value, int) or isinstance(value, bool) else str(value)


def _text(value: str) -> str:
    if len(value) < 200 and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # A JSON text is a YAML text; what a reader of YAML might refuse or fold is escaped.
    escaped = value.encode("utf-8", "replace").decode()
    made = '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _STRANGE.sub(lambda found: f"\\u{ord(found.group()):04x}", made)


def _always_block(value: Mapping[str, Any]) -> bool:
    """Mappings of schemas and operations stand on lines of their own, so that a change of one shows as one."""
    return any(isinstance(inner, Mapping) and len(inner) > 1 for inner in value.values()) and len(value) > 1
