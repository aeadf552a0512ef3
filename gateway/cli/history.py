"""`figway history`: the snapshots, newest first."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.changing import table
from gateway.cli.common import json_option, print_json, workspace_option
from gateway.cli.desk import desk, server_option


@click.command("history", help="Show the snapshots, newest first.\n\nExample: figway history --limit 10")
@workspace_option
@json_option
@server_option
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many.")
def command(workspace: Path, as_json: bool, server: str | None, limit: int) -> None:
    """`figway history`."""
    with desk(workspace, server) as at:
        found = at.history(limit)
    if as_json:
        print_json(found)
        return
    rows = [["VERSION", "TIME", "AUTHOR", "TICKET", "REASON"]]
    rows += [
        [str(each["version"]), str(each["time"])[:19], each["author"], each["ticket"] or "-", each["reason"]]
        for each in found
    ]
    table(rows)
