"""The SQLite store's tables, and how an older file becomes a newer one.

Each entry of `UPGRADES` takes the store one version forward; entries are only ever added. A store that is newer than
this list is refused: its rows may mean what this code doesn't know.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gateway.store.contract import NewerState

_FIRST = (
    "CREATE TABLE blobs (hash TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT",
    """CREATE TABLE snapshots (
        version INTEGER PRIMARY KEY, hash TEXT NOT NULL, parent_hash TEXT, author TEXT NOT NULL, reason TEXT NOT NULL,
        ticket TEXT, time TEXT NOT NULL, difference TEXT NOT NULL) STRICT""",
    """CREATE TABLE snapshot_files (
        version INTEGER NOT NULL REFERENCES snapshots, path TEXT NOT NULL, blob TEXT NOT NULL REFERENCES blobs,
        PRIMARY KEY (version, path)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE api_keys (
        id TEXT PRIMARY KEY, mac TEXT NOT NULL, pepper TEXT NOT NULL, principal TEXT NOT NULL, agent TEXT,
        roles TEXT NOT NULL, tenant TEXT, created TEXT NOT NULL, expires TEXT, revoked TEXT) STRICT""",
    *(
        f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are only ever added'); END"
        for table in ("blobs", "snapshots", "snapshot_files")
        for verb in ("UPDATE", "DELETE")
    ),
)

_NARROWED_KEYS = (
    "ALTER TABLE api_keys ADD COLUMN scopes TEXT",
    "ALTER TABLE api_keys ADD COLUMN used TEXT",
    "CREATE TABLE revoked_tokens (jti TEXT PRIMARY KEY, revoked TEXT NOT NULL, expires TEXT) STRICT",
)

_STAGES = (
    "ALTER TABLE snapshots ADD COLUMN stages TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE snapshots ADD COLUMN evidence TEXT NOT NULL DEFAULT '{}'",
)

_CHAINED = ("ALTER TABLE snapshots ADD COLUMN content_hash TEXT NOT NULL DEFAULT ''",)

_STOPS = (
    """CREATE TABLE stops (
        id TEXT PRIMARY KEY, agent TEXT, run TEXT, operation TEXT, reason TEXT NOT NULL, author TEXT NOT NULL,
        time TEXT NOT NULL) STRICT""",
)

UPGRADES: Sequence[Sequence[str]] = (_FIRST, _NARROWED_KEYS, _STAGES, _CHAINED, _STOPS)


def upgrade(connection: sqlite3.Connection, upgrades: Sequence[Sequence[str]] = UPGRADES) -> None:
    """Takes the store forward to the newest version in one transaction; raises `NewerState`.

    `connection` is in autocommit mode. Safe when several processes start at once: the first one upgrades.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT")
        version = _version(connection)
        if version > len(upgrades):
            raise NewerState(
                f"the store is at version {version} and this figway knows {len(upgrades)}: run the newer figway"
            )
        for statements in upgrades[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (str(len(upgrades)),))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    return int(row[0]) if row else 0
