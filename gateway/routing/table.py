"""The route table: a request's path leads to its route in one walk over the segments, whatever their number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

Entry = TypeVar("Entry")

# RFC 3986 §3.3: what a segment may hold besides percent-encoded bytes. Anything else has two readings.
_SEGMENT = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,;=:@]*(?:%[0-9A-Fa-f]{2}[A-Za-z0-9\-._~!$&'()*+,;=:@]*)*")
_DOTS = (b".", b"..")
# What a path that needs no second look is made of; nothing in it is encoded.
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/"
_TEMPLATE = re.compile(r"\{([^{}]+)\}")


class AmbiguousPath(ValueError):
    """A path that two readers could take for two different things."""


@dataclass(slots=True)
class _Node(Generic[Entry]):
    fixed: dict[bytes, _Node[Entry]] = field(default_factory=dict)
    parameter: _Node[Entry] | None = None
    methods: dict[str, tuple[Entry, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(slots=True)
class Match(Generic[Entry]):
    """A path that some route has: its methods, each with its entry and its parameters' names, and their values."""

    methods: dict[str, tuple[Entry, tuple[str, ...]]]
    values: list[str]

    def allowed(self) -> str:
        """The `Allow` header's value (RFC 9110 §10.2.1)."""
        names = {*self.methods, "OPTIONS"} | ({"HEAD"} if "GET" in self.methods else set())
        return ", ".join(sorted(names))


class Table(Generic[Entry]):
    """Paths to entries. A fixed segment wins over a parameter; a parameter fills exactly one segment."""

    def __init__(self) -> None:
        self._root: _Node[Entry] = _Node()

    def add(self, method: str, template: str, entry: Entry) -> None:
        """Adds `entry` under `method` and a template such as `/customers/{customer_id}`."""
        node, names = self._root, []
        for segment in template.split("/")[1:]:
            name = _TEMPLATE.fullmatch(segment)
            if name:
                names.append(name[1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.fixed.setdefault(segment.encode(), _Node())
        node.methods[method] = (entry, tuple(names))

    def match(self, path: bytes) -> Match[Entry] | None:
        """The match for a raw (still percent-encoded) path, or None; raises `AmbiguousPath`."""
        segments = path.split(b"/")[1:]
        if b"/." in path or path.translate(None, _PLAIN):
            segments = [_decoded(segment) for segment in segments]
        node = self._root
        values: list[bytes] = []
        for segment in segments:
            following = node.fixed.get(segment)
            if following is None:
                following = node.parameter
                if following is None or not segment:
                    break
                values.append(segment)
            node = following
        else:
            return self._found(node, values) if node.methods else self._found_otherwise(segments)
        return self._found_otherwise(segments)

    def _found_otherwise(self, segments: list[bytes]) -> Match[Entry] | None:
        """A dead end behind a fixed segment may have a way around it, through a parameter."""
        values: list[bytes] = []
        node = _walk(self._root, segments, 0, values)
        return None if node is None else self._found(node, values)

    @staticmethod
    def _found(node: _Node[Entry], values: list[bytes]) -> Match[Entry]:
        try:
            return Match(node.methods, [value.decode() for value in values])
        except UnicodeDecodeError as error:
            raise AmbiguousPath("the path isn't UTF-8") from error

    def __iter__(self) -> Iterator[Entry]:
        pending = [self._root]
        while pending:
            node = pending.pop()
            yield from (entry for entry, _ in node.methods.values())
            pending.extend(node.fixed.values())
            if node.parameter is not None:
                pending.append(node.parameter)


def _decoded(segment: bytes) -> bytes:
    if _SEGMENT.fullmatch(segment) is None:
        raise AmbiguousPath("the path holds a character that must be percent-encoded")
    if b"%" in segment:
        segment = unquote_to_bytes(segment)
        if any(byte < 0x20 or byte == 0x7F for byte in segment):
            raise AmbiguousPath("the path holds a control character")
    if segment in _DOTS:
        raise AmbiguousPath("the path holds a dot segment")
    return segment


def _walk(node: _Node[Entry], segments: list[bytes], at: int, values: list[bytes]) -> _Node[Entry] | None:
    if at == len(segments):
        return node if node.methods else None
    fixed = node.fixed.get(segments[at])
    if fixed is not None:
        found = _walk(fixed, segments, at + 1, values)
        if found is not None:
            return found
    if node.parameter is None or not segments[at]:
        return None
    values.append(segments[at])
    found = _walk(node.parameter, segments, at + 1, values)
    if found is None:
        values.pop()
    return found
