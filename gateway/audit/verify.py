"""Whether what the audit holds is what was written: by the records, public keys and, where there is one, an anchor."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from gateway.audit.archive import FileSource, files
from gateway.audit.checkpoint import Claim
from gateway.audit.note import BadNote, PublicKey, opened, split
from gateway.audit.sink import AuditError, Source
from gateway.audit.walk import Walk

Keys: TypeAlias = Mapping[str, PublicKey]
Place: TypeAlias = tuple[str, Callable[[], Source]]
"""What a person calls a writer's records, and what opens them as they are now."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What walking a writer's records found. `broken` is a sentence about the first thing that doesn't hold, or None.

    Records `first` to `size` hold, those before having been pruned; those up to `signed` are covered by a checkpoint.
    """

    name: str
    writer: str
    first: int
    size: int
    signed: int
    broken: str | None


@dataclass(frozen=True, slots=True)
class FolderVerdict:
    """A verdict for each writer, and sentences about what is wrong with the whole."""

    writers: tuple[Verdict, ...]
    findings: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Nothing was changed, as far as the keys and the anchor tell."""
        return not self.findings and all(each.broken is None for each in self.writers)


def verify_folder(folder: Path, keys: Keys, anchor: bytes | None = None) -> FolderVerdict:
    """Verifies every writer's file in an audit's folder, which may be in use; only reads. `anchor` is what the anchored
    file holds. Raises `AuditError` only where there is no such folder."""
    if not folder.is_dir():
        raise AuditError(f"there is no audit in {folder}")
    return verify([(path.name, partial(FileSource, path)) for path in files(folder)], keys, anchor)


def verify(places: Sequence[Place], keys: Keys, anchor: bytes | None = None) -> FolderVerdict:
    """Verifies every writer of a place. Never raises."""
    anchored, findings = _anchored(anchor, keys)
    beside = _beside(places, keys)
    verdicts = [_verdict(place, keys, anchored) for place in places]
    return FolderVerdict(tuple(verdicts), (*findings, *_missing(verdicts, anchored, beside)))


def _anchored(anchor: bytes | None, keys: Keys) -> tuple[Mapping[str, list[Claim]], list[str]]:
    """What the anchor says of each writer, and what is wrong with it itself."""
    claims: dict[str, list[Claim]] = defaultdict(list)
    findings = []
    try:
        notes = list(split(anchor or b""))
    except BadNote as error:
        return claims, [f"the anchor {error}"]
    for number, note in enumerate(notes, 1):
        try:
            claim = Claim.parse(opened(note, keys))
        except BadNote as error:
            findings.append(f"note {number} of the anchor {error}")
        else:
            claims[claim.writer].append(claim)
    return claims, findings


def _beside(places: Sequence[Place], keys: Keys) -> Mapping[str, int]:
    """How many records of each writer were signed, by what the others' checkpoints say. What can't be read or isn't
    signed is told by its own verdict."""
    sizes: Counter[str] = Counter()
    for _, open in places:
        try:
            with closing(open()) as source:
                for mark in source.checkpoints():
                    sizes |= Counter(Claim.parse(opened(mark.note, keys)).beside)
        except (AuditError, BadNote, TypeError):
            continue
    return sizes


def _verdict(place: Place, keys: Keys, anchored: Mapping[str, Sequence[Claim]]) -> Verdict:
    name, open = place
    try:
        with closing(open()) as source:
            walk, broken = _walked(source, keys, anchored.get(source.writer, ()))
            return Verdict(name, source.writer, walk.first, walk.head.size, walk.signed, broken)
    except AuditError as error:
        return Verdict(name, "", 0, 0, 0, str(error))


def _walked(source: Source, keys: Keys, anchored: Sequence[Claim]) -> tuple[Walk, str | None]:
    """A walk to the end, and what broke it; begun anew when its writer pruned meanwhile."""
    while True:
        before = list(source.prunings())
        walk = Walk(source, keys, anchored)
        broken = walk.through()
        if broken is None or list(source.prunings()) == before:
            return walk, broken


def _missing(verdicts: Sequence[Verdict], anchored: Mapping[str, object], beside: Mapping[str, int]) -> Iterator[str]:
    """What the writers and the anchor say of each other that doesn't hold."""
    sizes = {verdict.writer: verdict.size for verdict in verdicts if verdict.writer}
    for writer, count in Counter(verdict.writer for verdict in verdicts if verdict.writer).items():
        if count > 1:
            yield f"the records of writer {writer} are there {count} times"
    for writer in sorted(set(anchored) - set(sizes)):
        yield f"the records of writer {writer}, which the anchor has, are missing"
    for writer, size in sorted(beside.items()):
        if writer not in sizes:
            yield f"the records of writer {writer}, which others' checkpoints name, are missing"
        elif sizes[writer] < size:
            yield f"writer {writer} has {sizes[writer]} records; others' checkpoints say that there were {size}"


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Every record of every writer in `folder`, a writer's own in order; raises `AuditError`."""
    for path in files(folder):
        with closing(FileSource(path)) as source:
            for segment in source.segments():
                yield from map(orjson.loads, segment.body[:-1].split(b"\n"))
