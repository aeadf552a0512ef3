"""The bytes of one version of one file, for as long as somebody reads them."""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass
from typing import Protocol


class Changed(Exception):
    """The file was rewritten in place after it was indexed: its old bytes are gone."""


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one version of a file from another."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, handle: int) -> Version:
        found = os.fstat(handle)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def same_bytes(self, other: Version) -> bool:
        """A rename or a new link changes only `changed_ns`."""
        return (self.inode, self.size, self.modified_ns) == (other.inode, other.size, other.modified_ns)


class Content(Protocol):
    """`blocking`: reading goes to the disk and belongs on a thread."""

    blocking: bool

    def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end); raises `Changed`."""
        ...


class InMemory:
    """A small file: kept whole."""

    blocking = False

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, start: int, end: int) -> bytes:
        return self._data[start:end]


class OnDisk:
    """A big file: its descriptor is kept, so that another file renamed over it changes nothing here."""

    blocking = True

    def __init__(self, handle: int, version: Version) -> None:
        """Takes over `handle`; it is closed when nobody reads this version any more."""
        self._handle = handle
        self._version = version
        weakref.finalize(self, os.close, handle)

    def read(self, start: int, end: int) -> bytes:
        data = os.pread(self._handle, end - start, start)
        if not self._version.same_bytes(Version.of(self._handle)):
            raise Changed
        return data
