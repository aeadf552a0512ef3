"""What a call becomes once its input is judged: a job for a connection's thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from adapters.contract import Effect, Json, Rows
from adapters.odbc.session import Session

Job: TypeAlias = Callable[[Session], Json]


@dataclass(frozen=True, slots=True)
class Plan:
    """One call, judged and ready."""

    job: Job
    object: str
    key: str | None = None
    peek: Job | None = None
    """Of a write of one row: that row as it is, held until the transaction ends, or None."""
    one: bool = False
    """It is a write of one row, whose answer is that row."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A list of any length, for one reader. `start` runs on the connection's thread once, and then `fetch` for `count`
    items, or all that are left where these are fewer; `most`: how many items, at most."""

    start: Callable[[Session], None]
    fetch: Callable[[Session, int], list[Json]]
    batch: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Action:
    """An operation as one dialect runs it."""

    effect: Effect
    plan: Callable[[Mapping[str, Json], Rows | None], Plan]
    """From the input, and the rows that a write may touch, to a plan."""
    stream: Callable[[Mapping[str, Json]], Stream] | None = None
    """Of a list."""
