"""A walk along one writer's records, from where they begin to their end: chain, tree, checkpoints."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence

from gateway.audit import chain
from gateway.audit.checkpoint import Claim
from gateway.audit.note import BadNote, PublicKey, opened
from gateway.audit.sink import Head, Mark, Segment, Source
from gateway.audit.tree import Frontier


class Broken(Exception):
    """The first thing that doesn't hold; the message is a sentence."""


class Walk:
    """One writer's records. `head` is the chain's end as far as it holds, `first` the first record that wasn't pruned,
    `signed` how many records checkpoints cover."""

    def __init__(self, source: Source, keys: Mapping[str, PublicKey], anchored: Sequence[Claim]) -> None:
        self._source, self._keys = source, keys
        self._tree = Frontier()
        self.head = chain.start(source.writer)
        self.first = self.signed = 0
        # By size: what is said of the tree then, and by whom.
        self._claims: dict[int, list[tuple[str, Claim]]] = defaultdict(list)
        self._due: list[int] = []
        for claim in anchored:
            self._claims[claim.size].append(("the anchor", claim))

    def through(self) -> str | None:
        """Walks to the end; a sentence about the first thing that doesn't hold, or None. Raises `AuditError`."""
        try:
            self._begin()
            self._read_checkpoints()
            self._compare()
            for segment in self._source.segments():
                self._pass(segment)
                self._compare()
            for size in sorted(size for size in self._claims if size >= self.first):
                whose = self._claims[size][0][0]
                raise Broken(f"{whose} says that there are {size} records, which end after {self.head.size}")
        except Broken as broken:
            return str(broken)
        return None

    def _begin(self) -> None:
        """Starts where the newest pruning ended."""
        for mark in self._source.prunings():
            claim = self._read(mark, f"the certificate of pruning {mark.size} records")
            if claim.frontier != mark.frontier:
                raise Broken(f"the certificate of pruning {mark.size} records isn't what was signed")
            self._tree = Frontier(mark.size, mark.frontier)
            self.head, self.first = Head(claim.segment, claim.size, claim.hash), claim.size

    def _read_checkpoints(self) -> None:
        found = False
        for mark in self._source.checkpoints():
            claim = self._read(mark, f"the checkpoint of {mark.size} records")
            if claim.frontier is not None:
                raise Broken(f"the checkpoint of {mark.size} records is a certificate")
            self._claims[mark.size].append(("a checkpoint", claim))
            found, self.signed = True, mark.size
        if not found:
            raise Broken("nothing of it is signed: there is no checkpoint")
        self._due = sorted((size for size in self._claims if size >= self.first), reverse=True)

    def _read(self, mark: Mark, what: str) -> Claim:
        """What a mark claims, once it's known to be signed, to be this writer's, and to say what its row says."""
        try:
            claim = Claim.parse(opened(mark.note, self._keys))
            fits = Frontier(mark.size, mark.frontier).root() == claim.root
        except (BadNote, ValueError, TypeError, AttributeError) as error:
            raise Broken(f"{what} {error if isinstance(error, BadNote) else 'is damaged'}") from error
        if claim.writer != self._source.writer:
            raise Broken(f"{what} is another writer's")
        if not fits or (claim.size, claim.segment, claim.time) != (mark.size, mark.segment, mark.time):
            raise Broken(f"{what} isn't what was signed")
        return claim

    def _pass(self, segment: Segment) -> None:
        head, at = self.head, self.head.size
        if segment.number != head.segment + 1 or segment.first != at:
            raise Broken(f"segment {head.segment + 1}, from record {at} on, is missing")
        try:
            hash = chain.link(head.hash, segment.number, segment.first, segment.count, segment.time, segment.body)
            lines = segment.body[:-1].split(b"\n")
        except (TypeError, struct.error) as error:
            raise Broken(f"segment {segment.number}, from record {at} on, is damaged") from error
        if hash != segment.hash or len(lines) != segment.count or segment.body[-1:] != b"\n":
            raise Broken(f"segment {segment.number}, from record {at} on, isn't what was written, or not in its place")
        while self._due and self._due[-1] <= at:
            self._due.pop()
        if self._due and self._due[-1] < at + segment.count:
            raise Broken(f"a checkpoint of {self._due[-1]} records, within segment {segment.number}, can't be")
        self._tree.add(lines)
        self.head = chain.behind(segment)

    def _compare(self) -> None:
        """Holds what is said of the tree so far against it."""
        for whose, claim in self._claims.pop(self.head.size, ()):
            if (claim.root, claim.segment, claim.hash) != (self._tree.root(), self.head.segment, self.head.hash):
                raise Broken(f"the first {claim.size} records aren't those that {whose} speaks of")
