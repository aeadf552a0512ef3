"""Which files of a dataset aren't served, since they aren't what their manifest or their control records say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from adapters.files.content import Version
from adapters.files.folder import Folder
from adapters.files.manifest import Manifest, Mismatch, Unsaid, manifest_of


class Judging:
    """The judgements on one dataset's files. One that is wrong stays so until it, or its manifest, is another one, so
    that a big file isn't read at every look. `tell` hears of each new one: path, version, reason."""

    def __init__(self, folder: Folder, suffix: str | None, tell: Callable[[str, Version, str], None]) -> None:
        self._folder = folder
        self._suffix = suffix
        self._tell = tell
        self._judged: dict[str, tuple[Version, bytes, str]] = {}
        self.refused: dict[str, str] = {}
        """Path → why the file that lies there isn't read."""

    def begin(self, path: str, handle: int, version: Version) -> Manifest | None:
        """What the file is said to be by its manifest, where it must have one; raises `Mismatch`."""
        manifest = None if self._suffix is None else manifest_of(self._folder, path + self._suffix)
        text = b"" if manifest is None else manifest.text
        known = self._judged.get(path)
        if known is not None and known[:2] == (version, text):
            raise Mismatch(known[2])
        self._judged[path] = (version, text, "")
        if manifest is not None:
            manifest.check_bytes(handle)
        return manifest

    def refuse(self, path: str, error: Mismatch) -> None:
        """Keeps why a file isn't served: it was read and is wrong, or nothing is said of it yet."""
        self.refused[path] = f"{path} {error}"
        judged = self._judged.get(path)
        if isinstance(error, Unsaid):
            self._judged.pop(path, None)
        elif judged is not None and not judged[2]:
            self._judged[path] = (*judged[:2], str(error))
            self._tell(path, judged[0], str(error))

    def accept(self, path: str) -> None:
        """The file is served, or can't be judged yet."""
        self.refused.pop(path, None)
        self._judged.pop(path, None)

    def only(self, seen: Iterable[str]) -> None:
        """Forgets the files that are gone."""
        for gone in (self.refused.keys() | self._judged.keys()) - set(seen):
            self.accept(gone)

    def wrong(self, *, for_seconds: float = 0.0) -> dict[str, str]:
        """Path → what is wrong with a file that was read, and hasn't changed for so long."""
        before = time.time() - for_seconds
        return {
            path: reason
            for path, (version, _, reason) in list(self._judged.items())
            if reason and version.modified_ns / 1e9 <= before
        }
