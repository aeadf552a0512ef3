"""Files that are worked on one by one: claimed for a while, then archived or rejected. Each step is one rename.

    <folder>/claimed/<token>.<until>.<owner>.<name>   whose it is, and until when (seconds since 1970), is its name
    <folder>/done/2026-11-21/<name>                   below a folder of the day on which it was finished
    <folder>/rejected/<name>                          with <name>.reason.json beside it

Of two that rename one file, one wins; so a file has one owner at any time, on however many gateways, and a claim whose
owner is gone is taken over when its time has passed.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from errno import EXDEV
from pathlib import PurePosixPath
from typing import NamedTuple

from adapters.errors import Conflict, Unavailable
from adapters.files.config import Claim
from adapters.files.folder import Folder, Outside
from adapters.files.moves import fill, made, removed

_NAME = re.compile(r"([a-z2-7]{26})\.([0-9]{10})\.([0-9a-f]{16})\.(.+)", re.DOTALL)
_LONGEST = 180
"""Bytes of a file's name that leave room for the rest."""
_LOOK_BACK = 8
"""Days of the archive that are looked at for the newest delivery."""


class Claimed(NamedTuple):
    """A file that somebody works on."""

    token: str
    until: int
    owner: str
    name: str

    @property
    def file(self) -> str:
        """What it is called meanwhile."""
        return f"{self.token}.{self.until:010}.{self.owner}.{self.name}"


