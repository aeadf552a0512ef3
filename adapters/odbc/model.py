"""What the workspace says of one database: tables, named SQL and the data source, read and judged offline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path, PurePosixPath

import pyodbc

from adapters.contract import Effect, Operation, Workspace
from adapters.errors import ConfigError, ConfigProblem
from adapters.odbc import identity, queryops, tableops
from adapters.odbc.config import Config
from adapters.odbc.describe import describe
from adapters.odbc.dialects import DIALECTS, Dialect, dialect_of
from adapters.odbc.expand import relations
from adapters.odbc.headers import Query, read_queries, read_query
from adapters.odbc.plans import Action
from adapters.odbc.source import attributes, faults
from adapters.odbc.statements import TableSql
from adapters.odbc.tables import Table, read_tables
from adapters.secret import Reference


@dataclass(frozen=True, slots=True)
class Model:
    """Tables and queries by name, and the operations that they offer."""

    tables: Mapping[str, Table]
    queries: Mapping[str, Query]
    operations: Mapping[str, Operation]


def read_model(name: str, config: Config, workspace: Workspace) -> Model:
    """Reads all that the configuration names; raises `ConfigError` with every problem."""
    problems: list[ConfigProblem] = list(_source_problems(config))
    tables = _tables(name, config, workspace, problems)
    queries = _queries(name, config, workspace, problems)
    operations: dict[str, Operation] = {}
    joined = relations({each: TableSql(each, table, DIALECTS["generic"], UTC) for each, table in tables.items()})
    for table_name, table in tables.items():
        described = describe(table_name, table, not config.read_only, joined[table_name])
        operations |= {each.name: each for each in described}
    for query in queries.values():
        if query.name in operations:
            text = f"'{query.name}' is already an operation of a table; rename the file"
            problems.append(ConfigProblem(text, "/queries", query.file, 1))
        if query.effect is not Effect.READ and config.read_only:
            text = f"'{query.name}' writes, and the upstream is read-only; set read_only: false"
            problems.append(ConfigProblem(text, "/read_only", query.file, 1))
        operations[query.name] = queryops.describe(query)
    model = Model(tables, queries, operations)
    dialect = DIALECTS[config.dialect] if config.dialect else dialect_of(str.__str__(config.dsn))
    try:
        compiled(model, dialect or DIALECTS["generic"], UTC)
    except ConfigError as error:
        # Without a known dialect the SQL may be right for the database that a connection will show.
        problems += error.problems if dialect is not None else ()
    if dialect is not None:
        problems += identity.faults(config, dialect)
    if problems:
        raise ConfigError(problems)
    return model


def compiled(model: Model, dialect: Dialect, zone: tzinfo) -> Mapping[str, Action]:
    """How a dialect runs a model's operations; raises `ConfigError` for the queries that it can't or mayn't."""
    made: dict[str, Action] = {}
    problems: list[ConfigProblem] = []
    for name, table in model.tables.items():
        names = [table.table or name, table.schema_ or "", *(column.name for column in table.columns)]
        if dialect.ascii_only and not "".join(names).isascii():
            text = f"table {name} has names outside ASCII, which {dialect.name}'s driver garbles; describe a view of it"
            problems.append(ConfigProblem(text, "/tables"))
    made |= tableops.actions({name: TableSql(name, table, dialect, zone) for name, table in model.tables.items()})
    for name, query in model.queries.items():
        try:
            made[name] = queryops.action(query, dialect, zone)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return made


def _tables(name: str, config: Config, workspace: Workspace, problems: list[ConfigProblem]) -> Mapping[str, Table]:
    path = config.tables or f"openapi/sources/{name}/tables.yaml"
    content = workspace.files.get(path)
    if content is None:
        if config.tables:
            text = f"there is no file {path}; 'figway import odbc' writes one"
            problems.append(ConfigProblem(text, "/tables"))
        return {}
    try:
        return read_tables(path, content)
    except ConfigError as error:
        problems += error.problems
        return {}


def _queries(name: str, config: Config, workspace: Workspace, problems: list[ConfigProblem]) -> Mapping[str, Query]:
    folder = str(PurePosixPath(config.queries or f"openapi/sources/{name}/queries"))
    found: dict[str, Query] = {}
    files = list(read_queries(workspace.files, folder))
    for path, content in files:
        try:
            query = read_query(path, content)
            found[query.name] = query
        except ConfigError as error:
            problems += error.problems
    if config.queries and not files:
        problems.append(ConfigProblem(f"there is no *.sql file in {folder}", "/queries"))
    return found


def _source_problems(config: Config) -> list[ConfigProblem]:
    """A malformed connection string, or a driver or data source that this machine doesn't have."""
    if isinstance(config.dsn, Reference) and config.dsn.missing:
        return []
    dsn = str.__str__(config.dsn)
    malformed = [ConfigProblem(sentence, "/dsn") for sentence in faults(dsn)]
    if malformed:
        return malformed
    given = attributes(dsn)
    driver, source = given.get("driver", "").strip("{}"), given.get("dsn", "")
    if driver:
        known = Path(driver).is_file() if driver.startswith("/") else driver in pyodbc.drivers()
        if not known:
            listed = ", ".join(sorted(pyodbc.drivers())) or "none"
            return [ConfigProblem(f"there is no ODBC driver '{driver}' here; there are: {listed}", "/dsn")]
    elif source:
        if source not in pyodbc.dataSources():
            return [ConfigProblem(f"there is no ODBC data source '{source}' here; see odbc.ini", "/dsn")]
    elif "filedsn" not in given:
        return [ConfigProblem("the connection string names neither Driver= nor DSN=", "/dsn")]
    return []
