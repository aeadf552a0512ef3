"""What the tests of this room share."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from beside import beside


@pytest.fixture(scope="session")
def imagined() -> ModuleType:
    """tests/gateway/freshness/imagined.py."""
    return beside(__file__, "imagined")


@pytest.fixture(scope="session")
def histories() -> ModuleType:
    """tests/gateway/freshness/histories.py."""
    return beside(__file__, "histories")


_WAYS = [
    ("postgres", "slot"),
    ("postgres", "outbox"),
    ("mariadb", "binlog"),
    ("mariadb", "outbox"),
    ("sqlite", "outbox"),
    ("files", "diff"),
]


@pytest.fixture(params=_WAYS, ids=[" ".join(each) for each in _WAYS])
def source(request: pytest.FixtureRequest, tmp_path: Path, servers: ModuleType, histories: ModuleType) -> Iterator[Any]:
    kind, method = request.param
    if kind == "files":
        yield histories.Drop(tmp_path, 400 if os.environ.get("FIGWAY_SLOW") else 80)
        return
    if kind == "sqlite":
        with closing(sqlite3.connect(tmp_path / "base.db")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        dsn = servers.sqlite_dsn(tmp_path / "base.db")
    else:
        dsn = request.getfixturevalue(kind).dsn
    found = histories.Source(kind, method, dsn, tmp_path)
    found.run(histories.CREATE)
    asyncio.run(found.prepared())
    yield found
    asyncio.run(found.cleared())
    found.run("DROP TABLE hist")
