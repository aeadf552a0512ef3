"""`figway approvals`: what others want to change, and another person's yes or no to it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gateway.cli.changing import table
from gateway.cli.common import json_option, print_json, workspace_option
from gateway.cli.desk import Document, desk, server_option


@click.group(
    name="approvals",
    help="Approvals: list, show, approve, deny. To decide needs --server and gateway:approve.\n\n"
    "Example: figway approvals list --pending",
)
def command() -> None:
    """The verb's own group."""


@command.command(name="list", help="List approvals, newest first.\n\nExample: figway approvals list --pending")
@workspace_option
@json_option
@server_option
@click.option("--pending", is_flag=True, help="Only those that can be decided.")
def list_approvals(workspace: Path, as_json: bool, server: str | None, pending: bool) -> None:
    """`figway approvals list`."""
    with desk(workspace, server) as at:
        found = at.approvals(pending=pending)
    if as_json:
        print_json(found)
        return
    rows = [["ID", "STATE", "ASKED BY", "YES", "EXPIRES", "WHAT"]]
    for each in found:
        yes = sum(decision["approve"] for decision in each["decisions"])
        counted = f"{yes} of {each['needed']}"
        rows.append([each["id"], each["state"], each["asked_by"], counted, each["expires"], each["summary"]])
    table(rows)


@command.command(
    help="Show one: what is bound to it, exactly, and what would happen.\n\n"
    "Example: figway approvals show 01JD… --server URL"
)
@workspace_option
@server_option
@click.argument("id")
def show(workspace: Path, server: str | None, id: str) -> None:
    """`figway approvals show ID`. Characters beyond ASCII are escaped: none of them can hide another."""
    with desk(workspace, server) as at:
        click.echo(json.dumps(at.approval(id), indent=2))


@command.command(
    help="Say yes, as another person than who asked.\n\nExample: figway approvals approve 01JD… --server URL"
)
@workspace_option
@json_option
@server_option
@click.argument("id")
@click.option("--reason", default="", help="Why, for the record.")
def approve(workspace: Path, as_json: bool, server: str | None, id: str, reason: str) -> None:
    """`figway approvals approve ID`."""
    with desk(workspace, server) as at:
        _told(at.decide(id, reason, approve=True), as_json=as_json)


@command.command(help="Say no; one no is enough.\n\nExample: figway approvals deny 01JD… --reason 'not on a Friday'")
@workspace_option
@json_option
@server_option
@click.argument("id")
@click.option("--reason", default="", help="Why, for the record.")
def deny(workspace: Path, as_json: bool, server: str | None, id: str, reason: str) -> None:
    """`figway approvals deny ID`."""
    with desk(workspace, server) as at:
        _told(at.decide(id, reason, approve=False), as_json=as_json)


def _told(found: Document, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['id']} is {found['state']}: {found['summary']}")
