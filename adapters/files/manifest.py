"""A manifest beside a file says what the file must be: JSON such as `{"sha256": "…", "bytes": 1024, "records": 8}`.

It counts only when it is there whole, names at least one of the three, and each that it names is right.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass

from adapters.files.content import Version
from adapters.files.folder import Folder, Outside

_LARGEST = 64 * 1024
_PIECE = 1 << 20
_NAMES = {"sha256": str, "bytes": int, "records": int}


class Mismatch(Exception):
    """The file isn't what its manifest says, or there is no readable manifest; the message completes "FILE …"."""


class Unsaid(Mismatch):
    """There is no readable manifest yet."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says of its file; `text` is the manifest itself."""

    text: bytes
    sha256: str | None
    bytes: int | None
    records: int | None

    def check_bytes(self, handle: int) -> None:
        """Reads the whole open file where a hash is named; raises `Mismatch`."""
        size = Version.of(handle).size
        if self.bytes is not None and size != self.bytes:
            raise Mismatch(f"has {size} bytes, its manifest says {self.bytes}")
        if self.sha256 is not None and _sha256(handle) != self.sha256:
            raise Mismatch("has another hash than its manifest says")

    def check_records(self, records: int) -> None:
        """Raises `Mismatch`."""
        if self.records is not None and records != self.records:
            raise Mismatch(f"has {records} records, its manifest says {self.records}")


def manifest_of(folder: Folder, path: str) -> Manifest:
    """The manifest at a path below root; raises `Mismatch`."""
    try:
        handle = folder.open(path)
    except (OSError, Outside):
        raise Unsaid("has no manifest yet") from None
    try:
        text = os.read(handle, _LARGEST)
    finally:
        os.close(handle)
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not found.keys() & _NAMES.keys():
        raise Unsaid("has a manifest that can't be read")
    for name, kind in _NAMES.items():
        if name in found and (isinstance(found[name], bool) or not isinstance(found[name], kind)):
            raise Unsaid(f"has a manifest whose {name} can't be read")
    sha256 = found.get("sha256")
    return Manifest(text, sha256.lower() if sha256 else sha256, found.get("bytes"), found.get("records"))


def _sha256(handle: int) -> str:
    digest, at = hashlib.sha256(), 0
    while piece := os.pread(handle, _PIECE, at):
        digest.update(piece)
        at += len(piece)
    return digest.hexdigest()
