"""Writing a file: whole or not at all, lasting, and over another file only where that is meant.

A temporary file in the same folder is written and synced, linked to its name (which fails when that exists) or, to
replace what is there, renamed to it, and the folder is synced. A kill at any moment leaves what was there or
the whole file; what a killed writer leaves is a hidden temporary file, swept away later.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import string
from collections.abc import Mapping
from contextlib import suppress

from adapters.contract import Json
from adapters.errors import Conflict, FieldError, Invalid, Unavailable, UnknownOutcome
from adapters.files.folder import Folder, Outside

TEMPORARY = ".figway-"
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
_LONGEST_VALUE = 100
_LONGEST_NAME = 200
_MODE = 0o640


class Template:
    """A file name with fields in braces, in its last part only; raises `ValueError` with a sentence."""

    def __init__(self, text: str) -> None:
        *folders, name = text.split("/")
        parts = list(string.Formatter().parse(name))
        if any(part in ("", ".", "..") or "{" in part or part.startswith(".") for part in folders) or "\0" in text:
            raise ValueError(f"'{text}' must be a path inside the root folder, with fields in its last part only")
        if name.startswith(".") or any(spec or conversion for _, _, spec, conversion in parts):
            raise ValueError(f"'{text}' must name a visible file, with plain fields such as {{task_id}}")
        self.folders = tuple(folders)
        self.fields = tuple(field for _, field, _, _ in parts if field is not None)
        self._parts = [(literal, field) for literal, field, _, _ in parts]

    def name(self, value: Mapping[str, Json]) -> str:
        """The file name for a record; raises `Invalid` where a value can't be part of one."""
        faults = []
        written = []
        for literal, field in self._parts:
            written.append(literal)
            if field is None:
                continue
            text = str(value.get(field, ""))
            if not _SAFE.fullmatch(text) or len(text) > _LONGEST_VALUE:
                faults.append(FieldError(f"/{field}", "must be letters, digits, '-', '_' and '.' to name a file"))
            written.append(text)
        name = "".join(written)
        if faults or len(name) > _LONGEST_NAME:
            raise Invalid("the record can't be named", errors=faults)
        return name


def drop(folder: Folder, folders: tuple[str, ...], name: str, data: bytes, *, over: bool = False) -> str:
    """Writes a new file, on a thread; answers its path below root. Raises `Conflict` when that name is taken, unless
    it is to be put `over` what is there."""
    try:
        with folder.directory(folders) as handle:
            temporary = f"{TEMPORARY}{secrets.token_hex(8)}.tmp"
            try:
                _write(handle, temporary, data, _mode(handle, name) if over else _MODE)
                _publish(handle, temporary, name, over=over)
            finally:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=handle)
            _settle(handle)
    except (OSError, Outside) as error:
        raise Unavailable("the drop folder can't be opened; nothing was written", detail=str(error)) from error
    return "/".join((*folders, name))


def _mode(handle: int, name: str) -> int:
    """Who may read the file that will be replaced may read the new one."""
    with suppress(OSError):
        found = os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode
        if stat.S_ISREG(found):
            return stat.S_IMODE(found) & 0o666
    return _MODE


def _write(handle: int, temporary: str, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        opened = os.open(temporary, flags, 0o600, dir_fd=handle)
        with open(opened, "wb", buffering=0) as file:
            os.fchmod(opened, mode)
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            os.fsync(opened)
    except OSError as error:
        raise Unavailable("the record couldn't be written; nothing was written", detail=str(error)) from error


def _publish(handle: int, temporary: str, name: str, *, over: bool) -> None:
    try:
        if over:
            os.rename(temporary, name, src_dir_fd=handle, dst_dir_fd=handle)
            return
        os.link(temporary, name, src_dir_fd=handle, dst_dir_fd=handle)
    except FileExistsError:
        raise Conflict("a record of that key exists already") from None
    except OSError as error:
        raise Unavailable("the record couldn't be put in place; nothing was written", detail=str(error)) from error


def _settle(handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        raise UnknownOutcome("the record was written, but may not last", detail=str(error)) from error
