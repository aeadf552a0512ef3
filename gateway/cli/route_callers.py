"""`figway route callers`: who still needs a legacy system, and what of it."""

from __future__ import annotations

from pathlib import Path
from time import gmtime, strftime

import click

from gateway.cli.changing import table
from gateway.cli.common import json_option, print_json, workspace_option
from gateway.cli.desk import desk, server_option
from gateway.migration.decommission_page import DAYS


@click.command(
    help="Show who still asks a group's legacy side, for what, and which of its fields they get.\n\n"
    "Example: figway route callers customers --days 7"
)
@workspace_option
@json_option
@server_option
@click.argument("group")
@click.option("--days", type=click.IntRange(1, 3660), default=DAYS, show_default=True, help="How far back.")
def callers(workspace: Path, as_json: bool, server: str | None, group: str, days: int) -> None:
    """`figway route callers GROUP`."""
    with desk(workspace, server) as at:
        found = at.callers(group, days)
    if as_json:
        print_json(found)
        return
    if not found["callers"]:
        click.echo(f"Nobody has asked the legacy side of {group} in {days} days.")
        return
    rows = [["CALLER", "FOR", "OPERATION", "CALLS", "LAST", "FIELDS"]]
    for each in found["callers"]:
        who = (each["principal"] or "the gateway") + (f" via {each['agent']}" if each["agent"] else "")
        fields = ", ".join(f"{name} {count}" for name, count in each["fields"].items())
        last = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(each["last"]))
        called = f"{each['upstream']} {each['operation']}"
        rows.append([who, each["purpose"], called, str(each["calls"]), last, fields or "-"])
    table(rows)
