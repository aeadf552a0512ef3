"""Where a writer's records go: what every kind of store for them does, and the values that go through it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol


class AuditError(Exception):
    """The audit can't be written or read; the message is one sentence for an operator."""


class WriterLost(AuditError):
    """Another process carries the sink's writer on: from now on the sink is another writer's."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What one commit wrote: `count` records from number `first` on, each ended by a line feed, in `body`.

    `number` counts from 1, records from 0; `time` is in microseconds since the epoch; `hash` covers all of it and the
    hash of the segment before (`chain.link`).
    """

    number: int
    first: int
    count: int
    time: int
    body: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a writer's chain: how many segments and records there are or were, and the last segment's hash."""

    segment: int
    size: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A signed note about a writer's first `size` records, the last of them in `segment`: a checkpoint, or the
    certificate of a pruning. `frontier` is the tree's perfect subtrees, the largest first, 32 bytes each."""

    size: int
    segment: int
    time: int
    frontier: bytes
    note: bytes


class Source(Protocol):
    """One writer's records, to be read. Everything may raise `AuditError`."""

    @property
    def writer(self) -> str:
        """16 hexadecimal digits, unlike any other writer's."""
        ...

    @property
    def name(self) -> str:
        """What a person calls it, such as its file's name."""
        ...

    def segments(self, behind: int = 0) -> Iterator[Segment]:
        """The segments behind number `behind`, in order."""
        ...

    def checkpoints(self) -> Iterator[Mark]:
        """The checkpoints, by size."""
        ...

    def prunings(self) -> Iterator[Mark]:
        """The certificates of what was pruned, by size."""
        ...

    def close(self) -> None: ...


class Sink(Source, Protocol):
    """One writer's records, to be added to. One process at a time has it; all is called on one thread at a time."""

    def append(self, segment: Segment) -> None:
        """Adds a segment, which is on the disk when this returns; raises `AuditError`, and then nothing is added."""
        ...

    def add_checkpoint(self, mark: Mark) -> None:
        """Adds a checkpoint durably, in place of one of the same size."""
        ...

    def prune(self, mark: Mark) -> None:
        """In one transaction: deletes the segments up to the certificate's and the checkpoints of smaller trees, and
        keeps the certificate in place of the one before, which it covers."""
        ...

    def beside(self) -> Mapping[str, int]:
        """The other writers of the same place, and the size of each one's newest checkpoint."""
        ...

    def idle(self) -> Iterator[Sink]:
        """The other writers of the same place that no process has, one after the other, each to be used until the
        next is asked for; nothing, where another process looks after them."""
        ...
