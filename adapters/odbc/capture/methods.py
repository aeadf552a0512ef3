"""Which method captures a table of which database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo

from adapters.changes import Asked, Capture
from adapters.odbc.capture.base import Asking, Base, unfit
from adapters.odbc.capture.binlog import Binlog
from adapters.odbc.capture.outbox import Outbox
from adapters.odbc.capture.slot import Slot
from adapters.odbc.dialects import Dialect
from adapters.odbc.model import Model
from adapters.odbc.statements import TableSql

_METHODS: Mapping[str, tuple[Callable[[Base], Capture], tuple[str, ...]]] = {
    "slot": (Slot, ("postgresql",)),
    "binlog": (Binlog, ("mariadb",)),
    "outbox": (Outbox, ("postgresql", "mariadb", "sqlite")),
}
"""Method → what captures by it, and the dialects that have it."""


def capture(asked: Asked, model: Model, dialect: Dialect, zone: tzinfo, asking: Asking) -> Capture:
    """What tells the changes of a table; raises `ConfigError` where it can't be had that way."""
    table = model.tables.get(asked.table)
    if table is None:
        raise unfit(f"there is no table '{asked.table}' in tables.yaml")
    if not table.primary_key:
        raise unfit(f"table '{asked.table}' has no primary_key, by which its rows could be told apart")
    made, dialects = _METHODS.get(asked.method, (None, ()))
    if made is None or dialect.name not in dialects:
        there = [name for name, (_, known) in _METHODS.items() if dialect.name in known]
        raise unfit(f"{dialect.name} has no method '{asked.method}'; there are {', '.join([*there, 'diff'])}")
    return made(Base(asked, TableSql(asked.table, table, dialect, zone), asking))
