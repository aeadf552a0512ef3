"""Files of a workspace written all at once or not at all.

They are first written aside, into `.figway/import`; one rename then says that they count, and from there on whoever
finds them completes it. A kill at any moment leaves the workspace as it was, or a few renames short of what it will be,
which `read_workspace` refuses to read.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import orjson

from gateway.importing.model import CantImport
from gateway.routing.folder import INTERRUPTED
from gateway.store.durable import sync

_NEW = "new"


@contextmanager
def alone(workspace: Path) -> Iterator[None]:
    """Lets one import at a time work on a workspace, and completes what a killed one began; raises `CantImport`."""
    if not (workspace / "gateway.yaml").is_file():
        raise CantImport(f"there is no gateway.yaml in {workspace}: 'figway init' makes one")
    with _opened(workspace / ".figway") as lock:
        _locked(lock, workspace)
        finish(workspace)
        yield


def _locked(lock: TextIO, workspace: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CantImport(f"another import works on {workspace}: wait for it to end") from None


def _opened(folder: Path) -> TextIO:
    """The file that one import at a time has locked; raises `CantImport`."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        return (folder / "import.lock").open("w")
    except OSError as error:
        raise CantImport(f"{error.filename} can't be written: {error.strerror}") from error


def write(workspace: Path, files: Mapping[str, bytes | None]) -> None:
    """Writes those files; None removes one. Raises `CantImport`: nothing was written, or it says what is missing."""
    staged = (workspace / INTERRUPTED).parent
    for name in files:
        _inside(workspace.resolve(), name)
    try:
        shutil.rmtree(staged, ignore_errors=True)
        for name, content in files.items():
            if content is not None:
                _write(staged / _NEW / name, content)
        names = {"write": [name for name, each in files.items() if each is not None]}
        names["remove"] = [name for name, each in files.items() if each is None]
        _write(staged / "draft.json", orjson.dumps(names))
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        # A disk that is full names no file.
        what = error.filename or staged
        raise CantImport(f"{what} can't be written: {error.strerror}; nothing was changed") from error
    os.replace(staged / "draft.json", workspace / INTERRUPTED)
    sync(staged)
    finish(workspace)


def _inside(root: Path, name: str) -> None:
    """Refuses a place at which no file can stand, or that a link leads out of the workspace."""
    place = root / name
    above = next(each for each in place.parents if each.is_dir())
    beside = next((each for each in place.parents if each != above and each.is_relative_to(above) and _is(each)), None)
    if beside is not None or place.is_dir():
        what = (beside or place).relative_to(root)
        raise CantImport(f"{what} is no {'folder' if beside else 'file'}: move it away; nothing was changed")
    if not place.resolve().is_relative_to(root):
        raise CantImport(f"{name} leads out of the workspace: put the folder itself here; nothing was changed")


def _is(path: Path) -> bool:
    """Whether anything stands there, also a link to nothing."""
    return path.exists() or path.is_symlink()


def finish(workspace: Path) -> None:
    """Completes what was decided on, if anything was, and removes what wasn't. Raises `CantImport` where it can't be
    completed yet: the workspace stays refused until it is."""
    try:
        _finish(workspace)
    except OSError as error:
        sentence = (
            f"{error.filename or workspace} can't be written: {error.strerror}; some files are in place and some "
            "aren't: mend that and import once more, which completes it"
        )
        raise CantImport(sentence) from error


def _finish(workspace: Path) -> None:
    decided = workspace / INTERRUPTED
    staged = decided.parent
    if decided.exists():
        names = orjson.loads(decided.read_bytes())
        for name in [*names["write"], *names["remove"]]:
            _inside(workspace.resolve(), name)
        for name in names["write"]:
            source, target = staged / _NEW / name, workspace / name
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(source, target)
                sync(target.parent)
        for name in names["remove"]:
            (workspace / name).unlink(missing_ok=True)
        decided.unlink()
    shutil.rmtree(staged, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
