"""Db2 by IBM's CLI driver."""

from __future__ import annotations

from adapters.odbc.dialect import Dialect
from adapters.odbc.failures import Codes, Failure

# By the manual; no server of this kind runs in the tests.
DB2 = Dialect(
    name="db2",
    ping="SELECT 1 FROM SYSIBM.SYSDUMMY1",
    deadline=("SET CURRENT LOCK TIMEOUT WAIT {lock_s}",),
    read={
        "date": "CHAR({c}, ISO)",
        "time": "TRANSLATE(CHAR({c}, ISO), ':', '.')",
        "timestamp": "VARCHAR_FORMAT({c}, 'YYYY-MM-DD HH24:MI:SS.FF6')",
    },
    exact=None,
    bind={
        "decimal": "CAST(? AS DECIMAL{type})",
        "date": "CAST(? AS DATE)",
        "time": "CAST(? AS TIME)",
        "timestamp": "CAST(? AS TIMESTAMP(6))",
        "float": "CAST(? AS DOUBLE)",
    },
    # It sorts NULL as the greatest value.
    ascending="{c}",
    descending="{c} DESC",
    limit="OFFSET {skip} ROWS FETCH NEXT ? ROWS ONLY",
    lock=("", " WITH RS USE AND KEEP UPDATE LOCKS"),
    insert="SELECT {keys} FROM FINAL TABLE (INSERT INTO {table} {names} {values})",
    rolls_back=True,
    system_schemas=("SYSIBM", "SYSCAT", "SYSSTAT", "SYSTOOLS", "SYSIBMADM", "SYSPUBLIC"),
    codes=Codes(
        natives={
            **dict.fromkeys((-803, -530, -531, -532), Failure.CONFLICT),
            **dict.fromkeys((-180, -302, -304, -407, -413, -420, -433, -438, -545), Failure.INVALID),
            **dict.fromkeys((-904, -911, -913, -1224), Failure.BUSY),
            **dict.fromkeys((-551, -552, -1060, -30082), Failure.REFUSED),
            **dict.fromkeys((-204, -206, -440), Failure.ABSENT),
            **dict.fromkeys((-30081, -1336), Failure.LOST),
            **dict.fromkeys((-952,), Failure.TIMEOUT),
        }
    ),
)
