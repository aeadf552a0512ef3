"""What a call becomes once its input is judged: a job for a connection's thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from adapters.contract import Effect, Json, Rows
from adapters.odbc.session import Session

Job: TypeAlias = Callable[[Session], Json]


@dataclass(frozen=True, slots=True)
class Plan:
    """One call, judged and ready. `before` reads the row that a write is about, for a dry run."""

    job: Job
    object: str
    key: str | None = None
    before: Job | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A list of any length: the statement, and what makes items of its rows. `most`: how many rows, at most."""

    sql: str
    parameters: tuple[Any, ...]
    items: Callable[[Sequence[Sequence[Any]]], list[Json]]
    object: str
    most: int | None


@dataclass(frozen=True, slots=True)
class Action:
    """An operation as one dialect runs it."""

    effect: Effect
    plan: Callable[[Mapping[str, Json], Rows | None], Plan]
    """From the input, and the rows that a write may touch, to a plan."""
    stream: Callable[[Mapping[str, Json]], Stream] | None = None
    """Of a list."""
