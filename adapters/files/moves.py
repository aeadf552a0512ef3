"""Small steps within folders that are open: each is one system call, or can be done again."""

from __future__ import annotations

import os
from contextlib import suppress

from adapters.files.folder import Folder

_MODE = 0o750


def made(folder: Folder, folders: tuple[str, ...]) -> None:
    """Makes a folder and those above it, where they aren't there; raises `Outside` and OSError."""
    with suppress(FileNotFoundError), folder.directory(folders):
        return
    for depth, name in enumerate(folders):
        with folder.directory(folders[:depth]) as handle, suppress(FileExistsError):
            os.mkdir(name, _MODE, dir_fd=handle)
            os.fsync(handle)


def fill(handle: int, name: str, data: bytes) -> None:
    """Writes a new file in an open folder, and syncs it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(name, flags, 0o640, dir_fd=handle), "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def removed(handle: int, name: str) -> None:
    """Removes a file of an open folder, or a folder with its files, as far as that can be done."""
    with suppress(OSError):
        try:
            os.unlink(name, dir_fd=handle)
            return
        except IsADirectoryError:
            pass
        inside = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
        try:
            for each in os.listdir(inside):
                os.unlink(each, dir_fd=inside)
        finally:
            os.close(inside)
        os.rmdir(name, dir_fd=handle)
