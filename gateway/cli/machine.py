"""What `doctor` looks at on this machine: Python, packages, SQLite, ODBC drivers, programs, the port, the folder."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Literal

from adapters import registry
from gateway.settings import InvalidSetting, Settings

_PYTHON = (3, 11)
_SQLITE = (3, 35, 0)  # RETURNING
_OWNED = ("gateway", "adapters")
_DEMO = {"php": "the demo's CRM", "cobc": "the demo's work queue"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    what: str
    state: Literal["ok", "warning", "bad"]
    detail: str


def machine_checks(workspace: Path, environment: Mapping[str, str]) -> Iterator[Check]:
    """Everything that can be seen without a workspace's upstreams."""
    yield _python()
    yield _sqlite()
    yield from _import_names()
    yield from _kinds()
    yield _odbc_drivers()
    yield from _programs()
    try:
        settings = Settings.from_environment(environment)
    except InvalidSetting as error:
        yield Check("settings", "bad", str(error))
        return
    yield _port(settings)
    yield _state(settings.state or workspace / ".figway")


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _PYTHON:
        return Check("Python", "bad", f"{found}: 3.11 or newer is needed")
    return Check("Python", "ok", found)


def _sqlite() -> Check:
    if sqlite3.sqlite_version_info < _SQLITE:
        return Check("SQLite", "bad", f"{sqlite3.sqlite_version}: 3.35 or newer is needed")
    return Check("SQLite", "ok", sqlite3.sqlite_version)


def _import_names() -> Iterator[Check]:
    """figway imports as `gateway` and `adapters`; another package of that name would take its place."""
    owners = packages_distributions()
    for name in _OWNED:
        others = sorted(set(owners.get(name, ())) - {"figway"})
        if others:
            yield Check(f"import {name}", "bad", f"the package {', '.join(others)} owns this name too: uninstall it")
        else:
            yield Check(f"import {name}", "ok", _figway())


def _figway() -> str:
    try:
        return f"figway {version('figway')}"
    except PackageNotFoundError:
        return "figway, run from its folder"


def _kinds() -> Iterator[Check]:
    for name in registry.names():
        try:
            registry.kind(name)
        except registry.UnknownKind as error:
            yield Check(f"adapter {name}", "bad", str(error))
        else:
            yield Check(f"adapter {name}", "ok", "loads")


def _odbc_drivers() -> Check:
    """The drivers that unixODBC knows; `odbcinst -q -d` lists the same file."""
    path = Path(os.environ.get("ODBCSYSINI", "/etc")) / "odbcinst.ini"
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return Check("ODBC drivers", "warning", "none are installed: apt-get install libsqliteodbc, or your database's")
    names = [line.strip()[1:-1] for line in lines if line.strip().startswith("[") and line.strip().endswith("]")]
    if not names:
        return Check("ODBC drivers", "warning", f"{path} names none: install your database's driver")
    return Check("ODBC drivers", "ok", ", ".join(sorted(names)))


def _programs() -> Iterator[Check]:
    for name, purpose in _DEMO.items():
        found = shutil.which(name)
        state: Literal["ok", "warning"] = "ok" if found else "warning"
        yield Check(name, state, found or f"not found: only {purpose} needs it; 'make run' installs it")


def _port(settings: Settings) -> Check:
    try:
        with socket.create_server((settings.host, settings.port)):
            return Check("port", "ok", f"{settings.host}:{settings.port} is free")
    except OSError as error:
        sentence = f"{settings.host}:{settings.port} can't be listened on ({error.strerror}): set FIGWAY_PORT"
        return Check("port", "warning", f"{sentence}, unless it is figway that runs there")


def _state(folder: Path) -> Check:
    existing = next(each for each in (folder, *folder.resolve().parents) if each.exists())
    if os.access(existing, os.W_OK | os.X_OK):
        return Check("state", "ok", f"{folder} can be written")
    return Check("state", "bad", f"{folder} can't be written: set FIGWAY_STATE to a folder that can")
