"""Rules compiled: those that still apply, each with its pattern taken apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from gateway.routing.parity_schema import At, Known, ParityModel, SameFault
from gateway.routing.report import place_of

ANY, ALL = "*", "**"


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule that applies. `name` is what differences that it explains are told to be explained by."""

    kind: str
    name: str
    segments: tuple[str, ...]
    said: At | Known | SameFault
    owner: str = ""


State: TypeAlias = tuple[Rule, int]
"""A rule, and how many of its segments lead to where one stands."""


def compile_rules(
    parity: ParityModel, today: date, owner: str = "", expires: date | None = None
) -> tuple[list[Rule], list[str]]:
    """The rules that apply today, and the names of those whose time is over. `owner` and `expires` are the group's."""
    applying, expired = [], []
    for kind, number, said in parity.rules():
        rule = Rule(kind, _name(kind, number, said), _segments(said), said, parity.said_of(said, owner)[0])
        last = parity.last_day(said, expires)
        if last is not None and last < today:
            expired.append(rule.name)
        else:
            applying.append(rule)
    return applying, expired


def _name(kind: str, number: int, said: At | Known | SameFault) -> str:
    if isinstance(said, Known):
        return f"known {said.ticket}"
    return f"{kind} {said.at}" if isinstance(said, At) else f"{kind} {number + 1}"


def _segments(said: At | Known | SameFault) -> tuple[str, ...]:
    return () if isinstance(said, SameFault) else segments(said.at)


def segments(pattern: str) -> tuple[str, ...]:
    """A pattern's segments, unescaped."""
    return place_of(pattern)


def begin(rules: Iterable[Rule]) -> tuple[State, ...]:
    """Where rules stand at the root of a value."""
    return tuple(_closed((rule, 0) for rule in rules))


def step(states: Iterable[State], segment: str | None) -> tuple[State, ...]:
    """Where they stand one member on; None is an item, whichever."""
    return tuple(_closed(_stepped(states, segment)))


def _stepped(states: Iterable[State], segment: str | None) -> Iterator[State]:
    for rule, at in states:
        if at == len(rule.segments):
            continue
        wanted = rule.segments[at]
        if wanted == ALL:
            yield rule, at
        elif wanted in (ANY, segment):
            yield rule, at + 1


def _closed(states: Iterable[State]) -> Iterator[State]:
    seen = set()
    for rule, start in states:
        at = start
        while (rule, at) not in seen:
            seen.add((rule, at))
            yield rule, at
            if at == len(rule.segments) or rule.segments[at] != ALL:
                break
            at += 1


def ended(states: Iterable[State]) -> list[Rule]:
    """The rules whose pattern ends here."""
    return [rule for rule, at in states if at == len(rule.segments)]


def names_items(states: Iterable[State]) -> bool:
    """Whether a rule goes on by an item's number, so that items aren't all alike."""
    return any(at < len(rule.segments) and rule.segments[at].isdecimal() for rule, at in states)
