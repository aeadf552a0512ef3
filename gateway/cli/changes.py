"""`figway changes`: what is captured, what has to be in a database for it, and its loads."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from adapters.capabilities import SupportsInstall
from adapters.changes import Capture
from adapters.errors import AdapterError
from gateway.cli.changing import table
from gateway.cli.common import FINDING, USAGE, fail, json_option, print_json, workspace_option
from gateway.events.loads import LoadedFile
from gateway.events.model import Standing
from gateway.freshness.documents import documents
from gateway.freshness.worker import opened, wanted
from gateway.routing.load import Loaded, compile_workspace, read_workspace
from gateway.routing.model import InvalidWorkspace
from gateway.settings import Settings
from gateway.store.contract import StoreError
from gateway.store.place import StateFolder

_PATIENCE, _LOOK = 60.0, 0.5


@click.group("changes", help="Show what is captured of upstreams, prepare databases for it, and load anew.")
def command() -> None:
    """`figway changes`."""


@command.command(
    "show",
    help="Show each capture: what it promises, how far it is and how current its replica is; exit 1 when one can't go "
    "on.\n\nExample: figway changes show",
)
@workspace_option
@json_option
def show(workspace: Path, as_json: bool) -> None:
    """`figway changes show`."""
    with tempfile.TemporaryDirectory(prefix="figway-changes-") as cache:
        loaded = _loaded(workspace, Path(cache))
        found: list[Any] = documents(loaded.compiled, loaded.adapters, _standings(workspace))
    if as_json:
        print_json({"captures": found})
    elif not found:
        click.echo("nothing is captured: gateway.yaml has no changes")
    else:
        _print(found)
    if any(each["problem"] for each in found):
        raise SystemExit(FINDING)


@command.command(
    "install",
    help="Print what has to be in the database for a capture; with --run, also make it there. The statements may be "
    "run again.\n\nExample: figway changes install erp.stock",
)
@workspace_option
@json_option
@click.option("--run", is_flag=True, help="Run the statements.")
@click.argument("name")
def install(workspace: Path, as_json: bool, name: str, run: bool) -> None:
    """`figway changes install NAME`."""
    statements: list[str] = []

    async def prepare(capture: Capture) -> None:
        if isinstance(capture, SupportsInstall):
            statements.extend(capture.script())
            if run:
                await capture.install(time.monotonic() + _PATIENCE)

    _with(workspace, name, prepare)
    if as_json:
        print_json({"name": name, "statements": statements, "run": run and bool(statements)})
    elif not statements:
        click.echo(f"{name} needs nothing in its source")
    else:
        click.echo("".join(f"{each};\n" for each in statements), nl=False)
        click.echo("-- done" if run else "-- nothing was run: --run does it", err=True)


@command.command(
    "remove",
    help="Take away what a capture keeps at its source, such as a slot, which would keep the database's log for ever, "
    "and forget its replica. Then remove it from gateway.yaml.\n\nExample: figway changes remove erp.stock",
)
@workspace_option
@json_option
@click.argument("name")
def remove(workspace: Path, as_json: bool, name: str) -> None:
    """`figway changes remove NAME`."""

    async def clear(capture: Capture) -> None:
        if isinstance(capture, SupportsInstall):
            await capture.remove(time.monotonic() + _PATIENCE)

    _with(workspace, name, clear)
    forgotten = _in_file(workspace, lambda file: file.forget(name))
    if as_json:
        print_json({"name": name, "forgotten": forgotten})
    else:
        click.echo(f"{name}: nothing is kept of it any more")


@command.command(
    "load",
    help="Have a running gateway read everything once more and hold it against the replica; what differs is told as "
    "changes.\n\nExample: figway changes load erp.stock",
)
@workspace_option
@json_option
@click.option("--accept-deletes", is_flag=True, help="Agree to the deletes that the last load refused to believe.")
@click.option("--wait", is_flag=True, help="Wait until it is loaded, and show how far it is.")
@click.argument("name")
def load(workspace: Path, as_json: bool, name: str, accept_deletes: bool, wait: bool) -> None:
    """`figway changes load NAME`."""
    before = next((each for each in _standings(workspace) if each.name == name), None)
    if before is None:
        fail(f"nothing is captured under the name {name} yet: does a gateway serve this workspace?")
    _in_file(workspace, lambda file: file.want(name, "accept" if accept_deletes else "load"))
    found = _awaited(workspace, before, as_json, accepting=accept_deletes) if wait else before
    if as_json:
        print_json({"name": name, "phase": found.phase.value, "rows": found.rows, "loaded": found.loaded})
    else:
        click.echo(f"{name}: {found.rows} rows" if wait else f"{name}: asked for")


def _awaited(workspace: Path, before: Standing, quiet: bool, *, accepting: bool) -> Standing:
    number = before.load if accepting else before.load + 1
    while True:
        found = next(each for each in _standings(workspace) if each.name == before.name)
        if found.load >= number and found.phase == "live":
            return found
        if found.note and found.phase == "loading" and not accepting:
            fail(f"{found.name}: {found.note}")
        if not quiet:
            click.echo(f"{found.name}: {found.phase.value}, {found.loaded} rows read", err=True)
        time.sleep(_LOOK)


def _with(workspace: Path, name: str, do: Callable[[Capture], Awaitable[None]]) -> None:
    """Does something with a capture of the workspace, at its source."""
    with tempfile.TemporaryDirectory(prefix="figway-changes-") as cache:
        loaded = _loaded(workspace, Path(cache))
        found = {each: (upstream, model) for each, upstream, model in wanted(loaded.compiled)}
        if name not in found:
            there = ", ".join(sorted(found)) or "none"
            fail(f"gateway.yaml captures nothing under the name {name}; there are: {there}", USAGE)
        upstream, model = found[name]
        adapter = loaded.adapters[upstream]

        async def at_source() -> None:
            try:
                async with opened(adapter, model, name) as capture:
                    await do(capture)
            finally:
                await adapter.close()

        try:
            asyncio.run(at_source())
        except AdapterError as error:
            fail(f"{name}: {error.message}{f' ({error.detail})' if error.detail else ''}")


def _loaded(workspace: Path, cache: Path) -> Loaded:
    try:
        return compile_workspace(read_workspace(workspace), cache=cache, environment=os.environ, strict_secrets=False)
    except InvalidWorkspace as error:
        fail(f"{error}: 'figway check' lists them")


def _standings(workspace: Path) -> list[Standing]:
    path = _path(workspace)
    return _in_file(workspace, lambda file: file.standings()) if path.exists() else []


def _in_file(workspace: Path, do: Callable[[LoadedFile], Any]) -> Any:
    try:
        with closing(LoadedFile(_path(workspace))) as file:
            return do(file)
    except StoreError as error:
        fail(str(error))


def _path(workspace: Path) -> Path:
    return StateFolder.of(workspace, Settings.from_environment(os.environ).state).events


def _print(found: list[Any]) -> None:
    head = ["CAPTURE", "METHOD", "PHASE", "ROWS", "AGE", "DELETES", "ORDER"]
    rows = [
        [
            each["name"],
            each["method"],
            each["phase"],
            str(each["rows"]),
            "" if each["age"] is None else f"{each['age']:.1f} s",
            each["guarantee"]["deletes"],
            each["guarantee"]["order"],
        ]
        for each in found
    ]
    table([head, *rows])
    for each in found:
        if each["problem"]:
            click.echo(f"{each['name']}: {each['problem']}")
