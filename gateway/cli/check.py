"""`figway check`: a workspace checked offline; `--live` connects to upstreams, `--drift` reads imported ones again."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from adapters.capabilities import SupportsLeftOut
from gateway.cli.common import FINDING, json_option, print_json, workspace_option
from gateway.cli.drifting import Drifted, drifted
from gateway.cli.probing import Probed, probe_all
from gateway.importing.drift import Grade
from gateway.routing.load import Loaded, compile_workspace, read_workspace
from gateway.routing.model import Finding, InvalidWorkspace

_EXAMPLE = """
\b
Example:
  figway check --workspace ./bank
"""


@click.command("check", help=f"Check a workspace: every problem, with file, line and key.\n{_EXAMPLE}")
@workspace_option
@json_option
@click.option("--live", is_flag=True, help="Also connect to every upstream.")
@click.option("--drift", is_flag=True, help="Also read the sources of imported upstreams again: what changed there?")
@click.option("--verbose", is_flag=True, help="Also list the operations that upstreams describe but can't be called.")
def command(workspace: Path, as_json: bool, live: bool, drift: bool, verbose: bool) -> None:
    """Exit 0 when nothing is wrong (warnings allowed), 1 otherwise."""
    loaded, findings = _checked(workspace)
    probes = asyncio.run(probe_all(loaded.adapters)) if live and loaded is not None else ()
    told = _told(loaded) if verbose and loaded is not None else []
    drifts = drifted(workspace) if drift and loaded is not None else []
    if as_json:
        found = {"findings": [asdict(each) for each in findings], "upstreams": [asdict(each) for each in probes]}
        found |= {"left_out": [asdict(each) for each in told]} if verbose else {}
        print_json({**found, "drift": [asdict(each) for each in drifts]} if drift else found)
    else:
        _print(findings, probes, loaded)
        for each in told:
            click.echo(str(each))
        _print_drift(drifts)
    sound = all(each.ok for each in probes) and all(each.ok for each in drifts)
    if loaded is None or not sound:
        raise SystemExit(FINDING)


def _checked(workspace: Path) -> tuple[Loaded | None, tuple[Finding, ...]]:
    with tempfile.TemporaryDirectory(prefix="figway-check-") as cache:
        try:
            files = read_workspace(workspace)
            loaded = compile_workspace(files, cache=Path(cache), environment=os.environ, strict_secrets=False)
        except InvalidWorkspace as error:
            return None, error.findings
    return loaded, loaded.findings


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """Operations of one upstream: how many can be called, and which can't, with what they use."""

    upstream: str
    operations: int
    left_out: dict[str, str]

    def __str__(self) -> str:
        total = self.operations + len(self.left_out)
        share = 100 * self.operations / total
        lines = [f"upstream {self.upstream}: {self.operations} of {total} operations can be called ({share:.1f} %)"]
        return "\n".join(lines + [f"  {name}: it uses {reason}" for name, reason in self.left_out.items()])


def _told(loaded: Loaded) -> list[_LeftOut]:
    return [
        _LeftOut(name, len(adapter.operations()), dict(adapter.left_out))
        for name, adapter in sorted(loaded.adapters.items())
        if isinstance(adapter, SupportsLeftOut) and (adapter.operations() or adapter.left_out)
    ]


def _print_drift(drifts: list[Drifted]) -> None:
    for each in drifts:
        if each.unread:
            click.echo(f"upstream {each.upstream}: its source can't be read: {each.unread}", err=True)
        elif not each.changes:
            click.echo(f"upstream {each.upstream}: its source is as it was imported")
        for change in each.changes:
            click.echo(f"upstream {each.upstream}: {change}", err=change.grade is Grade.BREAKING)


def _print(findings: tuple[Finding, ...], probes: tuple[Probed, ...], loaded: Loaded | None) -> None:
    for each in findings:
        # A finding is one line, to be read, searched and clicked on alike.
        note = "warning: " if each.level == "warning" else ""
        click.echo(f"{note}{each}", err=True)
    for probe in probes:
        click.echo(f"upstream {probe.upstream}: {'up' if probe.ok else 'down'}: {probe.detail}", err=not probe.ok)
    if loaded is None:
        count = sum(each.level == "error" for each in findings)
        click.echo(f"figway: {count} {'problem' if count == 1 else 'problems'} to mend", err=True)
    else:
        compiled = loaded.compiled
        click.echo(f"The workspace is sound: {len(compiled.routes)} routes, {len(compiled.upstreams)} upstreams.")
