"""How the members of a group are decoded one after the other: quickly, or minding what is shorter than its layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from adapters.contract import Json
from adapters.files.copybook.layout import Node, Occurs
from adapters.files.copybook.numbers import Decode
from adapters.files.undecodable import Undecodable


@dataclass(slots=True)
class Progress:
    """What decoding one record must remember: counts met so far, bytes that shorter tables saved, which segment it is,
    and how many of its values are null because they couldn't be decoded."""

    counts: dict[int, Json] = field(default_factory=dict)
    saved: int = 0
    segment: str = ""
    wrong: int = 0


Into: TypeAlias = Callable[[bytes, int, Progress, dict[str, Json]], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One member of a group: `decode` makes the value called `name`, or `into` puts several (name None)."""

    name: str | None
    offset: int
    size: int
    partial: bool
    """A record may end inside it: texts and what consists of members."""
    decode: Any


def count_of(node: Node, occurs: Occurs, env: Progress, mapping: dict[str, int] | None, *, strict: bool) -> int:
    """How often a table occurs; raises `Undecodable`, or where not strict says the most."""
    count = env.counts.get(occurs.depends_on or 0)
    if mapping is not None:
        count = mapping.get(str(count).strip())
    if not isinstance(count, int) or not occurs.low <= count <= occurs.high:
        if not strict:
            return occurs.high
        raise Undecodable(f"{node.cobol} occurs {occurs.low} to {occurs.high} times, but its count is {count}")
    return count


def or_null(decode: Decode, size: int, partial: bool) -> Decode:
    """The value, or null where there is none."""

    def lenient(data: bytes, at: int, env: Progress) -> Json:
        if at + size > len(data) and (not partial or at >= len(data)):
            return None
        try:
            return decode(data, at, env)
        except Undecodable:
            env.wrong += 1
            return None

    return lenient


def quickly(steps: list[Step]) -> Into:
    """Every member stands at its own place and the record is whole."""
    plan = [(step.name, step.offset, step.decode) for step in steps]

    def into(data: bytes, at: int, env: Progress, out: dict[str, Json]) -> None:
        for name, offset, decode in plan:
            if name is None:
                decode(data, at + offset, env, out)
            else:
                out[name] = decode(data, at + offset, env)

    return into


def leniently(steps: list[Step]) -> Into:
    """Members move up by what tables before them saved; those behind the record's end are null."""
    plan = [(step.name, step.offset, step.decode) for step in steps]

    def into(data: bytes, at: int, env: Progress, out: dict[str, Json]) -> None:
        before = env.saved
        for name, offset, decode in plan:
            start = at + offset - (env.saved - before)
            if name is None:
                decode(data, start, env, out)
            else:
                out[name] = decode(data, start, env)

    return into


def carefully(steps: list[Step]) -> Into:
    """Members move up by what tables before them saved; a record that ended has no further members."""

    def into(data: bytes, at: int, env: Progress, out: dict[str, Json]) -> None:
        before = env.saved
        for step in steps:
            start = at + step.offset - (env.saved - before)
            if start >= len(data):
                continue
            if not step.partial and start + step.size > len(data):
                raise Undecodable(f"the record ends inside {step.name}")
            if step.name is None:
                step.decode(data, start, env, out)
            else:
                out[step.name] = step.decode(data, start, env)

    return into
