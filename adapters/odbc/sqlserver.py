"""SQL Server, by Microsoft's driver or FreeTDS."""

from __future__ import annotations

from adapters.odbc.dialect import Dialect
from adapters.odbc.failures import Codes, Failure

# By the manuals of the server and of both drivers; no server of this kind runs in the tests.
SQLSERVER = Dialect(
    name="sqlserver",
    grammar="tsql",
    session=(
        "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, QUOTED_IDENTIFIER, XACT_ABORT ON",
        "SET IMPLICIT_TRANSACTIONS OFF",
        "SET DATEFORMAT ymd",
        "SET TEXTSIZE 2147483647",
    ),
    # Statements have no time limit at the server: cancelling ends them.
    deadline=("SET LOCK_TIMEOUT {half}",),
    read={
        "date": "CONVERT(varchar(10), {c}, 23)",
        "time": "CONVERT(varchar(16), {c})",
        "timestamp": "CONVERT(varchar(30), {c}, 126)",
        "timestamptz": "CONVERT(varchar(34), SWITCHOFFSET({c}, '+00:00'), 127)",
        "uuid": "CONVERT(varchar(36), {c})",
        "json": "CONVERT(nvarchar(max), {c})",
    },
    # Its comparisons overlook trailing blanks in every collation.
    exact=None,
    bind={
        "decimal": "CAST(? AS decimal{type})",
        "date": "CAST(? AS date)",
        "time": "CAST(? AS time(7))",
        "timestamp": "CAST(? AS datetime2(7))",
        "timestamptz": "CAST(? + '+00:00' AS datetimeoffset(7))",
        "uuid": "CAST(? AS uniqueidentifier)",
    },
    limit="OFFSET {skip} ROWS FETCH NEXT ? ROWS ONLY",
    lock=(" WITH (UPDLOCK, HOLDLOCK)", ""),
    insert="INSERT INTO {table} {names} OUTPUT {inserted} {values}",
    rolls_back=True,
    extras="SELECT c.name, CAST(CASE WHEN c.is_identity = 1 OR c.is_computed = 1 OR c.generated_always_type > 0"
    " OR c.system_type_id = 189 THEN 1 ELSE 0 END AS int),"
    " CAST(CASE WHEN c.system_type_id = 104 THEN 1 ELSE 0 END AS int), 0 FROM sys.columns c"
    " JOIN sys.objects o ON o.object_id = c.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id"
    " WHERE s.name = COALESCE(NULLIF(?, ''), SCHEMA_NAME()) AND o.name = ?",
    system_schemas=("sys", "INFORMATION_SCHEMA"),
    codes=Codes(
        natives={
            **dict.fromkeys((547, 2601, 2627), Failure.CONFLICT),
            **dict.fromkeys((220, 241, 242, 245, 515, 2628, 8114, 8115, 8152, 50000), Failure.INVALID),
            **dict.fromkeys((1204, 1205, 1222, 3960, 10928, 10929, 40501), Failure.BUSY),
            **dict.fromkeys((229, 230, 262, 300, 916, 3906, 4060, 18452, 18456), Failure.REFUSED),
            **dict.fromkeys((207, 208, 2812, 4121), Failure.ABSENT),
            **dict.fromkeys((20009,), Failure.UNREACHABLE),
            **dict.fromkeys((596, 6005, 20003, 20004, 20006, 20047), Failure.LOST),
        }
    ),
)
