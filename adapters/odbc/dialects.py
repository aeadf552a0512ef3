"""What differs between databases and their ODBC drivers, as one table a driver.

Everything else in this room is written against `Dialect`; nothing asks which database it talks to. A driver that
isn't here is served by `GENERIC`: SQL:2008, what ODBC itself promises, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.odbc.failures import Codes, Failure


@dataclass(frozen=True, slots=True)
class Dialect:
    """One driver's facts. In templates `{c}` is a quoted column, `{type}` the neutral type's SQL arguments."""

    name: str
    grammar: str = ""
    """sqlglot's name of the SQL dialect; "" is its own."""
    quote: str = '"'
    options: Mapping[str, str] = field(default_factory=dict)
    """Connection-string attributes that are set unless the configuration sets them."""
    encoding: str | None = None
    """For drivers whose wide characters aren't to be trusted: text passes as bytes in this encoding instead."""
    ascii_only: bool = False
    """Then a statement itself must be ASCII, since the driver manager takes its bytes for Latin-1; values needn't."""
    session: tuple[str, ...] = ()
    """Statements on every new connection; the session is read-only afterwards where the database can be."""
    begin_write: tuple[str, ...] = ()
    end_write: tuple[str, ...] = ()
    deadline: tuple[str, ...] = ()
    """Templates that bound a statement at the server, over `{ms}` and `{s}`, and its waiting for locks, over `{half}`,
    `{quarter}` (milliseconds) and `{lock_s}` (whole seconds): half as long, so that "locked" is told in time."""
    ping: str = "SELECT 1"
    read: Mapping[str, str] = field(default_factory=dict)
    """By neutral type: the expression to select, giving text where the driver's own conversion loses something."""
    stored: Mapping[str, str] = field(default_factory=dict)
    """By neutral type, where `read` isn't text: the expression that compares equal with the column again."""
    exact: str = "{c}"
    """A text column's expression that compares as the text is written, whatever collation the column has."""
    exact_implies: bool = False
    """What is equal by `exact` is equal by the column's own collation too."""
    bind: Mapping[str, str] = field(default_factory=dict)
    """By neutral type: the parameter, cast where the database would otherwise compare inexactly."""
    ascending: str = "CASE WHEN {c} IS NULL THEN 1 ELSE 0 END, {c}"
    descending: str = "CASE WHEN {c} IS NULL THEN 0 ELSE 1 END, {c} DESC"
    """Sort terms of a nullable column: NULL is greater than every value, everywhere."""
    limit: str = ""
    """Behind the ORDER BY, with one parameter; "" fetches only the rows wanted and closes the cursor."""
    empty_insert: str = "DEFAULT VALUES"
    returning: str = ""
    """Behind an INSERT, over `{columns}`."""
    last_id: str = ""
    """Where there is no RETURNING: the query of the key that the last insert generated."""
    digits: int | None = None
    """The most significant digits that a decimal keeps, where that is fewer than its type says."""
    rolls_back: bool = False
    """A connection that breaks before COMMIT is certain to leave nothing behind."""
    undoes: str = ""
    """Over the schema ("": wherever an unqualified name is looked up) and the table: a row where a rollback takes back
    all that a write of it does, none where that isn't known; "": nothing is known of any table."""
    settle: tuple[str, ...] = ()
    """Statements that judge, before the end of a transaction, what would be judged at its commit."""
    extras: str = ""
    """What SQLColumns doesn't tell, over the schema ("": the current one) and the table: name, filled, boolean."""
    system_schemas: tuple[str, ...] = ()
    take_role: str = ""
    """Has the session act as `{role}`, quoted; "" where it can't. `drop_role` takes that back."""
    drop_role: str = ""
    take_variables: tuple[str, str] = ("", "")
    """Sets the session's variables: how the statement begins, and a term with one parameter over `{name}`."""
    drop_variables: tuple[str, str, str] = ("", "", "")
    """Takes them back: how the statement begins, a term, and what stands between two."""
    absent: str | None = None
    """What a variable is set to when the call names nobody."""
    codes: Codes = field(default_factory=Codes)


