"""Folders of our own, in which one process at a time works."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(folder: Path, lock: str = "lock") -> Iterator[None]:
    """Makes the folder and waits, blocking, until nobody else is in it; `lock` is the name of the file that says so."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / lock).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
