"""What differs between databases and their ODBC drivers, as one table a driver.

Everything else in this room is written against `Dialect`; nothing asks which database it talks to. A driver that
isn't here is served by `GENERIC`: SQL:2008, what ODBC itself promises, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from adapters.odbc.db2 import DB2
from adapters.odbc.dialect import Dialect
from adapters.odbc.mariadb import MARIADB
from adapters.odbc.postgresql import POSTGRESQL
from adapters.odbc.source import attributes
from adapters.odbc.sqlite import SQLITE
from adapters.odbc.sqlserver import SQLSERVER

__all__ = ["DIALECTS", "GENERIC", "Dialect", "dialect_of", "recognise"]

GENERIC = Dialect(name="generic")

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect for dialect in (POSTGRESQL, MARIADB, SQLITE, SQLSERVER, DB2, GENERIC)
}

# Fragments of a driver's file or product name, lower case.
_SIGNS = {
    "psqlodbc": "postgresql", "postgres": "postgresql", "maodbc": "mariadb", "mariadb": "mariadb", "sqlite": "sqlite",
    "msodbcsql": "sqlserver", "tdsodbc": "sqlserver", "freetds": "sqlserver", "sql server": "sqlserver",
    "libdb2": "db2", "db2": "db2",
}  # fmt: skip


def recognise(*names: str) -> Dialect | None:
    """The dialect that a driver's or a product's name tells, or None."""
    for name in names:
        for sign, dialect in _SIGNS.items():
            if sign in name.lower():
                return DIALECTS[dialect]
    return None


def dialect_of(dsn: str) -> Dialect | None:
    """The dialect that a connection string's driver tells, or None; a server may be called anything."""
    return recognise(PurePath(attributes(dsn).get("driver", "").strip("{}")).name)
