"""SQLite by sqliteodbc."""

from __future__ import annotations

from adapters.odbc.dialect import Dialect
from adapters.odbc.failures import Codes, Failure

# The driver itself rounds a double to 15 digits.
_SQLITE_FLOAT = "CASE typeof({c}) WHEN 'real' THEN printf('%!.17g', {c}) ELSE {c} END"
# The driver ends a text at a NUL, without a word: what can't be read then, and so is an error, is read in its stead.
_SQLITE_TEXT = "CASE WHEN instr(CAST({c} AS TEXT), char(0)) THEN CAST(x'ff' AS TEXT) ELSE CAST({c} AS TEXT) END"

SQLITE = Dialect(
    name="sqlite",
    grammar="sqlite",
    # NoCreat: a mistyped path is an error instead of a new, empty database. Timeout is the driver's own wait for a
    # lock, on top of SQLite's (`deadline`, below).
    options={"NoCreat": "1", "FKSupport": "1", "BigInt": "1", "Timeout": "1"},
    encoding="utf-8",
    session=("PRAGMA foreign_keys = ON", "PRAGMA query_only = ON"),
    begin_write=("PRAGMA query_only = OFF",),
    end_write=("PRAGMA query_only = ON",),
    # The driver has SQLite wait twice.
    deadline=("PRAGMA busy_timeout = {quarter}",),
    # Columns hold what was stored, whatever they declare: read it as stored and judge it here.
    read={
        **dict.fromkeys(
            ("integer", "decimal", "text", "char", "boolean", "date", "time", "timestamp", "timestamptz", "interval",
             "uuid", "json"),
            _SQLITE_TEXT,
        ),
        "float": _SQLITE_FLOAT,
    },
    stored={"float": _SQLITE_FLOAT},
    exact="CAST({c} AS TEXT) COLLATE BINARY",
    bind={"decimal": "CAST(? AS NUMERIC)"},
    ascending="{c} ASC NULLS LAST",
    descending="{c} DESC NULLS FIRST",
    limit="LIMIT ? OFFSET {skip}",
    # Steps through the result; else the driver fetches all of it.
    bulk={"StepAPI": "1"},
    # A transaction that read what has changed since can't write.
    lock=("", ""),
    last_id="SELECT last_insert_rowid()",
    digits=15,
    cancels_beside=True,
    rolls_back=True,
    # A virtual table is its module's own affair.
    undoes="SELECT 1 FROM sqlite_master WHERE COALESCE(?, '') IS NOT NULL AND name = ? COLLATE NOCASE "
    "AND type IN ('table', 'view') AND sql NOT LIKE 'CREATE VIRTUAL%'",
    hidden="SELECT '', name FROM pragma_table_list WHERE type = 'shadow'",
    # Of a table without a primary key the driver names the columns of all unique indexes.
    keys="SELECT '', t.name, i.name FROM sqlite_master t, pragma_table_info(t.name) i "
    "WHERE t.type = 'table' AND i.pk > 0 ORDER BY t.name, i.pk",
    uniques="SELECT '', t.name, l.name, i.name FROM sqlite_master t, pragma_index_list(t.name) l, "
    "pragma_index_info(l.name) i WHERE t.type = 'table' AND l.\"unique\" AND NOT l.partial AND i.name IS NOT NULL "
    "AND NOT EXISTS (SELECT 1 FROM pragma_index_info(l.name) e WHERE e.name IS NULL) ORDER BY t.name, l.seq, i.seqno",
    codes=Codes(
        messages=(
            ("UNIQUE constraint failed", Failure.CONFLICT),
            ("FOREIGN KEY constraint failed", Failure.CONFLICT),
            ("constraint failed", Failure.INVALID),
            ("no such table", Failure.ABSENT),
            ("no such column", Failure.ABSENT),
        ),
        natives={
            5: Failure.BUSY, 6: Failure.BUSY, 8: Failure.REFUSED, 9: Failure.TIMEOUT, 14: Failure.UNREACHABLE,
            18: Failure.INVALID, 19: Failure.CONFLICT, 20: Failure.INVALID, 23: Failure.REFUSED,
        },
    ),
)  # fmt: skip
