"""One of a host's processes leads: it does the background work that must be done once."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Leader:
    """A lock on a file, held until this process ends; whoever holds it leads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def try_lead(self) -> bool:
        """Whether this process leads now; never waits."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def resign(self) -> None:
        """Lets another process lead."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
