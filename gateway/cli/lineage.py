"""`figway lineage`: where each field of a call's reply came from. No gateway needs to run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from os import environ
from pathlib import Path
from typing import Any

import click

from gateway.cli.common import fail, json_option, print_json, workspace_option
from gateway.cli.key import sentences
from gateway.cli.recording import audit_reader
from gateway.lineage.openlineage import run_event
from gateway.lineage.snapshots import call_of, explained, stored
from gateway.routing.stores import state_url
from gateway.settings import Settings
from gateway.store.place import StateFolder, open_state

_HELP = """Tell where each field of a call's reply came from; ID is the reply's Figway-Lineage.

\b
Example:
  figway lineage 01JD3ZQ8S0C9V5E2K7T4M6X1AB
  figway lineage 01JD3ZQ8S0C9V5E2K7T4M6X1AB --format openlineage
"""
_SECONDS = 60.0


@click.command("lineage", help=_HELP)
@workspace_option
@json_option
@click.option("--format", "form", type=click.Choice(["text", "openlineage"]), default="text", help="What to print.")
@click.argument("id")
def command(workspace: Path, as_json: bool, form: str, id: str) -> None:
    """Exit 1 when the audit holds no such call."""
    with sentences():
        folder = StateFolder.of(workspace, Settings.from_environment(environ).state)
        record = call_of(audit_reader(workspace, folder).find(id, _SECONDS))
        if record is None:
            fail(f"the audit holds no call of the id '{id}'")
        with closing(open_state(state_url(workspace), workspace, folder)) as state:
            answer = explained(record, stored(state, folder.path / "cache", environ), lambda: None)
    if form == "openlineage":
        print_json(run_event(answer))
    elif as_json:
        print_json(answer)
    else:
        _print(answer)


def _print(answer: Mapping[str, Any]) -> None:
    age = f", {answer['age']:g} s old" if answer["age"] is not None else ""
    click.echo(f"{answer['operation'] or answer['route']} answered {answer['status']} at {answer['replied']}{age}")
    for call in answer["calls"]:
        click.echo(f"  {call['upstream']} {call['operation']}: {call['outcome']}")
        for source in call["sources"]:
            place = "" if "span" not in source else " bytes {} to {}".format(*source["span"])
            click.echo(f"    {source['object']} {source.get('key', '')}{place} as of {source.get('as_of', 'unknown')}")
    for mapping in answer["mappings"]:
        click.echo(f"  {mapping['where']}: {mapping['expression'] or 'as the upstream answers'}")
    for field in answer["fields"]:
        names = [each["element"] or each["pointer"] or "/" for each in field["from"]]
        click.echo(f"{field['pointer'] or '/'}  <-  {', '.join(names) or field.get('made_by', 'a constant')}")
