"""What an outbox is made of: a table, and triggers that write each change into it as texts that lose nothing.

The values are spelt in the trigger as lists select them, but always as text, whatever the writer's session is set to.
`columns` names them, a line each, so that rows written before the triggers were made anew can still be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from adapters.odbc.capture.base import unfit
from adapters.odbc.statements import TableSql
from adapters.odbc.tables import Column

_CHUNK = 40
"""Values in one call of a function: SQLite takes 100 arguments."""


def script(table: TableSql, name: str) -> Sequence[str]:
    """The statements that make the outbox `name`, in order; they may be run again. Raises `ConfigError`."""
    made = _SCRIPTS.get(table.dialect.name)
    if made is None:
        raise unfit(f"there is no outbox for {table.dialect.name}")
    return made(table, name)


def removal(table: TableSql, name: str) -> Sequence[str]:
    """The statements that take it away."""
    return _REMOVALS[table.dialect.name](table, name)


def place(table: TableSql, name: str) -> str:
    """The outbox's quoted name: beside the table."""
    schema = table.table.schema_ or ("public" if table.dialect.name == "postgresql" else None)
    own = table.quoted(name)
    return f"{table.quoted(schema)}.{own}" if schema else own


def owner(table: TableSql, name: str) -> str:
    """The quoted name of the table that says which gateway reads the outbox."""
    return place(table, f"{name}_o")


def _owner(table: TableSql, name: str) -> str:
    return f"CREATE TABLE IF NOT EXISTS {owner(table, name)} (n int PRIMARY KEY, id varchar(40) NOT NULL)"


def _columns(table: TableSql) -> str:
    return "'" + "\n".join(each.name.replace("'", "''") for each in table.table.columns) + "'"


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────


def _postgresql(table: TableSql, name: str) -> Sequence[str]:
    own, source = place(table, name), _postgresql_source(table)

    def texts(row: str, columns: Sequence[Column]) -> str:
        values = ", ".join(_postgresql_text(f"{row}.{table.quoted(each.name)}", each) for each in columns)
        return f"pg_catalog.to_json(ARRAY[{values}])"

    old, new = texts("OLD", table.keys), texts("NEW", table.table.columns)
    insert = f"INSERT INTO {own} (op, columns, old, new) VALUES"
    body = (
        f"IF TG_OP = 'INSERT' THEN {insert} ('I', {_columns(table)}, NULL, {new}); "
        f"ELSIF TG_OP = 'UPDATE' THEN {insert} ('U', {_columns(table)}, {old}, {new}); "
        f"ELSIF TG_OP = 'DELETE' THEN {insert} ('D', {_columns(table)}, {old}, NULL); "
        f"ELSE {insert} ('T', {_columns(table)}, NULL, NULL); END IF; RETURN NULL;"
    )
    spelling = (
        "SET search_path = pg_catalog SET datestyle = 'ISO' SET timezone = 'UTC' SET intervalstyle = 'iso_8601' "
        "SET extra_float_digits = 1 SET bytea_output = 'hex'"
    )
    return (
        f"CREATE TABLE IF NOT EXISTS {own} (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "at timestamptz NOT NULL DEFAULT clock_timestamp(), op text NOT NULL, columns text NOT NULL, "
        "old json, new json)",
        _owner(table, name),
        f"CREATE OR REPLACE FUNCTION {own}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {spelling} "
        f"AS $figway$ BEGIN {body} END $figway$",
        f"DROP TRIGGER IF EXISTS {table.quoted(name)} ON {source}",
        f"CREATE TRIGGER {table.quoted(name)} AFTER INSERT OR UPDATE OR DELETE ON {source} "
        f"FOR EACH ROW EXECUTE FUNCTION {own}()",
        f"DROP TRIGGER IF EXISTS {table.quoted(name + '_t')} ON {source}",
        f"CREATE TRIGGER {table.quoted(name + '_t')} AFTER TRUNCATE ON {source} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {own}()",
    )


def _postgresql_text(own: str, column: Column) -> str:
    # The cast's own text of a boolean is another than everybody's.
    return f"CAST(CAST({own} AS int) AS text)" if column.type.name == "boolean" else f"CAST({own} AS text)"


def _postgresql_source(table: TableSql) -> str:
    own = table.quoted(table.table.table or table.name)
    return f"{table.quoted(table.table.schema_ or 'public')}.{own}"


