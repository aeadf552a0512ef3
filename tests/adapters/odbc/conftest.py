"""The three databases behind one face, and adapters over them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adapters import registry
from adapters.contract import Context, Workspace
from adapters.odbc.adapter import OdbcAdapter
from adapters.secret import Reference


@dataclass
class Database:
    """A database to test against: its kind, connection string and a way to run plain SQL beside the adapter."""

    kind: str
    dsn: str
    run: Callable[[str], Any]
    pid: int = 0

    def fresh(self, name: str, columns: str) -> None:
        """An empty table in place of whatever had the name."""
        self.run(f"DROP TABLE IF EXISTS {name}; CREATE TABLE {name} ({columns});")


def _sqlite_run(path: Path) -> Callable[[str], Any]:
    def run(text: str) -> Any:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(text)

    return run


@pytest.fixture
def sqlite(tmp_path: Path, servers: ModuleType) -> Database:
    path = tmp_path / "base.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    return Database("sqlite", servers.sqlite_dsn(path), _sqlite_run(path))


def _server(server: Any) -> Database:
    return Database(server.kind, server.dsn, server.sql, server.pid)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def database(request: pytest.FixtureRequest) -> Database:
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, Database) else _server(found)


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Database:
    """One of the databases that are servers."""
    return _server(request.getfixturevalue(request.param))


@pytest.fixture
def own_server(request: pytest.FixtureRequest, servers: ModuleType) -> Iterator[Database]:
    """A server for this test alone, to be stopped or killed."""
    start = servers.postgres_server if request.param == "postgres" else servers.mariadb_server
    with start() as server:
        yield _server(server)


Make = Callable[..., OdbcAdapter]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Builds adapters as the gateway does, and closes them when the test ends."""
    made: list[OdbcAdapter] = []

    def build(
        database: Database, tables: str = "", queries: Mapping[str, str] | None = None, **config: Any
    ) -> OdbcAdapter:
        kind = registry.kind("odbc")
        files = {f"openapi/sources/erp/queries/{name}.sql": text.encode() for name, text in (queries or {}).items()}
        if tables:
            files["openapi/sources/erp/tables.yaml"] = tables.encode()
        config = {"dsn": Reference(database.dsn, "env:ERP_DSN"), "read_only": False, **config}
        adapter = kind.build("erp", kind.config(**config), Workspace(files, tmp_path))
        assert isinstance(adapter, OdbcAdapter)
        made.append(adapter)
        return adapter

    yield build
    for adapter in made:
        await adapter.close()


@pytest.fixture
def soon() -> Callable[..., Context]:
    """A context whose deadline is some seconds away, 10 unless told."""
    return lambda seconds=10.0, **more: Context(time.monotonic() + seconds, **more)