class Claims:
    """The claims of one dataset. Every method blocks, and raises `Unavailable`."""

    def __init__(self, folder: Folder, config: Claim) -> None:
        self._folder = folder
        self._config = config
        self._base = tuple(config.folder.split("/"))
        self.claimed = (*self._base, "claimed")

    def entries(self) -> list[Claimed]:
        """All claims, those that have run out first."""
        with self._opened(self.claimed) as handle:
            names = os.listdir(handle)
        found = [Claimed(each[1], int(each[2]), each[3], each[4]) for each in map(_NAME.fullmatch, names) if each]
        return sorted(found, key=lambda each: (each.until, each.name))

    def of(self, token: str, owner: str) -> Claimed:
        """A claim of that owner; raises `Conflict` where it has ended."""
        for entry in self.entries():
            if entry.token == token and entry.owner == owner:
                return entry
        raise Conflict("the claim has ended: it ran out and was taken over, or its file was finished")

    def take(self, path: str, token: str, owner: str) -> Claimed | None:
        """Claims a file of the drop; None: another was first, or its name is too long."""
        *folders, name = path.split("/")
        claimed = Claimed(token, self._until(), owner, name)
        if len(os.fsencode(name)) > _LONGEST:
            return None
        with self._opened(self.claimed) as ours, self._opened(tuple(folders)) as theirs:
            with suppress(FileNotFoundError):
                if not stat.S_ISREG(os.stat(name, dir_fd=theirs, follow_symlinks=False).st_mode):
                    return None
            if not _moved(theirs, name, ours, claimed.file):
                return None
            os.fsync(ours)
            os.fsync(theirs)
            return claimed

    def take_over(self, entry: Claimed, token: str, owner: str) -> Claimed | None:
        """Claims what has run out, or what one has; None: another was first."""
        claimed = Claimed(token, self._until(), owner, entry.name)
        with self._opened(self.claimed) as ours:
            return claimed if _moved(ours, entry.file, ours, claimed.file) else None

    def give_back(self, entry: Claimed) -> None:
        """Lets the next one have it."""
        with self._opened(self.claimed) as ours:
            _moved(ours, entry.file, ours, Claimed(entry.token, 0, entry.owner, entry.name).file)

    def finish(self, entry: Claimed) -> str:
        """Archives a file; answers its path. Raises `Conflict` where the claim has ended."""
        return self._end(entry, self._day(datetime.now(UTC)), None)

    def reject(self, entry: Claimed, reason: str) -> str:
        """Puts a file away that can't be used, with the reason beside it."""
        return self._end(entry, (*self._base, "rejected"), reason)

    def _end(self, entry: Claimed, folders: tuple[str, ...], reason: str | None) -> str:
        path = PurePosixPath(entry.name)
        name = f"{path.stem}.{entry.token[:8]}{path.suffix}"
        with self._opened(self.claimed) as ours, self._opened(folders) as theirs:
            if not _moved(ours, entry.file, theirs, name):
                raise Conflict("the claim has ended: it ran out and was taken over, or its file was finished")
            if reason is not None:
                told = {"file": entry.name, "reason": reason, "seen": datetime.now(UTC).isoformat()}
                with suppress(FileExistsError):
                    fill(theirs, f"{name}.reason.json", json.dumps(told).encode())
            os.fsync(theirs)
            os.fsync(ours)
        return "/".join((*folders, name))

    def companions(self, path: str, suffixes: tuple[str, ...], entry: Claimed) -> None:
        """Archives the marker or manifest of a file that was claimed."""
        *folders, name = path.split("/")
        for suffix in suffixes:
            day = self._day(datetime.now(UTC))
            with self._opened(tuple(folders)) as theirs, self._opened(day) as ours:
                _moved(theirs, name + suffix, ours, f"{PurePosixPath(name).stem}.{entry.token[:8]}{suffix}")

    def orphans(self, folders: tuple[str, ...], suffix: str) -> None:
        """Removes the markers or manifests of claimed files: a process was killed between the two."""
        claimed = {entry.name + suffix for entry in self.entries()}
        with self._opened(folders) as handle:
            names = set(os.listdir(handle))
            for name in claimed & names:
                if name.removesuffix(suffix) not in names:
                    removed(handle, name)

    def newest(self) -> datetime | None:
        """When the newest file was written of those that were taken away lately."""
        now = datetime.now(UTC)
        days = {self._day(now - timedelta(days=back)) for back in range(_LOOK_BACK)}
        times = []
        for folders in (self.claimed, *days):
            with suppress(FileNotFoundError, Outside, OSError), self._folder.directory(folders) as handle:
                for name in os.listdir(handle):
                    with suppress(FileNotFoundError):
                        times.append(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mtime)
        return datetime.fromtimestamp(max(times), UTC) if times else None

    def sweep(self) -> None:
        """Removes what was archived or rejected longer ago than it is to be kept."""
        before = time.time() - self._config.keep
        for name in ("done", "rejected"):
            with suppress(FileNotFoundError, Outside, OSError):
                self._swept((*self._base, name), before)

    def _swept(self, folders: tuple[str, ...], before: float) -> None:
        with self._folder.directory(folders) as handle:
            for each in list(os.scandir(handle)):
                if each.is_dir(follow_symlinks=False):
                    self._swept((*folders, each.name), before)
                    with suppress(OSError):  # it isn't empty
                        os.rmdir(each.name, dir_fd=handle)
                elif each.stat(follow_symlinks=False).st_ctime < before:
                    removed(handle, each.name)

    def _day(self, now: datetime) -> tuple[str, ...]:
        return (*self._base, "done", *now.strftime(self._config.archive).split("/"))

    def _until(self) -> int:
        return int(time.time() + self._config.lease) + 1

    @contextmanager
    def _opened(self, folders: tuple[str, ...]) -> Iterator[int]:
        try:
            if folders[: len(self._base)] == self._base:
                made(self._folder, folders)
            with self._folder.directory(folders) as handle:
                yield handle
        except (OSError, Outside) as error:
            across = isinstance(error, OSError) and error.errno == EXDEV
            apart = "; it must be on the file system of the others" if across else ""
            raise Unavailable(f"a folder of claims can't be used{apart}", detail=str(error)) from error


def _moved(source: int, name: str, target: int, to: str) -> bool:
    """Renames; False: it isn't there any more."""
    try:
        os.rename(name, to, src_dir_fd=source, dst_dir_fd=target)
    except FileNotFoundError:
        return False
    return True
