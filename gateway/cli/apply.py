"""`figway apply`: the workspace becomes the active snapshot."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.changing import show_change
from gateway.cli.common import FINDING, json_option, workspace_option
from gateway.cli.desk import desk, server_option
from gateway.cli.plan import workspace_files

_HELP = """Make the workspace what is served; returns once every worker on the host serves it.

Stages that were changed at run time stay: they are named, and nothing is applied.

\b
Example:
  figway apply --workspace shop --plan-hash 3f9a… --reason "new customer routes" --ticket PAY-118
"""


@click.command("apply", help=_HELP)
@workspace_option
@json_option
@server_option
@click.option("--plan-hash", help="Only if this is still the plan, as 'figway plan' printed it.")
@click.option("--overwrite-stages", is_flag=True, help="Also undo what was changed at run time.")
@click.option("--reason", default="apply", show_default=True, help="Why, for the history.")
@click.option("--ticket", help="The ticket that asks for it.")
def command(
    workspace: Path,
    as_json: bool,
    server: str | None,
    plan_hash: str | None,
    overwrite_stages: bool,
    reason: str,
    ticket: str | None,
) -> None:
    """Exit 1 when nothing was changed, or a worker doesn't serve it in time."""
    with desk(workspace, server) as at:
        about = {"reason": reason, "ticket": ticket}
        changed = at.apply(workspace_files(workspace), about, overwrite=overwrite_stages, plan_hash=plan_hash)
    show_change(changed, as_json=as_json)
    if changed["behind"]:
        raise SystemExit(FINDING)
