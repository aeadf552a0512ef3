"""Earlier generations of a dataset: copies of its files as they were, in the upstream's cache folder.

A generation is named by its moment: when its newest file was written, or, where that isn't later than the one before,
when it was seen. A file that many generations share is kept once. Copies and lists are written beside their names,
synced and renamed; a lock lets the workers of a host keep each generation once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from threading import Lock

from adapters.contract import Json
from adapters.errors import FieldError, Invalid, NotFound, Unavailable
from adapters.files.alone import alone
from adapters.files.content import Changed, Version
from adapters.files.folder import Folder, Outside
from adapters.files.formats import FieldType
from adapters.files.generation import Generation
from adapters.files.part import Part, ReadFile

_OPEN = 3
"""Earlier generations that stay open, so that they are read again without indexing them."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file of a generation: its path, and the name of its copy."""

    path: str
    copy: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One generation that is kept."""

    at: datetime
    files: tuple[KeptFile, ...]

    @property
    def name(self) -> str:
        """Its moment, RFC 3339 with microseconds."""
        return self.at.isoformat(timespec="microseconds").replace("+00:00", "Z")


class Kept:
    """The generations of one dataset, at most `most`, the current one among them. Methods block."""

    def __init__(self, folder: Path, source: Folder, most: int, key_type: FieldType) -> None:
        self._folder = folder
        self._source = source
        self._most = most
        self._key_type = key_type
        self._opened: dict[str, Generation] = {}
        self._opening = Lock()

    def keep(self, generation: Generation) -> str | None:
        """Keeps a new generation; answers its name. None: it can't be kept now, or has no file."""
        if self._most < 2 or not generation.parts:
            return None
        try:
            with alone(self._folder):
                known = self.entries()
                files = tuple(map(_kept_file, generation.parts))
                if not known or known[0].files != files:
                    for part, file in zip(generation.parts, files, strict=True):
                        self._copy(part, file)
                    known = [Entry(_moment(generation, known), files), *known]
                    self._write(f"{known[0].name}.json", json.dumps([*map(_spelt, files)]).encode())
                self._sweep(known)
        except (OSError, Outside, Changed):
            return None
        with self._opening:
            self._remember(known[0].name, generation)
        return known[0].name

    def entries(self) -> list[Entry]:
        """What is kept, newest first; raises OSError."""
        found = []
        names = os.listdir(self._folder) if self._folder.is_dir() else []
        for name in sorted((name for name in names if name.endswith("Z.json")), reverse=True):
            with suppress(FileNotFoundError, ValueError, TypeError):  # another worker has removed it
                files = json.loads((self._folder / name).read_bytes())
                at = datetime.fromisoformat(name.removesuffix(".json"))
                found.append(Entry(at, tuple(KeptFile(*file) for file in files)))
        return found

    def named(self, name: Json) -> Entry:
        """The generation in which a list began; raises `Invalid` where it is gone."""
        for entry in self.entries():
            if entry.name == name:
                return entry
        fault = FieldError("/after", "its generation isn't kept any more: begin the list anew")
        raise Invalid("the list can't be continued", errors=[fault])

    def as_of(self, given: Json, dataset: str) -> Entry:
        """The newest generation not later than a moment or the end of a day (UTC); raises `Invalid` and `NotFound`."""
        before = _before(given)
        entries = self.entries()
        for entry in entries:
            if entry.at <= before:
                return entry
        oldest = f"; the oldest is of {entries[-1].name}" if entries else ""
        raise NotFound(f"no generation of {dataset} as of {given} is kept{oldest}")

    def open(self, entry: Entry, read: ReadFile) -> Generation:
        """That generation, read anew unless it is open still; raises `Unavailable`."""
        with self._opening:
            known = self._opened.get(entry.name)
            if known is None:
                known = Generation(tuple(self._part(file, read) for file in entry.files), self._key_type)
                known.name = entry.name
            self._remember(entry.name, known)
        return known

    def _remember(self, name: str, generation: Generation) -> None:
        self._opened.pop(name, None)
        self._opened[name] = generation
        while len(self._opened) > _OPEN:
            del self._opened[next(iter(self._opened))]

    def _part(self, file: KeptFile, read: ReadFile) -> Part:
        try:
            handle = os.open(self._folder / file.copy, os.O_RDONLY | os.O_CLOEXEC)
            return read(file.path, handle, Version.of(handle).size)
        except (OSError, Changed) as error:
            raise Unavailable("a generation that was kept can't be read", detail=str(error)) from error

    def _copy(self, part: Part, file: KeptFile) -> None:
        if (self._folder / file.copy).exists():
            return
        handle = self._source.open(part.path)
        try:
            if not part.version.same_bytes(Version.of(handle)):
                raise Changed
            temporary = self._folder / f"{file.copy}.tmp"
            with open(os.dup(handle), "rb") as source, temporary.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
            if not part.version.same_bytes(Version.of(handle)):
                raise Changed
            os.utime(temporary, ns=(part.version.modified_ns, part.version.modified_ns))
            os.replace(temporary, self._folder / file.copy)
        finally:
            os.close(handle)

    def _write(self, name: str, data: bytes) -> None:
        temporary = self._folder / f"{name}.tmp"
        with temporary.open("wb") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
        os.replace(temporary, self._folder / name)

    def _sweep(self, known: Sequence[Entry]) -> None:
        """Removes what is too much, the list before the copies that it names."""
        for entry in known[self._most :]:
            (self._folder / f"{entry.name}.json").unlink(missing_ok=True)
        names = {file.copy for entry in known[: self._most] for file in entry.files}
        names |= {"lock", *(f"{entry.name}.json" for entry in known[: self._most])}
        for path in self._folder.iterdir():
            if path.name not in names:
                path.unlink(missing_ok=True)


def _kept_file(part: Part) -> KeptFile:
    version = part.version
    made_of = repr((part.path, version.inode, version.size, version.modified_ns)).encode()
    return KeptFile(part.path, hashlib.sha256(made_of).hexdigest(), version.size)


def _spelt(file: KeptFile) -> list[Json]:
    return [file.path, file.copy, file.size]


def _moment(generation: Generation, known: Sequence[Entry]) -> datetime:
    now = datetime.now(UTC)
    newest = max(part.as_of for part in generation.parts)
    last = known[0].at if known else datetime.min.replace(tzinfo=UTC)
    return newest if last < newest <= now else max(now, last + timedelta(microseconds=1))


def _before(given: Json) -> datetime:
    """The last moment that counts; raises `Invalid`."""
    try:
        if not isinstance(given, str):
            raise ValueError
        if len(given) == len("2026-11-20"):
            return datetime.combine(date.fromisoformat(given), time.max, UTC)
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        fault = FieldError("/as_of", "must be a date, or an instant such as 2026-11-20T06:00:00Z")
        raise Invalid("the generation can't be told", errors=[fault]) from None
