"""What is SQLite's own: upgrades, rows that can't be changed, and a store that another figway wrote."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.contract import NewerState, StoreError
from gateway.store.schema import UPGRADES, upgrade
from gateway.store.sqlite import SqliteState, connect


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one snapshot."""
    path = tmp_path / "state.db"
    with closing(SqliteState(path)) as state:
        state.publish({"a": b"1"}, expected_parent=None, author="x", reason="r")
    return path


@pytest.mark.parametrize("table", ["snapshots", "snapshot_files", "blobs"])
@pytest.mark.parametrize("verb", ["DELETE FROM {0}", "UPDATE {0} SET rowid = rowid"])
def test_what_was_published_stays(path: Path, table: str, verb: str) -> None:
    statement = verb.format(table).replace("rowid = rowid", "path = ''" if table == "snapshot_files" else "hash = ''")
    with closing(connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match="only ever added"):
        connection.execute(statement)


def test_commits_reach_the_disk(path: Path) -> None:
    with closing(connect(path)) as connection:
        settings = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 2]


def test_who_opens_a_file_that_another_makes_waits(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        ending = threading.Timer(0.2, lambda: other.execute("COMMIT"))
        ending.start()
        try:
            with closing(connect(path)) as connection:
                assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        finally:
            ending.join()


def test_only_the_owner_may_read_the_file(path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0


def test_an_older_store_is_taken_forward_step_by_step(tmp_path: Path) -> None:
    first = ("CREATE TABLE one (a)", "INSERT INTO one VALUES (1)")
    second = ("ALTER TABLE one ADD COLUMN b", "UPDATE one SET b = a + 1")
    with closing(connect(tmp_path / "x.db")) as connection:
        upgrade(connection, (first,))
        upgrade(connection, (first, second))
        upgrade(connection, (first, second))
        assert connection.execute("SELECT a, b FROM one").fetchall() == [(1, 2)]


def test_a_failed_upgrade_changes_nothing(tmp_path: Path) -> None:
    first = ("CREATE TABLE one (a)",)
    with closing(connect(tmp_path / "x.db")) as connection:
        upgrade(connection, (first,))
        with pytest.raises(sqlite3.OperationalError):
            upgrade(connection, (first, ("CREATE TABLE two (a)", "no SQL")))
        assert connection.execute("SELECT value FROM meta").fetchall() == [("1",)]
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'two'").fetchall() == []


def test_a_newer_store_is_refused_in_a_sentence(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("UPDATE meta SET value = ?", (str(len(UPGRADES) + 1),))
    with pytest.raises(NewerState, match="run the newer figway"):
        SqliteState(path)


@pytest.mark.parametrize("content", [b"this is no database, and long enough to be told from one" * 9, None])
def test_what_is_no_store_is_refused_in_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "state.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=r"the store .*state\.db (can't be opened|failed)"):
        SqliteState(path)
