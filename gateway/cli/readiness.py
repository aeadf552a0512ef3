"""`figway readiness`: four questions about every upstream and route, answered by live probes and by the workspace."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.call import served_stages
from gateway.cli.changing import table
from gateway.cli.common import FINDING, fail, json_option, print_json, workspace_option
from gateway.cli.desk import desk, server_option
from gateway.cli.desk_server import ServerDesk
from gateway.identity.signing import Keyring
from gateway.readiness.assess import assess
from gateway.readiness.document import document
from gateway.readiness.estate import CALLS, MOST_CALLS, Estate
from gateway.readiness.model import spelt
from gateway.readiness.page import page
from gateway.routing.load import compile_workspace, read_workspace
from gateway.routing.model import InvalidWorkspace
from gateway.upstream import Limits, Upstream

_HELP = """Answer four questions about every upstream and route.

Does data come in under a second? Can something be done, not only read? Is it visible what data was used, whence, and
how it was transformed? Does it scale with demand? The reads are asked a few times with the contract's own examples;
what can't be asked is told as not checked, which isn't a no.

\b
Examples:
  figway readiness --html readiness.html
  FIGWAY_TOKEN=$KEY figway readiness --server http://localhost:8080
"""
_MARKS = {"yes": ("yes", "green"), "no": ("no", "red"), "unchecked": ("not checked", "yellow")}


@click.command("readiness", help=_HELP)
@workspace_option
@json_option
@server_option
@click.option(
    "--calls", type=click.IntRange(1, MOST_CALLS), default=CALLS, show_default=True, help="Calls of each read."
)
@click.option("--offline", is_flag=True, help="Ask no system: judge by the workspace alone.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write a page that stands alone.")
def command(workspace: Path, as_json: bool, server: str | None, calls: int, offline: bool, html: Path | None) -> None:
    """Exit 0 where no answer is no, 1 otherwise."""
    if server is not None and not offline:
        with desk(workspace, server) as at:
            assert isinstance(at, ServerDesk)
            found = at.readiness(calls)
    else:
        try:
            found = asyncio.run(_assessed(workspace, calls, live=not offline))
        except InvalidWorkspace as error:
            fail(f"{error}: 'figway check' lists them")
    if html is not None:
        _write(html, page(found))
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found["verdicts"]["no"]:
        raise SystemExit(FINDING)


async def _assessed(workspace: Path, calls: int, *, live: bool) -> dict[str, Any]:
    """Through upstreams of this process's own, opened for it and closed again."""
    stages = served_stages(workspace)
    with tempfile.TemporaryDirectory(prefix="figway-readiness-") as cache:
        loaded = compile_workspace(
            read_workspace(workspace),
            cache=Path(cache),
            environment=os.environ,
            strict_secrets=False,
            stages=stages,
            judge_stages=not stages,
        )
        specs = loaded.compiled.upstreams
        limits = {name: Limits(each.deadline, each.concurrency, each.queue) for name, each in specs.items()}
        upstreams = {name: Upstream(each, limits[name]) for name, each in loaded.adapters.items()}
        cursors = Keyring.open(Path(cache) / "keys", "cursor")
        try:
            if live:
                await asyncio.gather(*(upstream.open() for upstream in upstreams.values()))
            estate = Estate(loaded.compiled, loaded.adapters, upstreams if live else None, cursors, calls)
            return document(await assess(estate))
        finally:
            await asyncio.gather(*(upstream.close() for upstream in upstreams.values()))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{path} can't be written: {error.strerror}")


def _print(found: Mapping[str, Any]) -> None:
    rows = [["", "P50", "P95", "UNDER 1 S", "ACTS", "VISIBLE", "SCALES"]]
    for system in found["upstreams"]:
        rows.append([click.style(f"{system['upstream']} ({system['kind']})", bold=True), *_cells(system)])
        for row in system["routes"]:
            side = "" if row["side"] == "legacy" else f" ({row['side']})"
            rows.append([f"  {row['route']}{side}", *_cells(row)])
    rows += [[f"{row['route']} (composite)", *_cells(row)] for row in found["composites"]]
    table(rows)
    for each in found["without_system"]:
        click.echo(f"{each['route']}: no system is behind it, its calls {each['calls']}")
    for row in (*found["upstreams"], *found["composites"]):
        for name, answer in row["answers"].items():
            if answer["verdict"] != "yes":
                _tell(row.get("upstream") or row["route"], found["questions"][name], answer)


def _tell(name: str, question: str, answer: Mapping[str, Any]) -> None:
    click.echo(f"\n{click.style(name, bold=True)}: {question} {_mark(answer)}: {answer['why']}")
    if answer["next"]:
        click.echo(f"  next: {answer['next']}")


def _cells(row: Mapping[str, Any]) -> list[str]:
    timing = row["timing"]
    times = ["-", "-"] if timing is None else [spelt(timing[each] / 1000) for each in ("p50_ms", "p95_ms")]
    return [*times, *(_mark(answer) for answer in row["answers"].values())]


def _mark(answer: Mapping[str, Any]) -> str:
    word, colour = _MARKS[answer["verdict"]]
    return click.style(word, fg=colour)
