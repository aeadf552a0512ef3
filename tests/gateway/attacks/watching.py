"""What is looked at after every attack: canaries, secrets wherever something is told, memory, a good call."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

MOST_GROWTH = 64 * 2**20
# What no caller is ever told: programs' traces, SQL, places of files.
_LEAKS = re.compile(
    rb"Traceback|File \"/|\.py\"|line \d+, in |SELECT .{1,200} FROM|sqlite3?\.|SQLSTATE|/site-packages/|root:x:0"
    rb"|/usr/lib|/proc/|PRIVATE KEY|pyodbc|orjson\.|aiohttp\.|lxml\."
)


class Files:
    """Files that grow: each look reads what has come since the last one."""

    def __init__(self, *places: tuple[Path, str]) -> None:
        self._places = places
        self._read: dict[Path, int] = {}

    def fresh(self) -> bytes:
        """All that was written since the last look."""
        pieces = []
        for path in self._paths():
            with path.open("rb") as file:
                start = self._read.get(path, 0)
                file.seek(start)
                # Whole lines only: what is being written is looked at next time.
                whole = file.read().rpartition(b"\n")[0]
                pieces.append(whole)
                self._read[path] = start + len(whole)
        return b"\n".join(pieces)

    def _paths(self) -> Iterator[Path]:
        for folder, pattern in self._places:
            yield from (path for path in sorted(folder.glob(pattern)) if path.is_file())


class Audit:
    """The audit's records, read as its file has them; each look reads the segments that came since the last one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = -1

    def fresh(self) -> bytes:
        """All records since the last look."""
        bodies = []
        for path in self._folder.glob("log-*.db"):
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                query = "SELECT number, body FROM segments WHERE number > ? ORDER BY number"
                for number, body in connection.execute(query, (self._read,)).fetchall():
                    self._read = number
                    bodies.append(bytes(body))
        return b"\n".join(bodies)


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def resident(pids: list[int], field: str = "VmRSS") -> int:
    """Bytes of memory that processes hold (`VmRSS`), or held at most since `forget_peak` (`VmHWM`)."""
    total = 0
    for pid in pids:
        found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        total += int(found[1]) * 1024 if found else 0
    return total


def forget_peak(pids: list[int]) -> None:
    """Lets the peak of resident memory start anew (Linux: proc(5), clear_refs)."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def handles(pid: int) -> int:
    """How many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def mode(path: Path | str) -> int:
    """A file's permission bits."""
    return Path(path).stat().st_mode & 0o777


def make_pipe(path: Path) -> None:
    """A named pipe."""
    os.mkfifo(path)


def command_lines() -> bytes:
    """The process list's command lines, as anybody on the host may read them."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes())
        except OSError:
            continue
    return b"\n".join(lines)


class Rows:
    """All tables of a SQLite file, read again only when somebody has written to it (its `data_version` says so)."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._version, self._digest = -1, ""

    def digest(self) -> str:
        """The digest of all rows as they are now."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version, self._digest = version, self._read()
        return self._digest

    def _read(self) -> str:
        digest = sha256()
        names = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        for (name,) in names.fetchall():
            digest.update(name.encode())
            for row in self._connection.execute(f'SELECT * FROM "{name}"'):
                digest.update(repr(row).encode())
        return digest.hexdigest()

    def close(self) -> None:
        self._connection.close()


def leaks(text: bytes, secrets: Mapping[str, bytes]) -> list[str]:
    """The names of the secrets that stand in a text."""
    return [name for name, secret in secrets.items() if secret in text]


def told_too_much(text: bytes) -> list[str]:
    """What stands in a reply and is nobody's business but the operator's."""
    return [found[0].decode("latin-1") for found in _LEAKS.finditer(text)]


def until(check: Any, seconds: float = 15) -> Any:
    """What `check` answers, once that is true."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "it didn't happen in time"
        time.sleep(0.01)
    return found
