"""The state folder copied into one tar file while the gateway runs.

Each database is copied as it is at one moment (SQLite's online backup). The order makes the whole fit together: first
the audit's plain files, which speak of records that its databases hold by then; then the databases, the audit's after
the store's; and at last the keys, so that none is missing that something copied before was signed with. How far
subscribers are is copied before the events, so that nobody is further than the log.
"""

from __future__ import annotations

import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from gateway.store.contract import StoreError
from gateway.store.durable import sync
from gateway.store.place import StateFolder

_PASSING = frozenset({"cache", "demo", "demo.json", "latency", "leader", "limits", "metrics", "shared", "tour"})
"""What a gateway makes anew, or what isn't its own."""
_PASSING_ENDS = ("-wal", "-shm", "-journal", ".lock")

Copied = Callable[[str, int], None]
"""Told of each file that is copied: its name in the backup, and its bytes."""


def backup(folder: StateFolder, store: Path, target: Path, copied: Copied) -> None:
    """Copies the folder, and the store's file wherever it is, into `target`, readable by its owner only.

    Raises `StoreError`; then there is no `target`. One that is there already is never replaced.
    """
    if target.exists():
        raise StoreError(f"{target} is there already: a backup replaces nothing")
    if not store.exists():
        raise StoreError(f"there is no state at {store}: 'figway init' or 'figway serve' makes it")
    try:
        with tempfile.TemporaryDirectory(prefix=".figway-backup-", dir=target.absolute().parent) as draft:
            whole = Path(draft) / "backup.tar"
            _write(whole, _parts(folder, store), copied)
            sync(whole)
            # A link, unlike a rename, never replaces a file that came up meanwhile.
            os.link(whole, target)
        sync(target.absolute().parent)
    except FileExistsError as error:
        raise StoreError(f"{target} is there already: a backup replaces nothing") from error
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise StoreError(f"the backup {target} can't be made: {error}") from error


def _parts(folder: StateFolder, store: Path) -> Iterator[tuple[str, Path]]:
    """Every file to be copied and its name in the backup, in the order that the module's docstring tells."""
    found = {str(path.relative_to(folder.path)): path for path in _files(folder.path)}
    if store not in found.values():
        found["state.db"] = store
    audit, keys = f"{folder.audit.name}/", f"{folder.keys.name}/"

    def rank(name: str) -> int:
        if name.startswith(keys) or name == f"{audit}public-keys":
            return 4
        database = name.endswith(".db")
        if name.startswith(audit):
            return 3 if database else 0
        return 2 if database else 1

    yield from sorted(found.items(), key=lambda each: (rank(each[0]), each[0]))


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _PASSING or path.name.endswith(_PASSING_ENDS) or path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file() and not (path.name.startswith(".") and path.name != ".gitignore"):
            yield path


def _write(whole: Path, parts: Iterator[tuple[str, Path]], copied: Copied) -> None:
    descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        for name, path in parts:
            part = _database(path, whole.with_name("part")) if path.suffix == ".db" else path
            try:
                tar.add(part, name, recursive=False)
            except FileNotFoundError:  # it was there a moment ago, and has been pruned
                continue
            copied(name, part.stat().st_size)


def _database(path: Path, copy: Path) -> Path:
    """A copy of a database as it is at one moment, in one file."""
    copy.unlink(missing_ok=True)
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as made,
    ):
        source.backup(made)
        made.execute("PRAGMA journal_mode=DELETE")
        verdict = made.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StoreError(f"the database {path} is damaged: {verdict}")
    return copy
