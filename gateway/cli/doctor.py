"""`figway doctor`: is this machine fit to serve, and does every upstream answer."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from gateway.cli.common import FINDING, json_option, print_json, workspace_option
from gateway.cli.machine import Check, machine_checks
from gateway.cli.probing import probe_all
from gateway.routing.load import compile_workspace, read_workspace
from gateway.routing.model import InvalidWorkspace

_EXAMPLE = """
\b
Example:
  figway doctor --workspace ./bank
"""
_MARKS = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "bad": "[red]bad[/]"}


@click.command("doctor", help=f"Check this machine, and every upstream live.\n{_EXAMPLE}")
@workspace_option
@json_option
def command(workspace: Path, as_json: bool) -> None:
    """Exit 0 when nothing is bad (warnings allowed), 1 otherwise."""
    checks = [*machine_checks(workspace, os.environ), *_upstreams(workspace)]
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        _print(checks)
    if any(check.state == "bad" for check in checks):
        raise SystemExit(FINDING)


def _upstreams(workspace: Path) -> Iterator[Check]:
    if not (workspace / "gateway.yaml").is_file():
        yield Check("workspace", "warning", "no gateway.yaml here: use --workspace DIR to check its upstreams too")
        return
    with tempfile.TemporaryDirectory(prefix="figway-doctor-") as cache:
        try:
            files = read_workspace(workspace)
            loaded = compile_workspace(files, cache=Path(cache), environment=os.environ, strict_secrets=False)
        except InvalidWorkspace as error:
            yield Check("workspace", "bad", f"{error}: 'figway check' lists them")
            return
        yield Check("workspace", "ok", f"{len(loaded.compiled.routes)} routes")
        for probe in asyncio.run(probe_all(loaded.adapters)):
            detail = f"{probe.detail} ({probe.seconds * 1000:.0f} ms)"
            yield Check(f"upstream {probe.upstream}", "ok" if probe.ok else "bad", detail)


def _print(checks: list[Check]) -> None:
    table = Table("what", "state", "detail")
    for check in checks:
        table.add_row(check.what, _MARKS[check.state], check.detail)
    Console().print(table)
