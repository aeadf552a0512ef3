"""Named SQL files: a header of comments that types what comes in and goes out, and one or more statements.

-- description: Stock of a warehouse that runs low
-- effect: read                      (read, the default | idempotent_write | write)
-- result: many                      (many, the default | one | count | sets)
-- param warehouse: text
-- param below: integer null         (null: may be absent)
-- column updated_at: timestamptz    (a result column's type, where the driver can't tell)
-- out total: decimal(12,2)          (what a procedure gives back in a parameter; with `result: sets`)
-- function: shelf_of                (a function that the author vouches for, in a read)
SELECT sku, on_hand FROM stock WHERE warehouse = :warehouse AND on_hand < coalesce(:below, 10)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from adapters.contract import Effect
from adapters.errors import ConfigError, ConfigProblem
from adapters.odbc.values import ColumnType

_HEADER = re.compile(r"--\s*(?P<key>[a-z]+)(?:[ \t]+(?P<name>[^\s:]+))?\s*:\s*(?P<value>.*?)\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EFFECTS = {effect.value: effect for effect in Effect}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter; one that may be absent is then NULL."""

    name: str
    type: ColumnType
    nullable: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A named SQL file as written; `first` is the line on which the SQL starts."""

    name: str
    file: str
    text: str
    first: int
    description: str
    effect: Effect
    result: str
    parameters: Mapping[str, Parameter]
    columns: Mapping[str, ColumnType]
    functions: frozenset[str]
    outs: Mapping[str, ColumnType]


def read_query(file: str, content: bytes) -> Query:
    """A file's header and text; raises `ConfigError` naming every faulty line."""
    problems: list[ConfigProblem] = []
    found: dict[str, str] = {}
    parameters: dict[str, Parameter] = {}
    columns: dict[str, ColumnType] = {}
    outs: dict[str, ColumnType] = {}
    functions: set[str] = set()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError([ConfigProblem(f"{file} is not UTF-8", "/queries", file, 1)]) from error
    first = 0
    while first < len(lines) and (not lines[first].strip() or lines[first].lstrip().startswith("--")):
        try:
            _header(lines[first].strip(), found, parameters, columns, outs, functions)
        except ValueError as error:
            problems.append(ConfigProblem(str(error), "/queries", file, first + 1))
        first += 1
    if first == len(lines):
        problems.append(ConfigProblem("the file holds no statement", "/queries", file, len(lines) or 1))
    if outs and found.get("result") != "sets":
        problems.append(ConfigProblem("'-- out' stands beside '-- result: sets'", "/queries", file, 1))
    if problems:
        raise ConfigError(problems)
    name = PurePosixPath(file).stem
    effect, result = _EFFECTS[found.get("effect", "read")], found.get("result", "many")
    return Query(
        name, file, "\n".join(lines[first:]), first + 1, found.get("description", ""), effect, result,
        parameters, columns, frozenset(functions), outs,
    )  # fmt: skip


def _header(
    line: str,
    found: dict[str, str],
    parameters: dict[str, Parameter],
    columns: dict[str, ColumnType],
    outs: dict[str, ColumnType],
    functions: set[str],
) -> None:
    match = _HEADER.fullmatch(line)
    if match is None:
        return  # an ordinary comment
    key, name, value = match["key"], match["name"], match["value"]
    if key == "param" and name:
        nullable = value.endswith(" null")
        if not _NAME.fullmatch(name) or name in parameters:
            raise ValueError(f"parameter '{name}' must be a plain name, declared once")
        parameters[name] = Parameter(name, ColumnType.parse(value.removesuffix(" null")), nullable)
    elif key in ("column", "out") and name:
        (columns if key == "column" else outs)[name] = ColumnType.parse(value)
    elif name is None and key == "function":
        functions.add(value.lower())
    elif (name is None and key == "description") or (name is None and (key, value) in _SWITCHES):
        found[key] = value
    elif name is None and key in ("effect", "result", "param", "column", "out"):
        known = ", ".join(each for switch, each in _SWITCHES if switch == key) or "NAME: TYPE"
        raise ValueError(f"'{value}' is no {key}; there are {known}")


_SWITCHES = [*(("effect", effect) for effect in _EFFECTS), ("result", "many"), ("result", "one"), ("result", "count"),
             ("result", "sets")]  # fmt: skip


def read_queries(files: Mapping[str, bytes], folder: str) -> Iterator[tuple[str, bytes]]:
    """The named SQL files directly in a folder of the workspace, sorted."""
    for path in sorted(files):
        where = PurePosixPath(path)
        if where.suffix == ".sql" and where.parent == PurePosixPath(folder):
            yield path, files[path]