def _no_postgresql(table: TableSql, name: str) -> Sequence[str]:
    source, own = _postgresql_source(table), place(table, name)
    triggers = (name, name + "_t")
    return (
        *(f"DROP TRIGGER IF EXISTS {table.quoted(each)} ON {source}" for each in triggers),
        f"DROP FUNCTION IF EXISTS {own}()",
        f"DROP TABLE IF EXISTS {own}",
        f"DROP TABLE IF EXISTS {owner(table, name)}",
    )


# ── MariaDB ──────────────────────────────────────────────────────────────────────────────────────────────────


def _mariadb(table: TableSql, name: str) -> Sequence[str]:
    def text(row: str, column: Column) -> str:
        own = f"{row}.{table.quoted(column.name)}"
        if column.type.name == "binary":
            return f"CONCAT(CHAR(92), 'x', HEX({own}))"
        if column.type.name == "timestamptz":  # whose text would be on the writer's clock
            return f"CAST(DATE_ADD('1970-01-01', INTERVAL UNIX_TIMESTAMP({own}) SECOND) AS CHAR)"
        if column.type.name in ("text", "char"):
            return f"CONVERT({own} USING utf8mb4)"
        return table.dialect.read.get(column.type.name, "CAST({c} AS CHAR)").format(c=own)

    own = place(table, name)
    return (
        f"CREATE TABLE IF NOT EXISTS {own} (seq BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, "
        "at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), op CHAR(1) NOT NULL, columns LONGTEXT NOT NULL, "
        "old LONGTEXT, new LONGTEXT) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
        f"{_owner(table, name)} ENGINE=InnoDB",
        *_triggers(table, name, text, "JSON_ARRAY", "CREATE OR REPLACE TRIGGER", at="CURRENT_TIMESTAMP(6)"),
    )


def _no_mariadb(table: TableSql, name: str) -> Sequence[str]:
    triggers = (f"DROP TRIGGER IF EXISTS {table.quoted(name + end)}" for end in ("_i", "_u", "_d"))
    return (*triggers, *(f"DROP TABLE IF EXISTS {each}" for each in (place(table, name), owner(table, name))))


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────────────────


def _sqlite(table: TableSql, name: str) -> Sequence[str]:
    def text(row: str, column: Column) -> str:
        own = f"{row}.{table.quoted(column.name)}"
        if column.type.name == "binary":
            return f"CASE WHEN {own} IS NOT NULL THEN char(92) || 'x' || hex({own}) END"
        spelt = table.dialect.read.get(column.type.name, "{c}").format(c=own)
        return f"CAST({spelt} AS TEXT)"

    own = place(table, name)
    drops = (f"DROP TRIGGER IF EXISTS {table.quoted(name + end)}" for end in ("_i", "_u", "_d"))
    return (
        f"CREATE TABLE IF NOT EXISTS {own} (seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, op TEXT NOT NULL, "
        "columns TEXT NOT NULL, old TEXT, new TEXT)",
        _owner(table, name),
        *drops,
        *_triggers(table, name, text, "json_array", "CREATE TRIGGER", at="strftime('%Y-%m-%d %H:%M:%f', 'now')"),
    )


def _triggers(
    table: TableSql, name: str, text: Callable[[str, Column], str], array: str, create: str, *, at: str
) -> Sequence[str]:
    own, block = place(table, name), table.dialect.name == "sqlite"

    def texts(row: str, columns: Sequence[Column]) -> str:
        parts = [columns[start : start + _CHUNK] for start in range(0, len(columns), _CHUNK)]
        made = (f"{array}({', '.join(text(row, each) for each in part)})" for part in parts)
        return f"{array}({', '.join(made)})"

    old, new = texts("OLD", table.keys), texts("NEW", table.table.columns)
    made = []
    for verb, values in (("INSERT", f"NULL, {new}"), ("UPDATE", f"{old}, {new}"), ("DELETE", f"{old}, NULL")):
        told = f"{at}, '{verb[0]}', {_columns(table)}, {values}"
        insert = f"INSERT INTO {own} (at, op, columns, old, new) VALUES ({told})"  # noqa: S608 - quoted names
        body = f"BEGIN {insert}; END" if block else insert
        trigger = table.quoted(f"{name}_{verb[0].lower()}")
        made.append(f"{create} {trigger} AFTER {verb} ON {table.source} FOR EACH ROW {body}")
    return made


_SCRIPTS: Mapping[str, Callable[[TableSql, str], Sequence[str]]] = {
    "postgresql": _postgresql,
    "mariadb": _mariadb,
    "sqlite": _sqlite,
}
_REMOVALS: Mapping[str, Callable[[TableSql, str], Sequence[str]]] = {
    "postgresql": _no_postgresql,
    "mariadb": _no_mariadb,
    "sqlite": _no_mariadb,
}
