"""Where the indexes of big files are kept: found again at the next start, shared by all workers of a host.

An index is named by what it was made of: the file's path, inode, size, time and the hash of its head and tail, the
dataset's configuration and our version. It is built beside its name, synced and renamed, so that a name is never
there without its whole index. A lock lets one process build while the others wait for what it builds.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import version as version_of
from pathlib import Path
from weakref import WeakValueDictionary

from adapters.errors import Unavailable
from adapters.files.alone import alone
from adapters.files.content import Version
from adapters.files.formats import Bad, Record
from adapters.files.index import Index, Shape, build

_EDGE = 64 * 1024
_UNUSED = 3600.0
"""Seconds after which an index that this process doesn't use is removed."""


class Store:
    """The indexes of one dataset, in a folder of its own. Methods block."""

    def __init__(self, folder: Path, shape: Shape, digest: str) -> None:
        self._folder = folder
        self._shape = shape
        self._made_of = f"{digest} {version_of('figway')} {shape}"
        self._used: WeakValueDictionary[str, Index] = WeakValueDictionary()

    def index(
        self, path: str, handle: int, version: Version, scan: Callable[[], Iterable[Record | Bad]]
    ) -> tuple[Index, bool]:
        """(the index of an open file, was it built now); `scan` gives its records. Raises `Unavailable`."""
        name = self._name(path, handle, version)
        try:
            found = self._known(name)
            if found is not None:
                return found, False
            with alone(self._folder):
                found = self._known(name)  # another worker may have built it while this one waited
                return (found, False) if found is not None else (self._built(name, scan()), True)
        except (OSError, sqlite3.Error) as error:
            raise Unavailable("the index of a file can't be written", detail=str(error)) from error

    def _name(self, path: str, handle: int, version: Version) -> str:
        edges = hashlib.sha256(os.pread(handle, _EDGE, 0))
        edges.update(os.pread(handle, _EDGE, max(0, version.size - _EDGE)))
        parts = (path, version.inode, version.size, version.modified_ns, edges.hexdigest(), self._made_of)
        return hashlib.sha256(repr(parts).encode()).hexdigest() + ".index"

    def _known(self, name: str) -> Index | None:
        index = self._used.get(name)
        if index is not None:
            return index
        path = self._folder / name
        with suppress(OSError, sqlite3.Error, ValueError):  # then it is built anew
            index = self._used[name] = Index(path, self._shape)
            os.utime(path)
        return index

    def _built(self, name: str, found: Iterable[Record | Bad]) -> Index:
        self._sweep()
        temporary = self._folder / f"{name}.tmp"
        try:
            build(temporary, self._shape, found)
            _sync(temporary)
            os.replace(temporary, self._folder / name)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(self._folder)
        index = self._used[name] = Index(self._folder / name, self._shape)
        return index

    def _sweep(self) -> None:
        """Removes what a killed builder left, and what nobody has used for long. Who reads one keeps it open."""
        for path in self._folder.iterdir():
            with suppress(OSError):
                old = path.suffix == ".index" and path.stat().st_mtime < time.time() - _UNUSED
                if path.suffix == ".tmp" or (old and path.name not in self._used):
                    path.unlink()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
