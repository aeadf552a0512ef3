"""The audit in a PostgreSQL database that the gateways of a fleet share: connections, tables, and reading.

The tables are those of a writer's file, with the writer in front of each row. The driver is the extra
`figway[postgresql]`, imported when a database is named.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.audit.archive import Archive
from gateway.audit.sink import AuditError, Mark, Segment

SCHEMES = ("postgresql://", "postgres://")
_FORMAT = 2
_SECONDS = 5
"""How long the server may take for one answer; the connection is given up then."""
_SETUP_LOCK = 0x66696777_61790001
_FEW, _MANY, _AT_ONCE = 4, 1024, 2**20
_MARKS = "size bigint NOT NULL, segment bigint NOT NULL, time bigint NOT NULL, frontier bytea NOT NULL"
_WRITER = "writer text NOT NULL REFERENCES figway_audit_writers"
_TABLES = (
    """CREATE TABLE IF NOT EXISTS figway_audit_writers (
        writer text PRIMARY KEY, format integer NOT NULL, made timestamptz NOT NULL DEFAULT now())""",
    f"""CREATE TABLE IF NOT EXISTS figway_audit_segments (
        {_WRITER}, number bigint NOT NULL, first bigint NOT NULL, count bigint NOT NULL, time bigint NOT NULL,
        body bytea NOT NULL, hash bytea NOT NULL, PRIMARY KEY (writer, number))""",
    *(
        f"""CREATE TABLE IF NOT EXISTS figway_audit_{table} (
            {_WRITER}, {_MARKS}, note bytea NOT NULL, PRIMARY KEY (writer, size))"""
        for table in ("checkpoints", "prunings")
    ),
)


class Database:
    """One connection, for one thread at a time. Everything raises `AuditError`, and the connection is closed then."""

    def __init__(self, url: str) -> None:
        """Connects, and makes the tables where they aren't there yet; blocks."""
        self._errors: tuple[type[Exception], ...] = (OSError,)
        self._connection = self._connected(url)
        if not self.run("SELECT to_regclass('figway_audit_prunings') IS NOT NULL")[0][0]:
            self._make_tables()

    @property
    def closed(self) -> bool:
        return self._connection is None

    def run(self, statement: str, **values: Any) -> Sequence[Sequence[Any]]:
        """The statement's rows. One statement is a transaction of its own, on the disk when it returns."""
        if self._connection is None:
            raise AuditError("the audit's database isn't connected")
        try:
            rows: Sequence[Sequence[Any]] = self._connection.run(statement, **values) or ()
        except self._errors as error:
            self.close()
            raise AuditError(f"the audit's database failed: {_said(error)}") from error
        return rows

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What runs within is done together, or not at all."""
        self.run("BEGIN")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            # Closing it rolls back, whatever state it is in.
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except self._errors:
                return

    def _connected(self, url: str) -> Any:
        driver = _driver()
        self._errors = (OSError, driver.Error)
        try:
            connection = driver.Connection(**_place(url), timeout=_SECONDS, application_name="figway audit")
            connection.run("SET synchronous_commit = on")
            connection.run(f"SET statement_timeout = {_SECONDS * 1000}")
        except self._errors as error:
            raise AuditError(f"the audit's database can't be reached: {_said(error)}") from error
        return connection

    def _make_tables(self) -> None:
        with self.transaction():
            # Of several processes that start at once, one makes them.
            self.run("SELECT pg_advisory_xact_lock(:key)", key=_SETUP_LOCK)
            for statement in _TABLES:
                self.run(statement)


class DatabaseSource:
    """One writer's records, read through a connection that it shares with others."""

    def __init__(self, connect: Callable[[], Database], writer: str) -> None:
        self._connect = connect
        self.writer = writer

    @property
    def name(self) -> str:
        return f"writer {self.writer}"

    def segments(self, behind: int = 0) -> Iterator[Segment]:
        limit = _FEW
        while True:
            query = """SELECT number, first, count, time, body, hash FROM figway_audit_segments
                WHERE writer = :writer AND number > :behind ORDER BY number LIMIT :limit"""
            group = [Segment(*row) for row in self._run(query, behind=behind, limit=limit)]
            yield from group
            if len(group) < limit:
                return
            behind = group[-1].number
            small = sum(len(each.body) for each in group) < _AT_ONCE // 2
            limit = min(limit * 2, _MANY) if small else _FEW

    def checkpoints(self) -> Iterator[Mark]:
        return self._marks("checkpoints")

    def prunings(self) -> Iterator[Mark]:
        return self._marks("prunings")

    def link(self, segment: int) -> bytes | None:
        query = "SELECT hash FROM figway_audit_segments WHERE writer = :writer AND number = :segment"
        rows = self._run(query, segment=segment)
        return bytes(rows[0][0]) if rows else None

    def piece(self, segment: int, start: int, size: int) -> bytes | None:
        query = """SELECT substring(body FROM cast(:start AS integer) FOR cast(:size AS integer))
            FROM figway_audit_segments WHERE writer = :writer AND number = :segment"""
        rows = self._run(query, segment=segment, start=start + 1, size=size)
        return bytes(rows[0][0]) if rows else None

    def close(self) -> None:
        """The connection is another's to close."""

    def _marks(self, table: str) -> Iterator[Mark]:
        query = f"""SELECT size, segment, time, frontier, note FROM figway_audit_{table}
            WHERE writer = :writer ORDER BY size"""  # noqa: S608 - one of two constants
        return iter([Mark(*row) for row in self._run(query)])

    def _run(self, statement: str, **values: Any) -> Sequence[Sequence[Any]]:
        return self._connect().run(statement, writer=self.writer, **values)


