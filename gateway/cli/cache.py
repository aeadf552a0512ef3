"""`figway cache`: letting go of what is kept of the systems' answers."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.common import USAGE, fail, json_option, print_json, workspace_option
from gateway.cli.desk import desk, server_option


@click.group(name="cache", help="Kept answers: purge.\n\nExample: figway cache purge --group customers")
def command() -> None:
    """The verb's own group."""


@command.command(
    help="Let go of kept answers, on all workers of the host: of everything, of a group, or of one entity of it.\n\n"
    "Example: figway cache purge --group customers --entity customer_id=C-1001"
)
@workspace_option
@json_option
@server_option
@click.option("--group", help="A route group; left out: everything.")
@click.option("--entity", help="One entity of the group, as its path parameter has it: NAME=VALUE.")
def purge(workspace: Path, as_json: bool, server: str | None, group: str | None, entity: str | None) -> None:
    """`figway cache purge`."""
    name, sign, value = (entity or "").partition("=")
    if entity is not None and not (group and name and sign):
        fail("--entity is NAME=VALUE, beside --group", USAGE)
    with desk(workspace, server) as at:
        found = at.purge(group, (name, value) if entity is not None else None)
    if as_json:
        print_json(found)
    else:
        what = " ".join(each for each in (group, entity) if each) or "everything"
        click.echo(f"let go of {what}: it is asked again")
