"""What verbs share that answer from the workspace's files alone: it, compiled, and a caller as options say it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from gateway.call import Principal
from gateway.cli.common import fail
from gateway.routing.load import Loaded, compile_workspace, read_workspace
from gateway.routing.model import Compiled, InvalidWorkspace


def compiled_of(workspace: Path) -> Compiled:
    """The workspace, compiled; ends the program with a sentence where that can't be done."""
    return loaded_of(workspace).compiled


def loaded_of(workspace: Path) -> Loaded:
    """The same, with its adapters, which touch no network."""
    with tempfile.TemporaryDirectory(prefix="figway-offline-") as cache:
        try:
            files = read_workspace(workspace)
            return compile_workspace(files, cache=Path(cache), environment=os.environ, strict_secrets=False)
        except InvalidWorkspace as error:
            fail(f"{error}: 'figway check' lists them")


def principal_of(
    principal: str,
    agent: str | None,
    roles: tuple[str, ...],
    teams: tuple[str, ...],
    tenant: str | None,
    scopes: tuple[str, ...],
    behind: tuple[str, ...] = (),
    run: str | None = None,
) -> Principal:
    """Who asks, as `--as`, `--via`, `--role`, `--team`, `--tenant`, `--scope`, `--behind` and `--run` say it."""
    chain = (agent, *behind) if agent else ()
    narrowed = scopes or None
    return Principal(principal, agent, roles, tenant, teams=teams, scopes=narrowed, delegation=chain, run=run)