@contextmanager
def database_archive(url: str) -> Iterator[Archive]:
    """The archive of a database, over a connection of its own; raises `AuditError`."""
    database = Database(url)
    try:
        yield [DatabaseSource(lambda: database, writer) for writer in writers(database)]
    finally:
        database.close()


def writers(database: Database) -> list[str]:
    """The writers' names, the oldest first; raises `AuditError` when a newer figway wrote."""
    rows = database.run("SELECT writer, format FROM figway_audit_writers ORDER BY made, writer")
    for writer, version in rows:
        if version != _FORMAT:
            raise AuditError(f"the audit of writer {writer} is of format {version}; this figway reads {_FORMAT}")
    return [str(writer) for writer, _ in rows]


def _driver() -> Any:
    try:
        return import_module("pg8000.native")
    except ImportError as error:
        raise AuditError("stores.audit names PostgreSQL: install its driver with 'figway[postgresql]'") from error


def _place(url: str) -> dict[str, Any]:
    """What the driver is to be told of a URL; raises `AuditError`. The URL holds a secret, and stands in no message."""
    try:
        parts = urlsplit(url)
        asked = {name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
        host, port = parts.hostname or "localhost", parts.port or 5432
    except ValueError as error:
        raise AuditError("stores.audit isn't a URL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from error
    if not url.startswith(SCHEMES) or not parts.username or set(asked) - {"sslmode"}:
        raise AuditError("stores.audit must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with sslmode at most")
    return {
        "host": host,
        "port": port,
        "user": unquote(parts.username),
        "password": None if parts.password is None else unquote(parts.password),
        "database": unquote(parts.path[1:]) or unquote(parts.username),
        "ssl_context": _tls(asked.get("sslmode"), host),
    }


def _tls(mode: str | None, host: str) -> ssl.SSLContext | None:
    """By default a server on another host must prove who it is (`verify-full`), and one on this host needn't."""
    mode = mode or ("disable" if host in ("localhost", "127.0.0.1", "::1") else "verify-full")
    if mode == "disable":
        return None
    if mode != "verify-full":
        raise AuditError("stores.audit: sslmode is disable or verify-full")
    return ssl.create_default_context()


def _said(error: Exception) -> str:
    """What the server or the system says, in one line; the driver's own text is a dictionary."""
    fields = error.args[0] if error.args else ""
    text = fields.get("M", "") if isinstance(fields, dict) else str(error)
    return " ".join(text.split()) or type(error).__name__
