"""`figway route reconcile`, `repairs` and `unknowns`: what differs between a group's sides, and what mends it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gateway.cli.changing import table
from gateway.cli.common import FINDING, json_option, print_json, workspace_option
from gateway.cli.desk import Desk, DeskError, Document, desk, server_option, usage

_LOOK = 0.3
_EXAMPLES = 10
_MOST_KEYS = 64 * 2**20


@click.command(
    help="Hold every entity of a group's two sides against each other; exit 1 when they differ, or that can't be told. "
    "It goes on at the gateway if this is interrupted.\n\nExample: figway route reconcile customers"
)
@workspace_option
@json_option
@server_option
@click.argument("group")
@click.option("--last", is_flag=True, help="Only show what is known; ask neither side.")
@click.option("--details", is_flag=True, help="Read each entity on both sides, not just what lists show; much slower.")
@click.option(
    "--keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For a group without a list: a file that names its entities, one a line.",
)
def reconcile(
    workspace: Path, as_json: bool, server: str | None, group: str, last: bool, details: bool, keys: Path | None
) -> None:
    """`figway route reconcile GROUP`."""
    with desk(workspace, server) as at:
        if last:
            found = at.reconciliation(group)
        else:
            run = at.sweep(group, None if keys is None else _keys(keys), details=details)
            found = _followed(lambda: at.reconciliation(group), "sweep", run["id"])
    if as_json:
        print_json(found)
    else:
        _print(found)
    if not (found["sweep"] and found["sweep"]["clean"]) or any(found["found"].values()):
        raise SystemExit(FINDING)


@click.command(
    help="List a group's repairs, propose them from what was found, or apply what is proposed, which needs another "
    "person's yes. Only the side without the last word is changed.\n\nExample: figway route repairs customers propose"
)
@workspace_option
@json_option
@server_option
@click.argument("group")
@click.argument("do", type=click.Choice(["list", "propose", "apply"]), default="list")
def repairs(workspace: Path, as_json: bool, server: str | None, group: str, do: str) -> None:
    """`figway route repairs GROUP [list|propose|apply]`."""
    with desk(workspace, server) as at:
        if do != "list":
            begun = at.repair(group, do)
        if do == "propose":
            _followed(lambda: at.repairs(group), "proposing", begun["id"])
        found = _applied(at, group) if do == "apply" else at.repairs(group)
    if as_json:
        print_json(found)
        return
    rows = [[each["state"], each["verb"], each["entity"], each["side"], _members(each)] for each in found["repairs"]]
    if not rows:
        click.echo(f"{group}: no repairs")
        return
    table([["STATE", "VERB", "ENTITY", "SIDE", "MEMBERS"], *rows])
    if found["hash"]:
        click.echo(f"Proposed together as repair:{found['hash']}.")


@click.command(
    help="List a group's writes that one side hasn't seen, or whose outcome nobody knows; --settle decides on one.\n\n"
    "Example: figway route unknowns customers --settle 01M7ZBVKYFSH8GZJQM9QDG7SYX --happened yes"
)
@workspace_option
@json_option
@server_option
@click.argument("group")
@click.option("--settle", metavar="ID", help="The write to decide on.")
@click.option("--happened", type=click.Choice(["yes", "no"]), help="Whether it happened; parked: yes goes on without.")
def unknowns(
    workspace: Path, as_json: bool, server: str | None, group: str, settle: str | None, happened: str | None
) -> None:
    """`figway route unknowns GROUP`; exit 1 when there are writes that people must decide on."""
    with desk(workspace, server) as at:
        if (settle is None) != (happened is None):
            raise usage("--settle ID and --happened yes|no go together")
        if settle is not None:
            decided = at.settle(group, settle, happened=happened == "yes")
            click.echo(f"{decided['id']}: it {'happened' if decided['decided'] else 'did not happen'}", err=as_json)
        found = at.writes(group)
    if as_json:
        print_json(found)
    elif not found["writes"]:
        click.echo(f"{group}: both sides have every write")
    else:
        rows = [[each["id"], each["state"], each["entity"], each["route"], _problem(each)] for each in found["writes"]]
        table([["ID", "STATE", "ENTITY", "ROUTE", "PROBLEM"], *rows])
    if any(each["for_people"] for each in found["writes"]):
        raise SystemExit(FINDING)


def _keys(path: Path) -> list[str]:
    if path.stat().st_size > _MOST_KEYS:
        raise usage("--keys: the file is larger than 64 MiB")
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def _followed(look: Callable[[], Document], name: str, id: int) -> Document:
    """Waits for a run, with a bar where somebody watches."""
    with click.progressbar(length=1, label=name, file=sys.stderr, show_pos=True) as bar:
        while True:
            found = look()
            run = found[name]
            if run is None or run["id"] != id or run["state"] != "running":
                break
            _draw(bar, run)
            time.sleep(_LOOK)
    if run is not None and run["id"] == id and run["state"] == "cancelled":
        raise DeskError(f"it was cancelled: {run['reason']}")
    return found


def _draw(bar: Any, run: Document) -> None:
    """While the lists are walked nobody knows how long it will be."""
    if run["walking"]:
        bar.label = f"walking the lists ({run['walked']['legacy']} + {run['walked']['replacement']})"
        bar.render_progress()
        return
    bar.label, bar.length = "looking at entities", max(1, run["looked"] + run["left"])
    bar.update(run["looked"] - bar.pos)


def _applied(at: Desk, group: str) -> Document:
    """Waits until nothing is on its way any more but for what people must decide on."""
    while True:
        found = at.repairs(group)
        if not any(each["state"] in ("approved", "applying") and not each["why"] for each in found["repairs"]):
            return found
        time.sleep(_LOOK)


def _print(found: Document) -> None:
    sweep = found["sweep"]
    if sweep is None:
        click.echo(f"{found['group']}: nothing was reconciled yet")
    else:
        counts = sweep["counts"]
        total, same = sum(counts.values()), ", ".join(f"{count} {name}" for name, count in sweep["same"].items())
        when = f"{sweep['state']} {sweep['ended'] or ''}".strip()
        click.echo(f"{found['group']}: {total} entities at snapshot {sweep['snapshot']}, {when}")
        click.echo(f"  same      {counts['same']:>9}" + (f"  ({same})" if same else ""))
        for kind in ("missing", "extra", "different", "unknown"):
            click.echo(f"  {kind:<10}{counts[kind]:>9}")
    written = found["written"]
    looked = sum(written["counts"].values())
    lag = f", oldest {found['oldest_lag']:.1f} s" if found["oldest_lag"] else ""
    click.echo(f"  {looked} looked at since they were written, {written['waiting']} wait{lag}")
    for each in found["examples"][:_EXAMPLES]:
        places = ", ".join(f"{one['at'] or '/'} ({one['kind']})" for one in (each["differences"] or [])[:3])
        click.echo(f"  {each['entity']}: {each['kind']} {places or each['why'] or ''}".rstrip())


def _members(repair: Document) -> str:
    left = f"; not {', '.join(repair['left'])}" if repair["left"] else ""
    why = f" ({repair['why']})" if repair["why"] else ""
    return f"{', '.join(repair['members']) or '-'}{left}{why}"


def _problem(write: Document) -> str:
    decide = "  to be decided" if write["for_people"] else ""
    return f"{write['problem'] or '-'}{decide}"
