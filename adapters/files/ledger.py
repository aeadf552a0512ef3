"""What became of each request of an exchange: a folder a request, in the file drop, so that all gateways see the same.

    <id>/request      what was asked
    <id>/prepared     the same, until it is sent: sending is one rename, so that it happens once or not at all
    <id>/withdrawn    the same, after somebody was told that it wasn't sent
    <id>/answer.json  what was answered
    <id>/answer       the file that it stood in, where it held nothing else

The folder comes into being as a whole, by a rename that only one process can win. Each step is one system call that
either happened or didn't, so that a kill between any two leaves what the next process goes on from.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EEXIST, ENOTEMPTY, EXDEV
from typing import Literal, TypeAlias

from adapters.contract import Json
from adapters.errors import Conflict, Unavailable, UnknownOutcome
from adapters.files.drop import TEMPORARY
from adapters.files.folder import Folder, Outside
from adapters.files.moves import fill, made, removed

State: TypeAlias = Literal["none", "prepared", "withdrawn", "sent", "answered"]

_LONGEST_ANSWER = 64 * 1024 * 1024
_LEFT = 3600.0
"""Seconds after which what a killed writer left is removed."""


class Ledger:
    """The requests of one exchange, below one folder of the drop. Every method blocks."""

    def __init__(self, folder: Folder, where: tuple[str, ...]) -> None:
        self._folder = folder
        self._where = where

    def state(self, id: str) -> State:
        """How far a request is; raises `Unavailable`."""
        try:
            with self._opened((*self._where, id)) as handle:
                names = set(os.listdir(handle))
        except FileNotFoundError:
            return "none"
        if "answer.json" in names:
            return "answered"
        if "prepared" in names:
            return "prepared"
        return "withdrawn" if "withdrawn" in names else "sent"

    def prepare(self, id: str, data: bytes) -> None:
        """Makes a request's folder, unless it is there; raises `Unavailable`, nothing sent."""
        with self._opened(self._where) as handle:
            temporary = f"{TEMPORARY}{secrets.token_hex(8)}.tmp"
            os.mkdir(temporary, 0o750, dir_fd=handle)
            try:
                with self._opened((*self._where, temporary)) as inside:
                    fill(inside, "request", data)
                    fill(inside, "prepared", data)
                    os.fsync(inside)
                os.rename(temporary, id, src_dir_fd=handle, dst_dir_fd=handle)
            except OSError as error:
                removed(handle, temporary)
                if error.errno not in (EEXIST, ENOTEMPTY):  # else another process was first
                    raise
            os.fsync(handle)

    def send(self, id: str, source: Literal["prepared", "withdrawn"], folders: tuple[str, ...], name: str) -> None:
        """Puts a request in its place, unless that was done; raises `Unavailable`, `Conflict`, `UnknownOutcome`."""
        with self._opened((*self._where, id)) as ours, self._opened(folders) as theirs:
            with suppress(FileNotFoundError):
                os.stat(name, dir_fd=theirs, follow_symlinks=False)
                if source in os.listdir(ours):
                    raise Conflict("a file of the request's name is there already; nothing was sent")
                return
            try:
                os.rename(source, name, src_dir_fd=ours, dst_dir_fd=theirs)
            except FileNotFoundError:  # it is sent, or was taken back meanwhile
                return
            try:
                os.fsync(theirs)
                os.fsync(ours)
            except OSError as error:
                raise UnknownOutcome("the request was sent, but may not last", detail=str(error)) from error

    def withdraw(self, id: str) -> bool:
        """Makes sure that a prepared request is not sent by who prepared it; False: it isn't prepared any more."""
        with self._opened((*self._where, id)) as handle:
            try:
                os.rename("prepared", "withdrawn", src_dir_fd=handle, dst_dir_fd=handle)
            except FileNotFoundError:
                return False
            os.fsync(handle)
            return True

    def answered(self, id: str, answer: Json) -> None:
        """Keeps an answer; the first one stands."""
        with self._opened((*self._where, id)) as handle:
            temporary = f"{TEMPORARY}{secrets.token_hex(8)}.tmp"
            fill(handle, temporary, json.dumps(answer).encode())
            with suppress(FileExistsError):
                os.link(temporary, "answer.json", src_dir_fd=handle, dst_dir_fd=handle)
            os.unlink(temporary, dir_fd=handle)
            os.fsync(handle)

    def answer(self, id: str) -> Json:
        """What was answered; None: nothing yet."""
        with suppress(FileNotFoundError), self._opened((*self._where, id)) as handle:
            opened = os.open("answer.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
            with open(opened, "rb") as file:
                return json.loads(file.read(_LONGEST_ANSWER))
        return None

    def archive(self, id: str, path: str, inode: int, request: tuple[tuple[str, ...], str]) -> None:
        """Moves the answer's file to the rest, if it is still that one, and removes a request that nobody fetched. It
        may be done again; failing to tidy up fails nothing."""
        *folders, name = path.split("/")
        with suppress(OSError, Outside), self._opened((*self._where, id)) as ours:
            with suppress(FileNotFoundError), self._folder.directory(tuple(folders)) as theirs:
                if os.stat(name, dir_fd=theirs, follow_symlinks=False).st_ino == inode:
                    os.rename(name, "answer", src_dir_fd=theirs, dst_dir_fd=ours)
            with suppress(FileNotFoundError), self._folder.directory(request[0]) as theirs:
                os.unlink(request[1], dir_fd=theirs)

    def sweep(self, keep: float) -> None:
        """Removes what is older than `keep` seconds, and what killed writers left."""
        now = time.time()
        with suppress(OSError, Outside, Unavailable), self._opened(self._where) as handle:
            for name in os.listdir(handle):
                age = now - os.stat(name, dir_fd=handle, follow_symlinks=False).st_mtime
                if name.startswith(TEMPORARY) and age > _LEFT:
                    removed(handle, name)
                elif not name.startswith(".") and age > keep:
                    gone = f"{TEMPORARY}{secrets.token_hex(8)}.tmp"
                    os.rename(name, gone, src_dir_fd=handle, dst_dir_fd=handle)
                    removed(handle, gone)

    @contextmanager
    def _opened(self, folders: tuple[str, ...]) -> Iterator[int]:
        """A folder; the ledger's own is made where there is none. Raises FileNotFoundError for a request's."""
        if folders == self._where:
            made(self._folder, folders)
        try:
            with self._folder.directory(folders) as handle:
                yield handle
        except FileNotFoundError:
            raise
        except (OSError, Outside) as error:
            apart = "; it must be on the file system of the other folders" if _across(error) else ""
            raise Unavailable(f"the exchange's folder can't be used{apart}", detail=str(error)) from error


def _across(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == EXDEV
