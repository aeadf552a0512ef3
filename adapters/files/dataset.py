"""One dataset: its current generation, looked after while it is used.

At most every half second the folder is looked at. When a file is new, gone or another version, a new generation
is built aside on a thread and swapped in by one assignment; until then the old one answers. Files whose version
is known keep their index.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from adapters.files.arrival import arrived
from adapters.files.claims import Claims
from adapters.files.config import Dataset as DatasetConfig
from adapters.files.content import Changed, Version
from adapters.files.drop import TEMPORARY, Template
from adapters.files.folder import Folder, Outside, Pattern
from adapters.files.formats import Bad, FieldType, Format
from adapters.files.generation import Generation
from adapters.files.index import Shape
from adapters.files.judging import Judging
from adapters.files.kept import Entry, Kept
from adapters.files.manifest import Mismatch
from adapters.files.overdue import overdue
from adapters.files.part import Budget, Part, read
from adapters.files.quarantine import Quarantine
from adapters.files.store import Store

CHECK_EVERY = 0.5
"""Seconds between two looks at the folder."""

_CONTENT_BYTES = 32 * 1024 * 1024
_ROWS_BYTES = 4 * 1024 * 1024
_SMALL = 1024 * 1024
"""Bytes of a file whose index is in memory, however many such files there are."""
_STALE_TEMPORARY = 3600.0


@dataclass(frozen=True, slots=True)
class Description:
    """A dataset as configured, with its format compiled."""

    name: str
    config: DatasetConfig
    format: Format
    patterns: tuple[Pattern, ...]
    template: Template | None
    replaced: Template | None
    """The name of the file that may be replaced: a template without fields."""
    digest: str
    """Another one where the same bytes may mean something else."""

    @property
    def shape(self) -> Shape:
        """What the index of a big file holds."""
        known = self.format.fields or {}
        fields = {path: known.get(path, "text") for path in dict.fromkeys(self.config.index) if path != self.config.key}
        return Shape(self.config.key, self.key_type, fields)

    @property
    def key_name(self) -> str:
        """The key as `get` takes it: the last part of its dotted path."""
        return self.config.key.rpartition(".")[2]

    @property
    def key_type(self) -> FieldType:
        return (self.format.fields or {}).get(self.config.key, "text")


class Dataset:
    """The generations of one dataset. Methods block: they run on the adapter's threads, one refresh at a time."""

    def __init__(
        self,
        description: Description,
        folder: Folder,
        quarantine: Quarantine,
        cache: Path,
        look: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """`look` brings what lies elsewhere into the folder, at once if told so."""
        self._look = look
        self.description = description
        self._store = Store(cache / "indexes" / description.name, description.shape, description.digest)
        self.kept = Kept(
            cache / "generations" / description.name, folder, description.config.generations, description.key_type
        )
        self.judging = Judging(folder, description.config.arrival.manifest, self._note)
        self.indexing: tuple[str, int, int] | None = None
        """The file that is being indexed, and how many of how many of its bytes are done."""
        self._folder = folder
        self.claims = None if description.config.claim is None else Claims(folder, description.config.claim)
        self.working = (0, 0)
        """How many files are claimed, and how many of these claims have run out."""
        self._taken: datetime | None = None
        """When the newest of the files was written that were claimed or finished."""
        self._quarantine = quarantine
        self._lock = Lock()
        self.generation: Generation | None = None
        self._checked = -math.inf

    @property
    def due(self) -> bool:
        """Is it time to look at the folder again?"""
        return self.generation is None or time.monotonic() - self._checked >= CHECK_EVERY

    def refresh(self, *, force: bool = False) -> Generation:
        """Looks at the folder and swaps in a new generation where something changed; raises `Unavailable`."""
        started = time.monotonic()
        with self._lock:
            if self.generation is not None and not force and self._checked >= started:
                return self.generation  # another thread looked while this one waited
            self._look(force)
            known = {part.path: part for part in self.generation.parts} if self.generation else {}
            parts, waiting = self._parts(known)
            old = self.generation
            if old is None or old.waiting != waiting or [*map(id, parts)] != [*map(id, old.parts)]:
                generation = Generation(tuple(parts), self.description.key_type, waiting)
                generation.name = self.kept.keep(generation)
                self.generation = generation
            if self.claims is not None:
                self._count(self.claims)
            self._checked = time.monotonic()
            assert self.generation is not None
            return self.generation

    def _count(self, claims: Claims) -> None:
        now = time.time()
        untils = [entry.until for entry in claims.entries()]
        self.working = (len(untils), sum(until < now for until in untils))
        if self.late is not None:
            self._taken = claims.newest()

    def earlier(self, entry: Entry) -> Generation:
        """A generation that is kept, without a look at the folder; raises `Unavailable`."""
        left = [_CONTENT_BYTES, _ROWS_BYTES]
        return self.kept.open(entry, lambda path, handle, size: self._read(path, handle, _budget(left, size)))

    def alone(self, path: str, handle: int) -> Part | None:
        """A file that stands outside of the dataset, read by itself, its handle taken over; None: it is being written.
        Raises `Changed` and `Mismatch`."""
        plain = self.description.config.arrival.model_copy(update={"marker": None})
        if not arrived(self._folder, path, handle, self.description.format, plain):
            os.close(handle)
            return None
        return self._read(path, handle, _budget([_CONTENT_BYTES, _ROWS_BYTES], Version.of(handle).size))

    @property
    def late(self) -> str | None:
        """The sentence about a file that is overdue."""
        due = self.description.config.arrival.due
        if due is None or self.generation is None:
            return None
        times = [part.as_of for part in self.generation.parts]
        newest = max(times if self._taken is None else [*times, self._taken], default=None)
        return overdue(self.description.name, due, newest, datetime.now(UTC))

    @property
    def unserved(self) -> str | None:
        """The sentence about files that were read, and aren't what their manifests or control records say."""
        count = len(self.judging.wrong())
        if not count:
            return None
        some = "1 file" if count == 1 else f"{count} files"
        return f"{some} of {self.description.name} can't be served: not what the sender says; listed by the probe"

    def expire(self) -> None:
        """Makes a look at the folder due, since something was written there."""
        self._checked = -math.inf

    def sweep(self) -> None:
        """Removes temporary files that a killed writer left."""
        for template in (self.description.template, self.description.replaced):
            if template is not None:
                self._folder.sweep(template.folders, TEMPORARY, time.time() - _STALE_TEMPORARY)

    def _parts(self, known: Mapping[str, Part]) -> tuple[list[Part], int]:
        """The files that may be read, lowest precedence first, and how many may not yet."""
        parts: list[Part] = []
        waiting = 0
        left = [_CONTENT_BYTES, _ROWS_BYTES]
        seen: set[str] = set()
        suffix = self.description.config.arrival.manifest
        # The pattern that wins is read last: a job that puts a record there before it takes the record away
        # from another place is then never seen in between, with the record in neither.
        for pattern in reversed(self.description.patterns):
            for path in self._folder.matches(pattern):
                if path in seen or (suffix is not None and path.endswith(suffix)):
                    continue
                seen.add(path)
                part, whole = self._part(path, known.get(path), left)
                waiting += not whole
                if part is not None:
                    parts.append(part)
        self.judging.only(seen)
        return parts, waiting

    def _part(self, path: str, known: Part | None, left: list[int]) -> tuple[Part | None, bool]:
        """(the file's newest readable version, whether that is what lies there now)."""
        try:
            handle = self._folder.open(path)
        except FileNotFoundError:
            return None, True
        except Outside:
            return None, False
        except OSError:
            return known, False
        try:
            version = Version.of(handle)
            if known is not None and known.version.same_bytes(version):
                _spend(left, version.size)
                return known, True
            return self._arrived(path, handle, version, known, left)
        except (Outside, OSError):
            return known, False
        finally:
            os.close(handle)

    def _arrived(
        self, path: str, handle: int, version: Version, known: Part | None, left: list[int]
    ) -> tuple[Part | None, bool]:
        """A file that is new, or another version."""
        config = self.description.config
        if not arrived(self._folder, path, handle, self.description.format, config.arrival):
            return known, False
        try:
            manifest = self.judging.begin(path, handle, version)
            part = self._read(path, os.dup(handle), _budget(left, version.size))
            if not part.version.same_bytes(version):
                raise Changed
            if manifest is not None:
                manifest.check_records(part.found)
        except Mismatch as error:
            self.judging.refuse(path, error)
            return known, False
        except Changed:
            self.judging.accept(path)
            return known, False
        self.judging.accept(path)
        self._quarantine.add(self.description.name, path, part.bad)
        return part, True

    def _note(self, path: str, version: Version, reason: str) -> None:
        self._quarantine.add(self.description.name, path, [Bad(0, version.size, f"the file {reason}", lost=True)])

    def _read(self, path: str, handle: int, budget: Budget) -> Part:
        def progress(done: int, size: int) -> None:
            self.indexing = (path, done, size)

        try:
            config = self.description.config
            return read(path, handle, self.description.format, config.key, budget, self._store, progress)
        finally:
            self.indexing = None


def _budget(left: list[int], size: int) -> Budget:
    content, rows = _spend(left, size)
    return Budget(content, rows, content or size < _SMALL)


def _spend(left: list[int], size: int) -> tuple[bool, bool]:
    """Takes a file's size from what may be kept in memory; answers what of it may be: its bytes, its records."""
    fits = (size <= left[0], size <= left[1])
    left[0] -= size if fits[0] else 0
    left[1] -= size if fits[1] else 0
    return fits
