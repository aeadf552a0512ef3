"""Databases by ODBC: tables by description and named SQL, over bare pyodbc and a pool of one thread a connection."""

from __future__ import annotations

from pathlib import Path

from adapters.contract import Kind, Workspace
from adapters.errors import ConfigError, ConfigProblem
from adapters.odbc.access import AccessFile
from adapters.odbc.adapter import OdbcAdapter
from adapters.odbc.config import Config
from adapters.odbc.model import read_model
from adapters.odbc.snapshots import DRIVER, SnapshotAdapter


def _build(name: str, config: Config, workspace: Workspace) -> OdbcAdapter:
    if config.access is not None:
        return _snapshot(name, config, str.__str__(config.access), workspace)
    return OdbcAdapter(name, config, read_model(name, config, workspace))


def _snapshot(name: str, config: Config, path: str, workspace: Workspace) -> SnapshotAdapter:
    inner = config.model_copy(update={"dsn": DRIVER.format(workspace.cache), "dialect": "sqlite"})
    model = read_model(name, inner, workspace)
    file = AccessFile(Path(path), model.tables, workspace.cache)
    problems = [ConfigProblem(sentence, "/access") for sentence in file.faults()]
    if problems:
        raise ConfigError(problems)
    return SnapshotAdapter(name, inner, model, file)


KIND = Kind("odbc", Config, _build)
