"""Checkpoints and certificates of pruning: their texts, and who signs them as a writer's records grow."""

from __future__ import annotations

import binascii
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gateway.audit import chain
from gateway.audit.note import BadNote, Signer
from gateway.audit.sink import AuditError, Head, Mark, Sink
from gateway.audit.tree import Frontier

_MOST_PRUNED = 100_000
_NUMBER = "0|[1-9][0-9]{0,18}"
_TEXT = re.compile(
    rf"figway-audit/(?P<writer>[0-9a-f]{{16}})(?P<pruned>/pruned)?\n(?P<size>{_NUMBER})\n(?P<root>[A-Za-z0-9+/]{{43}}=)\n"
    rf"segment (?P<segment>{_NUMBER}) (?P<hash>[0-9a-f]{{64}})\ntime (?P<time>{_NUMBER})\n"
    rf"(?P<beside>(?:beside [0-9a-f]{{16}} (?:{_NUMBER})\n)*)(?:frontier (?P<frontier>[A-Za-z0-9+/]*=*)\n)?"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signed note says about a writer's first `size` records."""

    writer: str
    size: int
    root: bytes
    segment: int
    hash: bytes
    time: int
    beside: Mapping[str, int] = field(default_factory=dict)
    frontier: bytes | None = None
    """Of the certificate of a pruning only."""

    def text(self) -> str:
        """The note's text."""
        lines = [
            f"figway-audit/{self.writer}" + ("" if self.frontier is None else "/pruned"),
            str(self.size),
            b64encode(self.root).decode(),
            f"segment {self.segment} {self.hash.hex()}",
            f"time {self.time}",
            *(f"beside {writer} {size}" for writer, size in sorted(self.beside.items())),
        ]
        if self.frontier is not None:
            lines.append(f"frontier {b64encode(self.frontier).decode()}")
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str) -> Claim:
        """What the text of a note claims; raises `BadNote` when it isn't one of ours."""
        match = _TEXT.fullmatch(text)
        if match is None or (match["pruned"] is None) != (match["frontier"] is None):
            raise BadNote("isn't a checkpoint of the audit")
        beside = dict(line.split(" ")[1:] for line in match["beside"].splitlines())
        try:
            frontier = None if match["frontier"] is None else b64decode(match["frontier"], validate=True)
        except binascii.Error as error:
            raise BadNote("isn't a checkpoint of the audit") from error
        return cls(
            match["writer"],
            int(match["size"]),
            b64decode(match["root"]),
            int(match["segment"]),
            bytes.fromhex(match["hash"]),
            int(match["time"]),
            {writer: int(size) for writer, size in beside.items()},
            frontier,
        )


class Checkpointer:
    """Keeps the tree over a sink's records, and signs it. For one thread."""

    def __init__(self, sink: Sink, signer: Callable[[], Signer]) -> None:
        """Takes the tree up where the newest checkpoint left it; raises `AuditError`."""
        self._sink, self._signer = sink, signer
        self._signed = -1
        newest = None
        for mark in sink.prunings():
            newest = mark
        for mark in sink.checkpoints():
            newest, self._signed = mark, mark.size
        self._tree, self.head = (Frontier(), chain.start(sink.writer)) if newest is None else _taken_up(sink, newest)
        for segment in sink.segments(self.head.segment):
            self._tree.add(segment.body[:-1].split(b"\n"))
            self.head = chain.behind(segment)

    @property
    def pending(self) -> int:
        """How many records no checkpoint covers yet; a writer's first checkpoint covers none."""
        return self.head.size - self._signed

    def add(self, head: Head, lines: Iterable[bytes]) -> None:
        """Notes that `lines` were appended, and the chain ends at `head` now."""
        self._tree.add(lines)
        self.head = head

    def sign(self) -> Mark | None:
        """Signs and keeps a checkpoint of all records so far; None: the newest one covers them. Raises `AuditError`."""
        if self._signed == self.head.size:
            return None
        at, now = self.head, time.time_ns() // 1000
        claim = Claim(self._sink.writer, at.size, self._tree.root(), at.segment, at.hash, now, self._sink.beside())
        mark = Mark(at.size, at.segment, now, self._tree.bytes(), self._signer().sign(claim.text()))
        self._sink.add_checkpoint(mark)
        self._signed = at.size
        return mark

    def prune(self, before: int) -> Mark | None:
        """Prunes what checkpoints older than `before` (µs) cover, 100,000 records at a time; returns the certificate,
        None: there was nothing to prune. Raises `AuditError`."""
        pruned = max((mark.size for mark in self._sink.prunings()), default=0)
        old = [mark for mark in self._sink.checkpoints() if mark.time < before and mark.size > pruned]
        # Not all at once: who writes waits meanwhile.
        old = old[:1] + [mark for mark in old[1:] if mark.size <= pruned + _MOST_PRUNED]
        if not old:
            return None
        mark, now = old[-1], time.time_ns() // 1000
        covered = _claimed(mark)
        claim = Claim(covered.writer, mark.size, covered.root, mark.segment, covered.hash, now, frontier=mark.frontier)
        certificate = Mark(mark.size, mark.segment, now, mark.frontier, self._signer().sign(claim.text()))
        self._sink.prune(certificate)
        return certificate


def _taken_up(sink: Sink, mark: Mark) -> tuple[Frontier, Head]:
    try:
        claim, tree = _claimed(mark), Frontier(mark.size, mark.frontier)
    except (BadNote, ValueError) as error:
        raise AuditError(f"the audit {sink.name} can't be carried on: its newest checkpoint is damaged") from error
    if tree.root() != claim.root or mark.size != claim.size:
        raise AuditError(f"the audit {sink.name} can't be carried on: its newest checkpoint was changed")
    return tree, Head(mark.segment, mark.size, claim.hash)


def _claimed(mark: Mark) -> Claim:
    return Claim.parse((mark.note.partition(b"\n\n")[0] + b"\n").decode("utf-8", "replace"))
