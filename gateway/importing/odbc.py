"""The reader `odbc`: a live database's tables, views and procedures, as its adapter introspects them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from adapters.contract import Effect, Operation, Workspace
from adapters.errors import AdapterError, ConfigError
from adapters.odbc.config import Config
from adapters.odbc.introspect import Introspection, introspection
from adapters.odbc.model import read_model
from adapters.odbc.tables import Column, Table, write_tables
from adapters.secret import Reference
from gateway.importing.model import CantImport, Evidence, Found, LeftOut, Reading, Request, Shape
from gateway.importing.odbc_tables import Tables, without
from gateway.routing.references import looks_secret

_PASSWORD = re.compile(r"(^|;)\s*(pwd|password)\s*=", re.IGNORECASE)
_MOST_SECRET = 65_536
_VERSIONS = frozenset({"version", "rowversion", "lockversion", "optlock", "revision", "updatecount"})


def read(request: Request) -> Reading:
    """What the database at `request.source` says of itself: a connection string, a data source's name, or `env:NAME`
    or `file:/path` that holds one. Options: `schema` narrows, `read_only` leaves out what writes."""
    config, dsn, variables = _connection(request)
    found = _introspected(request, config)
    tables = {name: _with_version(name, table, found) for name, table in found.tables.items()}
    left_out = [LeftOut(what, why) for what, why in found.left_out]
    files = {f"queries/{name}.sql": each.text.encode() for name, each in found.procedures.items()}
    if config.read_only:
        left_out += [LeftOut(name, "a procedure may write, and only reads were asked for") for name in found.procedures]
        files = {}
    if tables:
        files["tables.yaml"] = write_tables(tables).encode()
    operations, unfit = _operations(request.upstream, config, files)
    left_out += [LeftOut(what, why) for what, why in unfit]
    if not operations:
        raise CantImport(
            "The database shows no table, view or procedure that can be imported: look at the rights of its user."
        )
    reader = Tables(tables, found, operations)
    return Reading(
        "odbc",
        {"dsn": dsn, **({} if config.read_only else {"read_only": False})},
        files,
        [each for name in tables for each in reader.routes(name)] + _calls(found, operations),
        title=f"{request.upstream}: a {found.dialect} database",
        left_out=left_out,
        decisions=list(_decisions(tables, found)),
        evidence=list(_evidence(tables, found)),
        variables=variables,
    )


# The connection


def _connection(request: Request) -> tuple[Config, str, tuple[str, ...]]:
    """The configuration to read by, the dsn for `gateway.yaml`, and the variables that it refers to."""
    source = request.source
    dsn = source
    variables: tuple[str, ...] = ()
    value: str | None
    if source.startswith("env:"):
        value, variables = os.environ.get(source[4:]), (source[4:],)
        if value is None:
            raise CantImport(f"The environment variable {source[4:]} isn't set: put the connection string there.")
    elif source.startswith("file:"):
        value = _file(source[5:])
    else:
        value = source
        if _PASSWORD.search(source) or looks_secret(source):
            name = re.sub(r"[^A-Z0-9]+", "_", request.upstream.upper()).strip("_") + "_DSN"
            dsn, variables = f"env:{name}", (name,)
    read_only = request.options.get("read_only", "false").lower() in ("true", "yes", "1")
    try:
        config = Config.model_validate({"dsn": Reference(value, dsn), "read_only": read_only})
    except ValidationError as error:
        raise CantImport(f"The connection string can't be used: {error.errors()[0]['msg']}.") from None
    return config, dsn, variables


def _file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(_MOST_SECRET).decode().strip()
    except (OSError, UnicodeDecodeError):
        raise CantImport("The file that holds the connection string can't be read as UTF-8 text.") from None


def _introspected(request: Request, config: Config) -> Introspection:
    try:
        return introspection(config, request.options.get("schema"), request.chosen, request.progress)
    except AdapterError as error:
        raise CantImport(f"The database can't be read: {error.message}.") from error
    except ConfigError as error:
        raise CantImport(
            f"The database can't be read: {'; '.join(each.message for each in error.problems)}."
        ) from error


def _operations(
    upstream: str, config: Config, files: dict[str, bytes]
) -> tuple[Mapping[str, Operation], Sequence[tuple[str, str]]]:
    """The operations that an adapter offers with those files, and what it refuses, which is then left out of them."""
    unfit: list[tuple[str, str]] = []
    for _ in range(2):
        placed = {f"openapi/sources/{upstream}/{path}": content for path, content in files.items()}
        try:
            return read_model(upstream, config, Workspace(placed, Path())).operations, unfit
        except ConfigError as error:
            wrong = {each.file.rpartition("/")[2]: each.message for each in error.problems if each.file}
            refused = [path for path in files if path.startswith("queries/") and path[8:] in wrong]
            if not refused:
                raise CantImport(f"The database can't be read: {error.problems[0].message}.") from error
            unfit += [(path[8:-4], wrong[path[8:]]) for path in refused]
            for path in refused:
                del files[path]
    raise CantImport("The database's procedures can't be called: exclude them.")


# Tables


def _with_version(name: str, table: Table, found: Introspection) -> Table:
    """The table with the column that optimistic locking compares, if one is called so."""
    if name in found.views or not table.primary_key:
        return table
    fitting = [each.name for each in table.columns if _counts(each) and each.name not in table.primary_key]
    return table.model_copy(update={"version": fitting[0]}) if len(fitting) == 1 else table


def _counts(column: Column) -> bool:
    name = column.name.lower().replace("_", "")
    return name in _VERSIONS and column.type.name == "integer" and not column.nullable


# Procedures, and what is said of all


def _calls(found: Introspection, operations: Mapping[str, Operation]) -> list[Found]:
    made = []
    for name, each in found.procedures.items():
        operation = operations.get(name)
        if operation is not None:
            guess = f"{each.procedure}: a procedure may do anything, so that it is taken for a write."
            given = without(operation.input, each.outs)
            call = Found(name, Effect.WRITE, operation.output, given, Shape.CALL, guess=guess)
            made.append(replace(call, description=each.comment))
    return made


def _decisions(tables: Mapping[str, Table], found: Introspection) -> Iterator[str]:
    for name, table in tables.items():
        if not table.primary_key:
            what = "view" if name in found.views else "table"
            how = "name columns that are unique as its primary_key in tables.yaml"
            yield f"The {what} {name} has no key, and so a list alone: {how}."


def _evidence(tables: Mapping[str, Table], found: Introspection) -> Iterator[Evidence]:
    for name, table in tables.items():
        what = "view" if name in found.views else "table"
        key = f"key {', '.join(table.primary_key)}" if table.primary_key else "no key"
        why = "a unique index over columns that are never null" if name in found.unique else "as the database says"
        yield Evidence(name, f"{what}, {_columns(len(table.columns))}, {key}", why)


def _columns(number: int) -> str:
    return "1 column" if number == 1 else f"{number:,} columns"
