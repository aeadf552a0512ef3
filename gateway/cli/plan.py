"""`figway plan`: what applying the workspace would do."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.changing import show_plan
from gateway.cli.common import FINDING, json_option, print_json, workspace_option
from gateway.cli.desk import DeskError, desk, server_option
from gateway.routing.folder import read_workspace
from gateway.routing.model import InvalidWorkspace

_HELP = """Show what 'figway apply' would do: files and stages that differ, rules, drift, and the plan's hash.

\b
Example:
  figway plan --workspace shop
"""


@click.command("plan", help=_HELP)
@workspace_option
@json_option
@server_option
@click.option("--overwrite-stages", is_flag=True, help="Also undo what was changed at run time.")
def command(workspace: Path, as_json: bool, server: str | None, overwrite_stages: bool) -> None:
    """Exit 1 when it couldn't be applied."""
    with desk(workspace, server) as at:
        plan = at.plan(workspace_files(workspace), overwrite=overwrite_stages)
    if as_json:
        print_json(plan)
    else:
        show_plan(plan)
    if plan["refused"] or plan["drift"]:
        raise SystemExit(FINDING)


def workspace_files(workspace: Path) -> dict[str, bytes]:
    """The workspace's files; raises `DeskError`."""
    try:
        return read_workspace(workspace)
    except InvalidWorkspace as error:
        details = [str(each) for each in error.findings]
        raise DeskError(f"the workspace {workspace} can't be read", details) from error
