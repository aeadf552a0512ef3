"""`figway route evidence` and `figway route brownout`: whether a legacy system may be switched off."""

from __future__ import annotations

from pathlib import Path
from time import gmtime, strftime

import click

from gateway.cli.common import FINDING, json_option, print_json, workspace_option
from gateway.cli.desk import desk, server_option
from gateway.migration.decommission_page import DAYS, markdown


@click.command(
    help="Show whether a group's legacy side may be switched off, and the signed evidence; exit 1 when not.\n\n"
    "Example: figway route evidence customers --format markdown > customers.md"
)
@workspace_option
@json_option
@server_option
@click.argument("group")
@click.option("--format", "form", type=click.Choice(["json", "markdown"]), help="The whole evidence, as a document.")
@click.option("--days", type=click.IntRange(1, 3660), default=DAYS, show_default=True, help="Days without a call.")
def evidence(workspace: Path, as_json: bool, server: str | None, group: str, form: str | None, days: int) -> None:
    """`figway route evidence GROUP`."""
    with desk(workspace, server) as at:
        found = at.evidence(group, days)
    if as_json or form == "json":
        print_json(found)
    elif form == "markdown":
        click.echo(markdown(found), nl=False)
    else:
        click.echo(markdown({**found, "last_callers": found["last_callers"][:5]}).partition("\n## How")[0], nl=False)
    if not found["decommission"]:
        raise SystemExit(FINDING)


@click.command(
    help="Have a group's legacy side refuse for a while, to see who still needs it. It ends by itself.\n\n"
    "Example: figway route brownout customers --for 10m --reason 'who still needs the CRM?'"
)
@workspace_option
@json_option
@server_option
@click.argument("group")
@click.option("--for", "lasts", default="10m", show_default=True, help="How long, up to 24h.")
@click.option("--reason", required=True, help="Why, for the record.")
def brownout(workspace: Path, as_json: bool, server: str | None, group: str, lasts: str, reason: str) -> None:
    """`figway route brownout GROUP`."""
    with desk(workspace, server) as at:
        found = at.brownout(group, {"for": lasts, "reason": reason})
    if as_json:
        print_json(found)
    else:
        until = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(found["until"]))
        click.echo(f"The legacy side of {group} refuses until {until}.")
