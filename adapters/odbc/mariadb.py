"""MariaDB, and MySQL, by MariaDB's connector."""

from __future__ import annotations

from adapters.odbc.dialect import Dialect
from adapters.odbc.failures import Codes, Failure

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
    # The driver drops the fraction of a TIME, gives 0000-00-00 as NULL and a FLOAT with the digits of a double; pyodbc
    # loses some bytes for each decimal. Bits become a number by the sum.
    read={"decimal": "CAST({c} + 0 AS CHAR)"}
    | dict.fromkeys(
        ("date", "time", "timestamp", "timestamptz", "interval", "float", "uuid", "json"),
        "CAST({c} AS CHAR)",
    ),
    exact="CONVERT({c} USING utf8mb4) COLLATE utf8mb4_nopad_bin",
    exact_implies=True,
    bind={"decimal": "CAST(? AS DECIMAL{type})"},
    limit="LIMIT ? OFFSET {skip}",
    lock=("", " FOR UPDATE"),
    insert="INSERT INTO {table} {names} {values} RETURNING {keys}",
    empty_insert="() VALUES ()",
    clock_intervals=True,
    # It hands results on as they come from version 3.1.17 alone.
    bulk_begin="START TRANSACTION WITH CONSISTENT SNAPSHOT",
    # A trigger may write into a table whose engine knows no transactions.
    undoes="SELECT 1 FROM information_schema.tables t JOIN information_schema.engines e ON e.engine = t.engine "
    "WHERE t.table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND t.table_name = ? AND e.transactions = 'YES' "
    "AND NOT EXISTS (SELECT 1 FROM information_schema.triggers g "
    "WHERE g.event_object_schema = t.table_schema AND g.event_object_table = t.table_name)",
    extras="SELECT column_name, extra <> '', column_type = 'tinyint(1)', 0 FROM information_schema.columns "
    "WHERE table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND table_name = ?",
    uniques="SELECT '', table_name, index_name, column_name FROM information_schema.statistics "
    "WHERE table_schema = DATABASE() AND non_unique = 0 AND index_name NOT IN (SELECT index_name "
    "FROM information_schema.statistics s WHERE s.table_schema = DATABASE() AND s.sub_part IS NOT NULL "
    "AND s.table_name = statistics.table_name) ORDER BY table_name, index_name, seq_in_index",
    procedures="SELECT '', r.specific_name, r.routine_name, r.routine_comment, p.parameter_mode, p.parameter_name, "
    "p.data_type, p.numeric_precision, p.numeric_scale FROM information_schema.routines r "
    "LEFT JOIN information_schema.parameters p ON p.specific_schema = r.routine_schema "
    "AND p.specific_name = r.specific_name WHERE r.routine_schema = DATABASE() AND r.routine_type = 'PROCEDURE' "
    "ORDER BY r.specific_name, p.ordinal_position",
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
