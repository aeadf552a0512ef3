"""Findings are gathered, never raised one by one: a user learns everything that is wrong in one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from gateway.routing.model import Finding

Place: TypeAlias = tuple[str, ...]
"""Where a value is within a document: the keys and list positions that lead to it, all as text."""


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML or JSON file: its value, and the line (1-based) on which each of its values starts."""

    file: str
    data: Mapping[str, Any]
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """The line of `place`, or of the nearest thing around it that is there."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


class Report:
    """The findings so far."""

    def __init__(self) -> None:
        self._findings: dict[Finding, None] = {}

    def add(self, document: Document, place: Place, message: str, level: Literal["error", "warning"] = "error") -> None:
        """Notes a finding about a value of a document."""
        self.note(Finding(document.file, document.line(place), ".".join(place), message, level))

    def note(self, finding: Finding) -> None:
        """Notes a finding; the same one twice is one."""
        self._findings.setdefault(finding)

    def mentions(self, document: Document, place: Place) -> bool:
        """Whether anything was found at exactly that place."""
        return any(each.file == document.file and each.key == ".".join(place) for each in self._findings)

    def sorted(self) -> tuple[Finding, ...]:
        """All findings: errors, then warnings, each by file and line."""
        return tuple(sorted(self._findings, key=_rank))

    def errors(self) -> bool:
        """Whether anything found is an error."""
        return any(each.level == "error" for each in self._findings)


def _rank(finding: Finding) -> tuple[bool, str, int, str, str]:
    return finding.level == "warning", finding.file, finding.line, finding.key, finding.message


def place_of(pointer: str) -> Place:
    """A JSON Pointer (RFC 6901), with or without the leading `#`, as a place."""
    parts = pointer.removeprefix("#").split("/")[1:]
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def texts(location: Sequence[str | int]) -> Place:
    """A location of mixed keys and positions as a place."""
    return tuple(str(part) for part in location)
