"""PostgreSQL by psqlODBC."""

from __future__ import annotations

from adapters.odbc.dialect import Dialect
from adapters.odbc.failures import Codes, Failure

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
        "SET intervalstyle = 'iso_8601'",
        "SET extra_float_digits = 1",
        "SET idle_in_transaction_session_timeout = '60s'",
        "SET default_transaction_read_only = on",
    ),
    begin_write=("SET TRANSACTION READ WRITE",),
    deadline=("SET statement_timeout = {ms}", "SET lock_timeout = {half}"),
    # A decimal too: the driver's text of one makes a detour over a number.
    read=dict.fromkeys(
        ("text", "char", "decimal", "date", "time", "timestamp", "timestamptz", "interval", "uuid", "json", "array"),
        "CAST({c} AS text)",
    ),
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
        "interval": "CAST(? AS interval)",
        "uuid": "CAST(? AS uuid)",
        "json": "CAST(? AS json)",
    },
    # PostgreSQL sorts NULL as the greatest value, so that a plain index serves.
    ascending="{c}",
    descending="{c} DESC",
    limit="LIMIT ? OFFSET {skip}",
    lock=("", " FOR UPDATE"),
    insert="INSERT INTO {table} {names} {values} RETURNING {keys}",
    eras=True,
    # A cursor at the server, read in portions.
    bulk_session=("SET idle_in_transaction_session_timeout = 0",),
    bulk={"UseDeclareFetch": "1", "Fetch": "2000"},
    rolls_back=True,
    # A foreign table's server needn't know transactions; what a view stands for isn't known.
    undoes="SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, "
    "(SELECT CAST(? AS text) AS place, CAST(? AS text) AS name) AS asked WHERE c.relname = asked.name "
    "AND (n.nspname = asked.place OR asked.place = '' AND pg_table_is_visible(c.oid)) AND c.relkind IN ('r', 'p') "
    "AND NOT EXISTS (SELECT 1 FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid "
    "WHERE i.inhparent = c.oid AND p.relkind = 'f')",
    settle=("SET CONSTRAINTS ALL IMMEDIATE",),
    extras="SELECT column_name, CAST(is_identity = 'YES' OR is_generated = 'ALWAYS' AS int), 0, "
    "CAST(data_type = 'numeric' AND numeric_precision IS NULL AS int) "
    "FROM information_schema.columns WHERE table_schema = COALESCE(NULLIF(?, ''), current_schema()) AND table_name = ?",
    table_types="TABLE,VIEW,MATVIEW,FOREIGN TABLE",
    hidden="SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relispartition",
    comments="SELECT n.nspname, c.relname, COALESCE(a.attname, ''), d.description FROM pg_description d "
    "JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 "
    "WHERE d.classoid = CAST('pg_class' AS regclass) AND n.nspname NOT IN ('pg_catalog', 'information_schema')",
    keys="SELECT n.nspname, c.relname, a.attname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS u(at, place) "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.at "
    "WHERE k.contype = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, u.place",
    # The driver takes some 20 ms a table.
    foreigns="SELECT n.nspname, c.relname, k.conname, a.attname, m.nspname, d.relname, b.attname FROM pg_constraint k "
    "JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_class d ON d.oid = k.confrelid JOIN pg_namespace m ON m.oid = d.relnamespace "
    "CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS u(at, other, place) "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.at "
    "JOIN pg_attribute b ON b.attrelid = d.oid AND b.attnum = u.other "
    "WHERE k.contype = 'f' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3, u.place",
    uniques="SELECT n.nspname, c.relname, x.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
    "JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "CROSS JOIN LATERAL generate_series(0, i.indnkeyatts - 1) AS k(place) "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k.place] "
    "WHERE i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL "
    "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1, 2, 3, k.place",
    procedures="SELECT r.specific_schema, r.specific_name, r.routine_name, "
    "obj_description(CAST(substring(r.specific_name FROM '[0-9]+$') AS oid), 'pg_proc'), p.parameter_mode, "
    "p.parameter_name, p.data_type, p.numeric_precision, p.numeric_scale "
    "FROM information_schema.routines r LEFT JOIN information_schema.parameters p "
    "ON p.specific_schema = r.specific_schema AND p.specific_name = r.specific_name "
    "WHERE r.routine_type = 'PROCEDURE' AND r.specific_schema NOT IN ('pg_catalog', 'information_schema') "
    "ORDER BY r.specific_schema, r.specific_name, p.ordinal_position",
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
