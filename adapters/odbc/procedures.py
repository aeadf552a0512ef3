"""Stored procedures → named SQL files: a header that types the parameters, and the call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from adapters.odbc.session import Session
from adapters.odbc.tables import UNFIT

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_TYPES: Mapping[str, str] = {
    "smallint": "integer", "integer": "integer", "int": "integer", "bigint": "integer", "tinyint": "integer",
    "mediumint": "integer", "year": "integer", "numeric": "decimal", "decimal": "decimal", "real": "float",
    "double precision": "float", "double": "float", "float": "float", "boolean": "boolean", "text": "text",
    "character varying": "text", "varchar": "text", "character": "text", "char": "text", "longtext": "text",
    "mediumtext": "text", "tinytext": "text", "enum": "text", "set": "text", "uuid": "uuid", "date": "date",
    "time without time zone": "time", "time": "time", "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz", "timestamp": "timestamptz", "datetime": "timestamp",
    "interval": "interval", "json": "json", "jsonb": "json", "bytea": "binary", "blob": "binary",
    "longblob": "binary", "varbinary": "binary", "binary": "binary",
}  # fmt: skip


class Procedure(NamedTuple):
    """A procedure's name in the database, what was said of it, and its named SQL file."""

    procedure: str
    comment: str
    text: str
    outs: frozenset[str]
    """Parameters that are only given back; where the call names them, nobody has to give them."""


class _Parameter(NamedTuple):
    mode: str
    name: str
    type: str


class _Unable(ValueError):
    pass


def procedures(
    session: Session, chosen: Callable[[str], bool], schema: str | None
) -> tuple[dict[str, Procedure], tuple[tuple[str, str], ...]]:
    """The procedures by the operation's name, and which can't be called, with the reason; raises pyodbc's errors."""
    rows = [row for row in session.asked(session.dialect.procedures) if not schema or not row[0] or row[0] == schema]
    groups: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        groups.setdefault((row[0] or "", row[1]), []).append(row)
    names = [group[0][2] for group in groups.values()]
    made: dict[str, Procedure] = {}
    unable: list[tuple[str, str]] = []
    for (place, _), group in groups.items():
        name = group[0][2]
        if not chosen(name):
            continue
        try:
            if name in (each for each, _ in unable):
                continue
            if names.count(name) > 1:
                raise _Unable("there are several of this name; call the one that is meant in a named SQL file")
            made[_operation(name, made)] = _procedure(session, place, name, group)
        except _Unable as error:
            unable.append((name, str(error)))
    return made, tuple(unable)


def _operation(name: str, taken: Mapping[str, Any]) -> str:
    """A name that a file may have."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:60] or "procedure"
    number, found = 2, plain
    while found in taken:
        number, found = number + 1, f"{plain}_{number}"
    return found


def _procedure(session: Session, schema: str, name: str, rows: Sequence[Any]) -> Procedure:
    if UNFIT.search(name + schema):
        raise _Unable("its name can't be passed to a driver: no control characters, and none of ? { }")
    if session.dialect.ascii_only and not name.isascii():
        raise _Unable(f"its name is outside ASCII, which {session.dialect.name}'s driver garbles")
    given = [_parameter(place, row) for place, row in enumerate(rows, start=1) if row[4]]
    if len({each.name for each in given}) != len(given):
        raise _Unable("two of its parameters have one name")
    comment = " ".join(str(rows[0][3] or "").split())[:500]
    back = {"OUT", "INOUT"}
    bare = session.dialect.name != "mariadb"
    lines = [f"-- description: {comment}"] if comment else []
    lines += ["-- effect: write", "-- result: sets"]
    lines += [f"-- param {each.name}: {each.type}" for each in given if each.mode != "OUT"]
    lines += [f"-- param {each.name}: {each.type} null" for each in given if each.mode == "OUT" and not bare]
    lines += [f"-- out {each.name}: {each.type}" for each in given if each.mode in back]
    places = ["NULL" if each.mode == "OUT" and bare else f":{each.name}" for each in given]
    lines.append(f"CALL {_quoted(session, schema)}{_quoted(session, name, end='')}({', '.join(places)})")
    outs = frozenset(each.name for each in given if each.mode == "OUT")
    return Procedure(name, comment, "\n".join(lines) + "\n", outs)


def _parameter(place: int, row: Sequence[Any]) -> _Parameter:
    kind = _TYPES.get(str(row[6]).lower())
    if kind is None:
        raise _Unable(f"its parameter {place} is of a type that isn't known here")
    if kind == "decimal" and row[7]:
        kind = f"decimal({int(row[7])},{int(row[8] or 0)})"
    name = str(row[5] or "")
    return _Parameter(str(row[4]).upper(), name if _NAME.fullmatch(name) else f"p{place}", kind)


def _quoted(session: Session, name: str, end: str = ".") -> str:
    """A name between the dialect's quotes, with what follows; nothing for no name."""
    quote = session.dialect.quote
    return quote + name.replace(quote, quote * 2) + quote + end if name else ""
