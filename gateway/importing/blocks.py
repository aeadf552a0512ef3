"""A YAML file's text as members and items, found by indentation, so that one can be changed and the rest stays as
people wrote it.

Only block style is looked into. What is found is believed only where it names the same members, in the same order, as
the parsed value does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

_KEY = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#"'\[\]{},&*!|>%@`-][^#]*?|-[^\s][^#]*?)\s*:(?=\s|$)(.*)$"""
)
_NOTHING = re.compile(r"\s*(#.*)?$")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a mapping, or one item of a list: its lines are `[start, end)`, the comments above it included."""

    key: str
    lead: int
    """The first line of the comments above it; `start` where there are none."""
    start: int
    end: int
    rest: str
    """What stands behind the colon on the same line, without a comment."""


def members(lines: Sequence[str], start: int, end: int, indent: int, value: Mapping[str, Any]) -> list[Member] | None:
    """The members of the block mapping in those lines; None where its text isn't plain blocks of `value`."""
    found = list(_members(lines, start, end, indent))
    return found if [each.key for each in found] == list(value) else None


def _members(lines: Sequence[str], start: int, end: int, indent: int) -> Iterator[Member]:
    at = start
    lead = start
    while at < end:
        line = lines[at]
        if _NOTHING.match(line):
            at += 1
            continue
        said = _KEY.match(line[indent:]) if _indent(line) == indent else None
        if said is None:
            yield Member("\x00", lead, at, at + 1, "")  # no key: nothing will match it
            return
        last = _end(lines, at + 1, end, indent, dashes=True)
        yield Member(_key(said.group(1)), lead, at, last, _bare(said.group(2)))
        at = lead = last


def _end(lines: Sequence[str], at: int, end: int, indent: int, *, dashes: bool = False) -> int:
    """Behind the last line of a value; comments and blanks in front of what comes next belong to that. With `dashes`,
    items may stand as far left as their key."""
    last = at
    while at < end:
        line = lines[at]
        if _NOTHING.match(line):
            if line.strip() and _indent(line) > indent:
                last = at + 1
        elif _indent(line) > indent or (
            dashes and _indent(line) == indent and line[indent : indent + 2] in ("- ", "-", "-\n")
        ):
            last = at + 1
        else:
            break
        at += 1
    return last


def items(lines: Sequence[str], start: int, end: int, count: int) -> tuple[int, list[Member]] | None:
    """The indentation and the items of the block sequence in those lines; None where they aren't `count`."""
    first = next((line for line in lines[start:end] if not _NOTHING.match(line)), None)
    if first is None or not first.lstrip(" ").startswith("- "):
        return None
    indent, found, lead, at = _indent(first), list[Member](), start, start
    while at < end:
        line = lines[at]
        if _NOTHING.match(line):
            at += 1
            continue
        if _indent(line) != indent or not line[indent:].startswith("- "):
            return None
        last = _end(lines, at + 1, end, indent)
        found.append(Member("", lead, at, last, line[indent + 2 :].strip()))
        at = lead = last
    return (indent, found) if len(found) == count else None


def inner_indent(lines: Sequence[str], member: Member) -> int | None:
    """How far the block mapping below a member is indented; None where its value is no such mapping."""
    if member.rest:
        return None
    first = next((line for line in lines[member.start + 1 : member.end] if not _NOTHING.match(line)), None)
    if first is None or first.lstrip(" ").startswith("- ") or _indent(first) <= _indent(lines[member.start]):
        return None
    return _indent(first)


def is_nothing(line: str) -> bool:
    """Whether a line is blank or a comment alone."""
    return _NOTHING.match(line) is not None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _key(text: str) -> str:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.startswith('"'):
        try:
            return str(orjson.loads(text))
        except orjson.JSONDecodeError:
            return "\x00"
    return text


def _bare(text: str) -> str:
    text = text.strip()
    return "" if text.startswith("#") else text