POSTGRESQL = Dialect(
    name="postgresql",
    grammar="postgres",
    options={
        "BoolsAsChar": "0",
        # An error ends the transaction; the driver's default wraps every statement in a savepoint.
        "Protocol": "7.4-1",
        "pqopt": "{connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=3}",
    },
    session=(
        "SET TIME ZONE 'UTC'",
        "SET datestyle = 'ISO'",
        "SET extra_float_digits = 1",
        "SET idle_in_transaction_session_timeout = '60s'",
        "SET default_transaction_read_only = on",
    ),
    begin_write=("SET TRANSACTION READ WRITE",),
    deadline=("SET statement_timeout = {ms}", "SET lock_timeout = {half}"),
    read=dict.fromkeys(("text", "char", "date", "time", "timestamp", "timestamptz"), "CAST({c} AS text)"),
    stored={"float": "CAST({c} AS double precision)"},
    exact='CAST({c} AS text) COLLATE "C"',
    exact_implies=True,
    bind={
        "decimal": "CAST(? AS numeric)",
        "date": "CAST(? AS date)",
        "time": "CAST(? AS time)",
        "timestamp": "CAST(? AS timestamp)",
        "timestamptz": "CAST(? AS timestamptz)",
        "float": "CAST(? AS double precision)",
    },
    # PostgreSQL sorts NULL as the greatest value, so that a plain index serves.
    ascending="{c}",
    descending="{c} DESC",
    limit="LIMIT ?",
    returning="RETURNING {columns}",
    rolls_back=True,
    # A foreign table's server needn't know transactions; what a view stands for isn't known.
    undoes="SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, "
    "(SELECT CAST(? AS text) AS place, CAST(? AS text) AS name) AS asked WHERE c.relname = asked.name "
    "AND (n.nspname = asked.place OR asked.place = '' AND pg_table_is_visible(c.oid)) AND c.relkind IN ('r', 'p') "
    "AND NOT EXISTS (SELECT 1 FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid "
    "WHERE i.inhparent = c.oid AND p.relkind = 'f')",
    settle=("SET CONSTRAINTS ALL IMMEDIATE",),
    extras="SELECT column_name, CAST(is_identity = 'YES' OR is_generated = 'ALWAYS' AS int), 0 "
    "FROM information_schema.columns WHERE table_schema = COALESCE(NULLIF(?, ''), current_schema()) AND table_name = ?",
    system_schemas=("pg_catalog", "information_schema"),
    take_role="SET ROLE {role}",
    drop_role="RESET ROLE",
    take_variables=("SELECT ", "set_config('{name}', CAST(? AS text), false)"),
    drop_variables=("", "RESET {name}", "; "),
    # NULL would stand for a default that the database's own settings may hold.
    absent="",
    codes=Codes(
        messages=(
            ("password authentication failed", Failure.REFUSED),
            ("no pg_hba.conf entry", Failure.REFUSED),
            ("permission denied", Failure.REFUSED),
            ("remaining connection slots are reserved", Failure.BUSY),
            ("too many clients already", Failure.BUSY),
            ("cached plan must not change result type", Failure.BUSY),
            ("terminating connection", Failure.LOST),
            ("server closed the connection", Failure.LOST),
        )
    ),
)

