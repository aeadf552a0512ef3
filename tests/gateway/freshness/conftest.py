"""What the tests of this room share."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def load(name: str) -> ModuleType:
    """A plain module beside this file."""
    spec = importlib.util.spec_from_file_location(f"figway_freshness_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def imagined() -> ModuleType:
    """tests/gateway/freshness/imagined.py."""
    return load("imagined")


@pytest.fixture(scope="session")
def histories() -> ModuleType:
    """tests/gateway/freshness/histories.py."""
    return load("histories")


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
