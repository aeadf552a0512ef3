"""Where the audit's records are put and read: a folder of SQLite files, or a PostgreSQL database for a fleet.

A `Sink` is one writer's own; the log's thread writes to it. An `Archive` is what all writers wrote; whoever reads or
verifies does so through it, while they write. Both block, and raise `AuditError`. The README says what stands in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Segment(NamedTuple):
    """What one commit wrote. `first` is the number of its first record, `time` in microseconds since the epoch."""

    number: int
    first: int
    count: int
    time: int
    body: bytes
    hash: bytes


class Checkpoint(NamedTuple):
    """A signed note about the first `size` records, the last of them in `segment`; of a pruning, its certificate."""

    size: int
    segment: int
    time: int
    frontier: bytes
    note: bytes


class Sink(Protocol):
    """One writer's records, open for adding, while no other process has it."""

    @property
    def writer(self) -> str: ...

    @property
    def last(self) -> Segment | None:
        """The segment written last, with an empty body; None: there is none yet."""
        ...

    def add(self, segment: Segment) -> None:
        """Adds a segment behind the last one; durable when it returns. When it raises, nothing was added."""
        ...

    def add_checkpoint(self, checkpoint: Checkpoint) -> None: ...

    def prune(self, certificate: Checkpoint) -> None:
        """Deletes the segments up to `certificate.segment`, and the checkpoints up to its size but the one that it
        stands on, and keeps the certificate instead, at once."""
        ...

    def close(self) -> None:
        """Lets another process have it."""
        ...


class Archive(Protocol):
    """What all writers wrote. Safe to call from several threads."""

    def writers(self) -> list[str]: ...

    def segments(self, writer: str, after: int = 0) -> Iterator[Segment]:
        """A writer's segments in order, those whose number is over `after`."""
        ...

    def piece(self, writer: str, segment: int, start: int, size: int) -> bytes | None:
        """Some bytes of a segment's body; None: it isn't there, or no longer."""
        ...

    def checkpoints(self, writer: str) -> Iterator[Checkpoint]:
        """A writer's checkpoints, the smallest first."""
        ...

    def prunings(self, writer: str) -> Iterator[Checkpoint]:
        """A writer's pruning certificates, the smallest first."""
        ...
