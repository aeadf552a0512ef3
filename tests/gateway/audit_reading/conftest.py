"""Audits of any size, written as the README lays them out, without the gateway's own writer."""

from __future__ import annotations

import json
import secrets
import sqlite3
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.archive import folder_archive
from gateway.audit.arguments import Hasher
from gateway.audit.keys import PUBLIC_KEYS, AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.note import public_keys
from gateway.audit.places import open_log, verified_places
from gateway.audit.postgres import database_archive
from gateway.audit.reader import Reader
from gateway.audit.record import Record
from gateway.audit.verify import FolderVerdict, verify
from gateway.store.place import StateFolder

_TABLES = """
CREATE TABLE about (writer TEXT NOT NULL, format INTEGER NOT NULL);
CREATE TABLE segments (number INTEGER PRIMARY KEY, first INTEGER NOT NULL, count INTEGER NOT NULL,
                       time INTEGER NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, segment INTEGER NOT NULL, time INTEGER NOT NULL,
                          frontier BLOB NOT NULL, note BLOB NOT NULL);
CREATE TABLE prunings (size INTEGER PRIMARY KEY, segment INTEGER NOT NULL, time INTEGER NOT NULL,
                       frontier BLOB NOT NULL, note BLOB NOT NULL);
"""
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Written:
    """A folder that writers of the test's own write to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def new_writer(self, number: int = 0) -> str:
        """Makes `log-N.db` and answers its writer's name."""
        writer = secrets.token_hex(8)
        with closing(self._open(number)) as connection:
            connection.executescript(_TABLES)
            connection.execute("INSERT INTO about VALUES (?, 2)", (writer,))
        return writer

    def write(self, records: Iterable[dict[str, Any]], number: int = 0, group: int = 100) -> None:
        """Adds records to `log-N.db`, `group` to a segment, all in one transaction."""
        if not self._path(number).exists():
            self.new_writer(number)
        with closing(self._open(number)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)", _segments(connection, records, group)
            )
            connection.execute("COMMIT")

    def run(self, statement: str, values: tuple[Any, ...] = (), number: int = 0) -> None:
        """Does something to a file that nobody should."""
        with closing(self._open(number)) as connection:
            connection.execute(statement, values)

    def body(self, segment: int, number: int = 0) -> bytes:
        """The lines of a segment."""
        with closing(self._open(number)) as connection:
            row = connection.execute("SELECT body FROM segments WHERE number = ?", (segment,)).fetchone()
        return bytes(row[0])

    def _path(self, number: int) -> Path:
        return self.folder / f"log-{number}.db"

    def _open(self, number: int) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path(number), isolation_level=None, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        return connection


def _segments(
    connection: sqlite3.Connection, records: Iterable[dict[str, Any]], group: int
) -> Iterator[tuple[Any, ...]]:
    (writer,) = connection.execute("SELECT writer FROM about").fetchone()
    last = connection.execute(
        "SELECT number, first + count, hash FROM segments ORDER BY number DESC LIMIT 1"
    ).fetchone()
    number, first, hash = last or (0, 0, sha256(b"figway audit 2\n" + writer.encode()).digest())
    rest = iter(records)
    while some := list(islice(rest, group)):
        number += 1
        body = b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in some)
        time = 1_800_000_000_000_000 + number
        hash = sha256(hash + struct.pack(">QQQQ", number, first, len(some), time) + body).digest()
        yield number, first, len(some), time, body, hash
        first += len(some)


