"""How the control verbs print plans, changes and stages, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from gateway.cli.common import print_json
from gateway.cli.desk import Document

_COLOURS = {"legacy": "white", "new_only": "green", "live": "green", "retired": "green"}


def stage_words(stage: Mapping[str, Any] | None) -> str:
    """A stage as one reads it: `reads canary 5 %, writes legacy`."""
    if stage is None:
        return "new"
    share = f" {stage['weight']:g} %" if stage["reads"] == "canary" else ""
    kept = f" but {stage['holdback']:g} %" if stage["reads"] == "live" else ""
    cold = "" if stage["probe"] else ", probe off"
    return f"reads {stage['reads']}{share}{kept}, writes {stage['writes']}{cold}{', frozen' if stage['frozen'] else ''}"


def show_plan(plan: Document) -> None:
    """Prints a plan for people."""
    colours = {"added": "green", "changed": "yellow", "removed": "red"}
    for what, colour in colours.items():
        for path in plan["files"][what]:
            click.echo(click.style(f"{what:<8} {path}", fg=colour))
    for each in plan["stages"]:
        click.echo(f"stage    {each['group']}: {stage_words(each['before'])} -> {stage_words(each['after'])}")
    for each in plan["drift"]:
        sentence = f"drift    {each['group']} is at {stage_words(each['active'])} since run time ({each['origin']})"
        click.echo(click.style(f"{sentence}; the file says {stage_words(each['declared'])}", fg="yellow"))
    for sentence in plan["refused"]:
        click.echo(click.style(f"refused  {sentence}", fg="red"))
    if not (plan["stages"] or any(plan["files"].values())):
        click.echo("Nothing would change.")
        return
    if plan["routes"]:
        click.echo(f"affected {', '.join(plan['routes'])}")
    if plan["approvals"]:
        click.echo(f"approval {plan['approvals']} other people must say yes")
    click.echo(f"undo     {plan['undo']}")
    click.echo(f"plan     {plan['hash']}")


def show_change(changed: Document, *, as_json: bool) -> None:
    """Prints what was made."""
    if as_json:
        print_json(changed)
        return
    snapshot = changed["snapshot"]
    for each in changed["plan"]["stages"]:
        click.echo(f"{each['group']}: {stage_words(each['before'])} -> {stage_words(each['after'])}")
    if changed["behind"]:
        click.echo(click.style(f"processes {changed['behind']} don't serve it yet", fg="red"), err=True)
    click.echo(f"Snapshot {snapshot['version']} is served, by {snapshot['author']}.")


def coloured(stage: str) -> str:
    """A stage's name, by how far it is."""
    return click.style(stage, fg=_COLOURS.get(stage, "yellow"))


def table(rows: list[list[str]]) -> None:
    """Prints rows in columns; styles don't count for their width."""
    widths = [max(len(click.unstyle(row[at])) for row in rows) for at in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = [cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())
