"""What a table's captured rows can be asked for in the database's stead."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.changes import Form, Kind
from adapters.odbc.dialect import Dialect
from adapters.odbc.tables import Table
from adapters.odbc.values import ColumnType

_KINDS: Mapping[str, Kind] = {
    "integer": "integer", "decimal": "decimal", "text": "text", "char": "text", "boolean": "boolean", "date": "date",
    "timestamp": "instant", "timestamptz": "instant", "float": "number", "uuid": "uuid",
}  # fmt: skip
_DIGITS = 15
_EXACT = ("postgresql",)
"""Databases that compare text as it is written, unless a column is told otherwise."""


def form_of(table: Table, dialect: Dialect) -> Form | None:
    """How; None: it has no key."""
    if not table.primary_key:
        return None
    fields = {each.name: _KINDS[each.type.name] for each in table.columns if _told(each.type)}
    exact = dialect.name in _EXACT
    shape = repr([(each.name, each.type) for each in table.columns])
    return Form(table.primary_key, fields, False, True, exact, exact, "escaped" if exact else "", shape)


def _told(kind: ColumnType) -> bool:
    """Its values compare outside the database as in it."""
    return kind.name in _KINDS and (kind.name != "decimal" or (kind.size is not None and kind.size <= _DIGITS))
