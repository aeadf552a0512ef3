"""Databases by ODBC: tables by description and named SQL, over bare pyodbc and a pool of one thread a connection."""

from __future__ import annotations

from adapters.contract import Kind, Workspace
from adapters.odbc.adapter import OdbcAdapter
from adapters.odbc.config import Config
from adapters.odbc.model import read_model


def _build(name: str, config: Config, workspace: Workspace) -> OdbcAdapter:
    return OdbcAdapter(name, config, read_model(name, config, workspace))


KIND = Kind("odbc", Config, _build)
