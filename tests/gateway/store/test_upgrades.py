"""Stores that older versions wrote, opened by this one: whatever they hold is there afterwards."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.store.contract import NewerState, files_hash
from gateway.store.schema import UPGRADES, upgrade
from gateway.store.sqlite import SqliteState

MADE = "2026-11-21T02:00:00+00:00"
FILES = {"gateway.yaml": b"upstreams: {}\n"}


def _first(path: Path) -> None:
    """A store as the first version wrote it: one snapshot, one API key."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        upgrade(db, UPGRADES[:1])
        whole = files_hash(FILES)
        db.execute("INSERT INTO blobs VALUES ('b1', ?)", (FILES["gateway.yaml"],))
        difference = '{"added": ["gateway.yaml"], "changed": [], "removed": []}'
        row = (whole, MADE, difference)
        db.execute("INSERT INTO snapshots VALUES (1, ?, NULL, 'host:ann', 'start', NULL, ?, ?)", row)
        db.execute("INSERT INTO snapshot_files VALUES (1, 'gateway.yaml', 'b1')")
        key = ("abcdefghijkl", "00" * 32, "p1", "alice", "bot", '["reader"]', "acme", MADE)
        db.execute("INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)", key)


@pytest.mark.parametrize("through", range(1, len(UPGRADES) + 1))
def test_every_older_store_comes_forward_with_what_it_holds(tmp_path: Path, through: int) -> None:
    path = tmp_path / "state.db"
    _first(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        upgrade(db, UPGRADES[:through])
    with closing(SqliteState(path)) as state:
        stored, files = state.snapshot(1)
        (key,) = state.all_keys()
        assert (stored.hash, stored.author, files) == (files_hash(FILES), "host:ann", FILES)
        assert (key.id, key.pepper, key.principal, key.agent) == ("abcdefghijkl", "p1", "alice", "bot")
        assert (key.roles, key.tenant, key.revoked) == (("reader",), "acme", None)
        assert key.created == datetime(2026, 11, 21, 2, tzinfo=UTC)
        # It takes what is new, too.
        made = state.publish({**FILES, "a": b"1"}, expected_parent=1, author="ann", reason="r")
        assert made.follows(stored)
        assert state.active() == 2


def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    _first(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        broken = (*UPGRADES, ("CREATE TABLE made (a)", "CREATE TABLE made (a)"))
        with pytest.raises(sqlite3.Error, match="already exists"):
            upgrade(db, broken)
        assert db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() == ("1",)
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'made'").fetchone() == (0,)


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        upgrade(db, (*UPGRADES, ("CREATE TABLE later (a)",)))
    with pytest.raises(NewerState, match="run the newer figway"):
        SqliteState(path)
