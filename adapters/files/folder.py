"""The root folder: what lies in it, opened component by component so that no path ever leaves it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from adapters.errors import Unavailable

_TEMPORARY = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", "~")
_LINK_ERRORS = (errno.ELOOP, errno.ENOTDIR)
_MAX_FILES = 100_000


class Outside(Exception):
    """The path leads out of the root folder, or isn't a regular file."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A glob in the last component of a path; the folders before it are named literally."""

    folders: tuple[str, ...]
    name: str

    @classmethod
    def of(cls, text: str) -> Pattern:
        """Raises `ValueError` with a sentence."""
        path = PurePosixPath(text)
        if not text or path.is_absolute() or ".." in path.parts or "\0" in text:
            raise ValueError(f"'{text}' must be a path inside the root folder")
        if any(set(part) & set("*?[") for part in path.parts[:-1]):
            raise ValueError(f"'{text}' may have wildcards in its last part only")
        return cls(path.parts[:-1], path.parts[-1])

    def wants(self, name: str) -> bool:
        """Is a file of that name, in its folder, one of them?"""
        return not name.startswith(".") and not name.endswith(_TEMPORARY) and fnmatchcase(name, self.name)


class Folder:
    """One root folder. Every method blocks: call them on a thread. A missing root is `Unavailable`."""

    def __init__(self, root: str) -> None:
        self._root = root

    def matches(self, pattern: Pattern) -> list[str]:
        """The files of a pattern, relative to root, by name; temporary names and subfolders are none of them."""
        try:
            with self.directory(pattern.folders) as handle:
                names = [name for name in os.listdir(handle) if pattern.wants(name)]
        except FileNotFoundError:
            return []
        except (Outside, OSError) as error:
            raise Unavailable("a folder of the file drop can't be read", detail=str(error)) from error
        if len(names) > _MAX_FILES:
            raise Unavailable(f"more than {_MAX_FILES} files match one dataset")
        return ["/".join((*pattern.folders, name)) for name in sorted(names)]

    def exists(self, path: str) -> bool:
        """Is there anything of that name?"""
        *folders, name = path.split("/")
        try:
            with self.directory(tuple(folders)) as handle:
                os.stat(name, dir_fd=handle, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def directory(self, folders: tuple[str, ...]) -> Iterator[int]:
        """A descriptor of a folder below root; raises `Outside`, or FileNotFoundError when there is none."""
        handle = self._open_root()
        try:
            for folder in folders:
                below = self._step(handle, folder, os.O_RDONLY | os.O_DIRECTORY)
                os.close(handle)
                handle = below
            yield handle
        finally:
            os.close(handle)

    def open(self, path: str) -> int:
        """A descriptor of a regular file, for reading; a symbolic link may only lead to a file inside root."""
        try:
            return self._open(path)
        except Outside:
            return self._open(self._resolved(path))

    def _open(self, path: str) -> int:
        *folders, name = path.split("/")
        with self.directory(tuple(folders)) as handle:
            opened = self._step(handle, name, os.O_RDONLY | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise Outside(f"{path} isn't a regular file")
        return opened

    def _resolved(self, path: str) -> str:
        """Where a link leads, as a path below root. It is opened without links then, so a race can't lead outside."""
        root = Path(os.path.realpath(self._root))
        try:
            return str(Path(os.path.realpath(root / path)).relative_to(root))
        except ValueError:
            raise Outside(f"{path} leads out of the root folder") from None

    def _open_root(self) -> int:
        if not self._root:
            raise Unavailable("the file drop's folder isn't configured", detail="root is an unset reference")
        try:
            return os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Unavailable("the file drop's folder can't be opened", detail=str(error)) from error

    @staticmethod
    def _step(handle: int, name: str, flags: int) -> int:
        if name in ("", ".", ".."):
            raise Outside("a path must name its parts")
        try:
            return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
        except OSError as error:
            if error.errno in _LINK_ERRORS:
                raise Outside(f"{name} is a link or no folder") from None
            raise

    def sweep(self, folders: tuple[str, ...], prefix: str, older_than: float) -> None:
        """Removes what a killed writer left: files of ours with a prefix, last changed before `older_than`."""
        with suppress(OSError, Outside), self.directory(folders) as handle:
            for name in os.listdir(handle):
                with suppress(OSError):
                    if name.startswith(prefix) and os.stat(name, dir_fd=handle).st_mtime < older_than:
                        os.unlink(name, dir_fd=handle)