def record_number(number: int, **members: Any) -> dict[str, Any]:
    """A call's record: one a second, of ten principals, through three agents, on four routes."""
    trace = sha256(b"%d" % number).hexdigest()[:32]
    failed = number % 50 == 7
    return {
        "kind": "call",
        "id": f"01J{number:023d}",
        "time": (START + timedelta(seconds=number)).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "method": "GET",
        "route": f"/route-{number % 4}/{{id}}",
        "operation": f"get_{number % 4}",
        "effect": "read",
        "principal": f"person-{number % 10}",
        "agent": None if number % 3 == 0 else f"agent-{number % 3}",
        "tenant": "acme" if number % 2 else "globex",
        "credential": f"key:k{number % 10}",
        "snapshot": 1,
        "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
        "decision": "allow",
        "policies": ["access.0"],
        "arguments": {"hashed": {"path.id": f"{number:032x}"}, "key": "h1"},
        "status": 503 if failed else 200,
        "seconds": 0.004,
        "outcome": "failed" if failed else "ok",
        "problem": "upstream-unavailable" if failed else None,
        "upstream_calls": [
            {"upstream": "crm" if number % 4 else "erp", "operation": "Get", "seconds": 0.003, "outcome": "ok",
             "sources": [{"system": "crm", "object": "Customer", "key": f"hmac:{number:032x}"}]}
        ],
        "served_by": "legacy",
        "request_bytes": 0,
        "reply_bytes": 812,
        **members,
    }  # fmt: skip


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "audit")


@pytest.fixture
def make() -> Callable[..., dict[str, Any]]:
    """`make(number, **members)`: a record by number."""
    return record_number


_TABLES_OF_A_FLEET = "figway_audit_prunings, figway_audit_checkpoints, figway_audit_segments, figway_audit_writers"


class Fleet:
    """An audit in a PostgreSQL database."""

    def __init__(self, server: Any, folder: Path) -> None:
        self.server = server
        self.url = f"postgresql://{server.user}:{server.password}@{server.host}:{server.port}/{server.database}"
        self.folder = StateFolder(folder)
        self.keys = AuditKeys(lambda: ("k1", b"s" * 32), Hasher("h1", b"h" * 32))

    def open_log(self) -> AuditLog:
        return open_log(self.url, self.folder, self.keys)

    def verdict(self, folder: StateFolder | None = None) -> FolderVerdict:
        """What `verify` says, with the public keys of a state folder."""
        folder = folder or self.folder
        places, done = verified_places(self.url, folder)
        try:
            return verify(places, public_keys((folder.audit / PUBLIC_KEYS).read_text()))
        finally:
            done()

    def ids(self, kind: str | None = None) -> list[str]:
        """The ids of all records, or of one kind's."""
        with database_archive(self.url) as archive:
            bodies = [segment.body for source in archive for segment in source.segments()]
        records = [json.loads(line) for body in bodies for line in body.splitlines()]
        return [record["id"] for record in records if kind is None or record["kind"] == kind]

    def cut(self) -> None:
        """Ends every connection of an audit, as a failing network or server would."""
        self.server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'figway audit'"
        )


@pytest.fixture
def fleet(postgres: Any, tmp_path: Path) -> Iterator[Fleet]:
    """An audit in an empty database."""
    yield Fleet(postgres, tmp_path / "state")
    postgres.sql(f"DROP TABLE IF EXISTS {_TABLES_OF_A_FLEET}")


@pytest.fixture
def fleet_of(tmp_path: Path) -> Callable[[Any], Fleet]:
    """`fleet_of(server)`: an audit in another server's database."""
    return lambda server: Fleet(server, tmp_path / "state")


@pytest.fixture
def done() -> Callable[[str], Record]:
    """`done(id)`: the record of a control action."""
    return lambda id: Record(id, time.time(), "POST", "/items", 200, 0.01, "put_item", "write", "ann")


@pytest.fixture
def reader_of(tmp_path: Path) -> Callable[[Path], Reader]:
    """`reader_of(folder)`: a reader of a folder, with nothing sealed."""
    index = tmp_path / "cache" / "index.db"
    return lambda folder: Reader(lambda: folder_archive(folder), index, str(folder), lambda record: record)


@pytest.fixture
def reader(written: Written, reader_of: Callable[[Path], Reader]) -> Reader:
    """A reader of what is written."""
    return reader_of(written.folder)


@pytest.fixture
def three(written: Written, make: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """Six hundred records of three writers, newest first."""
    records = [make(number) for number in range(600)]
    for writer in range(3):
        written.write(records[writer::3], writer, group=7)
    return records[::-1]
