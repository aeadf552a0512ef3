"""Microsoft Access: a file's tables as a SQLite snapshot, made anew whenever the file changes.

Access's ODBC driver on this side of the world reads single tables at best, so its tools (`mdb-json` of mdbtools) copy
the described tables into a database beside, which is then asked like any other. What they print is only ever bound as
values. A file that is being written is left alone until it is whole; meanwhile the last snapshot serves.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from adapters.errors import BadReply, Unavailable
from adapters.odbc.tables import Column, Table

TOOL = "mdb-json"
_FORMATS = ("-D", "%Y-%m-%d", "-T", "%Y-%m-%d %H:%M:%S")
_AFFINITY: Mapping[str, str] = {
    "integer": "INTEGER", "boolean": "INTEGER", "decimal": "NUMERIC", "float": "REAL",
    **dict.fromkeys(("text", "char", "uuid", "date", "timestamp"), "TEXT"),
}  # fmt: skip
_LONGEST, _WIDEST = 120.0, 1 << 26
"""Seconds that a table may take, and bytes that a row may have."""
_MIDNIGHT = " 00:00:00"
_SUFFIX = ".db"

Signature = tuple[int, int, int, int]
"""Device, inode, size and time of change: what tells a file from what it was."""


@dataclass(frozen=True, slots=True)
class AccessFile:
    """A file of Access, and what of it is wanted; `cache` is where snapshots stand."""

    path: Path
    tables: Mapping[str, Table]
    cache: Path

    def faults(self) -> Iterator[str]:
        """What can't be served, a sentence each."""
        if shutil.which(TOOL) is None:
            yield f"reading Access needs {TOOL}: apt-get install mdbtools"
        for name, table in self.tables.items():
            for column in table.columns:
                if column.type.name not in _AFFINITY:
                    yield f"table {name}: {column.type.name} isn't read from Access; leave out '{column.name}'"

    def signature(self) -> Signature:
        """What the file is now; raises `Unavailable`."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise Unavailable("the file isn't there, or can't be read", detail=str(error)) from error
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def snapshot(self, signature: Signature) -> Path:
        """The file's snapshot: the one that is there, also another process's, or a new one, older ones removed. Takes
        as long as reading the file; raises `Unavailable` while it changes, `BadReply` where it can't be read."""
        described = repr([(name, table) for name, table in sorted(self.tables.items())])
        made = self.cache / (sha256(f"{signature} {described}".encode()).hexdigest()[:32] + _SUFFIX)
        if made.exists():
            return made
        self.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.cache) as folder:
            copy, draft = Path(folder) / "copy", Path(folder) / "draft"
            self._copy(copy, signature)
            self._build(copy, draft)
            os.replace(draft, made)
        for old in self.cache.glob(f"*{_SUFFIX}"):
            if old != made:  # who reads it still has it open
                old.unlink(missing_ok=True)
        return made

    def _copy(self, copy: Path, signature: Signature) -> None:
        try:
            shutil.copyfile(self.path, copy)
        except OSError as error:
            raise Unavailable("the file can't be read", detail=str(error)) from error
        if self.signature() != signature:
            raise Unavailable("the file is being written; it is read when it is whole")

    def _build(self, copy: Path, draft: Path) -> None:
        try:
            with contextlib.closing(sqlite3.connect(draft)) as database, database:
                for name, table in self.tables.items():
                    _fill(database, copy, table.table or name, table)
        except sqlite3.Error as error:
            raise BadReply("the file's tables aren't as they are described", detail=str(error)) from error


def _fill(database: sqlite3.Connection, copy: Path, name: str, table: Table) -> None:
    columns = table.columns
    stated = ", ".join(f"{_quoted(column.name)} {_AFFINITY[column.type.name]}" for column in columns)
    database.execute(f"CREATE TABLE {_quoted(name)} ({stated})")
    marks = ", ".join("?" * len(columns))
    database.executemany(f"INSERT INTO {_quoted(name)} VALUES ({marks})", _rows(copy, name, columns))  # noqa: S608 - quoted names, bound values
    if table.primary_key:
        keys = ", ".join(map(_quoted, table.primary_key))
        database.execute(f"CREATE UNIQUE INDEX {_quoted(f'{name} key')} ON {_quoted(name)} ({keys})")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _rows(copy: Path, name: str, columns: tuple[Column, ...]) -> Iterator[list[Any]]:
    """A table's rows, one line of JSON each, in which NULL is absent."""
    command = [TOOL, *_FORMATS, "--", str(copy), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - no shell, and nothing of it is an option
        assert process.stdout is not None
        end = threading.Timer(_LONGEST, process.kill)
        end.start()
        try:
            while line := process.stdout.readline(_WIDEST):
                row = json.loads(line, parse_float=str)
                yield [_value(column, row.get(column.name)) for column in columns]
            code = process.wait()
        except ValueError as error:
            raise BadReply(f"table {name} can't be read", detail=str(error)) from error
        finally:
            end.cancel()
            process.kill()
    if code != 0:
        raise BadReply(f"there is no table {name} in the file, or it can't be read")


def _value(column: Column, value: Any) -> Any:
    """What is stored of a value; what isn't of its column's type is told when it is read."""
    if isinstance(value, str) and "\0" in value:  # where the driver would end the text, without a word
        raise BadReply(f"the column '{column.name}' holds a NUL character, which can't be copied")
    if column.type.name == "date" and isinstance(value, str):
        return value.removesuffix(_MIDNIGHT)
    return value