MARIADB = Dialect(
    name="mariadb",
    grammar="mysql",
    quote="`",
    # OPTION 2: an UPDATE counts the rows it found, not only those that it changed.
    options={"OPTION": "2", "CHARSET": "utf8mb4", "CONN_TIMEOUT": "10"},
    # Its wide text is cut short by one for each character whose low byte is that of a surrogate, such as Ú.
    encoding="utf-8",
    ascii_only=True,
    session=(
        "SET time_zone = '+00:00'",
        # Named: ANSI_QUOTES or NO_BACKSLASH_ESCAPES would change what a statement means.
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
        "SET SESSION idle_write_transaction_timeout = 60",
        "SET SESSION TRANSACTION READ ONLY",
    ),
    begin_write=("SET TRANSACTION READ WRITE",),
    deadline=("SET SESSION max_statement_time = {s}", "SET SESSION innodb_lock_wait_timeout = {lock_s}"),
    # The driver drops the fraction of a TIME, gives 0000-00-00 as NULL and a FLOAT with the digits of a double.
    read=dict.fromkeys(("date", "time", "timestamp", "timestamptz", "float"), "CAST({c} AS CHAR)"),
    exact="CONVERT({c} USING utf8mb4) COLLATE utf8mb4_nopad_bin",
    exact_implies=True,
    bind={"decimal": "CAST(? AS DECIMAL{type})"},
    limit="LIMIT ?",
    empty_insert="() VALUES ()",
    returning="RETURNING {columns}",
    # A trigger may write into a table whose engine knows no transactions.
    undoes="SELECT 1 FROM information_schema.tables t JOIN information_schema.engines e ON e.engine = t.engine "
    "WHERE t.table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND t.table_name = ? AND e.transactions = 'YES' "
    "AND NOT EXISTS (SELECT 1 FROM information_schema.triggers g "
    "WHERE g.event_object_schema = t.table_schema AND g.event_object_table = t.table_name)",
    extras="SELECT column_name, extra <> '', column_type = 'tinyint(1)' FROM information_schema.columns "
    "WHERE table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND table_name = ?",
    system_schemas=("mysql", "information_schema", "performance_schema", "sys"),
    take_role="SET ROLE {role}",
    drop_role="SET ROLE NONE",
    # Compared with a column, the variable's collation wins: without it 'ALICE', 'alicé' and 'alice ' would be alice.
    take_variables=("SET ", "@`{name}` = CAST(? AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_nopad_bin"),
    drop_variables=("SET ", "@`{name}` = NULL", ", "),
    codes=Codes(
        natives={
            **dict.fromkeys((1062, 1451, 1452, 1169, 1557, 1586), Failure.CONFLICT),
            **dict.fromkeys((1048, 1364, 4025, 3819, 1264, 1265, 1292, 1366, 1406, 1644), Failure.INVALID),
            **dict.fromkeys((1205, 1213, 1020, 1040, 1203, 1226, 1637), Failure.BUSY),
            **dict.fromkeys((1044, 1045, 1142, 1143, 1227, 1290, 1370, 1698, 1792), Failure.REFUSED),
            **dict.fromkeys((2002, 2003, 2005, 2012), Failure.UNREACHABLE),
            **dict.fromkeys((1053, 1077, 1927, 1158, 1159, 1160, 1161, 2006, 2013, 2026, 2055, 4031), Failure.LOST),
            **dict.fromkeys((1317, 1969, 3024), Failure.TIMEOUT),
        }
    ),
)

# The driver itself rounds a double to 15 digits.
_SQLITE_FLOAT = "CASE typeof({c}) WHEN 'real' THEN printf('%!.17g', {c}) ELSE {c} END"

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
            ("integer", "decimal", "text", "char", "boolean", "date", "time", "timestamp", "timestamptz"),
            "CAST({c} AS TEXT)",
        ),
        "float": _SQLITE_FLOAT,
    },
    stored={"float": _SQLITE_FLOAT},
    exact="CAST({c} AS TEXT) COLLATE BINARY",
    bind={"decimal": "CAST(? AS NUMERIC)"},
    ascending="{c} ASC NULLS LAST",
    descending="{c} DESC NULLS FIRST",
    limit="LIMIT ?",
    last_id="SELECT last_insert_rowid()",
    digits=15,
    rolls_back=True,
    # A virtual table is its module's own affair.
    undoes="SELECT 1 FROM sqlite_master WHERE COALESCE(?, '') IS NOT NULL AND name = ? COLLATE NOCASE "
    "AND type IN ('table', 'view') AND sql NOT LIKE 'CREATE VIRTUAL%'",
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

GENERIC = Dialect(name="generic")

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (POSTGRESQL, MARIADB, SQLITE, GENERIC)}

# Fragments of a driver's file or product name, lower case.
_SIGNS = {"psqlodbc": "postgresql", "postgres": "postgresql", "maodbc": "mariadb", "mariadb": "mariadb",
          "sqlite": "sqlite"}  # fmt: skip


def recognise(*names: str) -> Dialect | None:
    """The dialect that a driver's or a product's name tells, or None."""
    for name in names:
        for sign, dialect in _SIGNS.items():
            if sign in name.lower():
                return DIALECTS[dialect]
    return None
