"""`figway route parity` and `figway route override`: what comparisons say, and who tries the replacement first."""

from __future__ import annotations

import time
from os import environ
from pathlib import Path
from typing import Any, cast

import click

from gateway.cli.common import FINDING, json_option, print_json, workspace_option
from gateway.cli.desk import desk, server_option, usage
from gateway.cli.key import sentences
from gateway.cli.recording import note_change
from gateway.identity.signing import Keyring
from gateway.migration.compare.model import VERDICTS
from gateway.migration.model import Side
from gateway.migration.override import LONGEST, signed
from gateway.routing import units
from gateway.settings import Settings
from gateway.store.place import StateFolder

_LINES = 10


@click.command(
    help="Show how far a group's two sides answer alike; exit 1 when they don't, or nothing can be said.\n\n"
    "Example: figway route parity customers"
)
@workspace_option
@json_option
@server_option
@click.argument("group")
def parity(workspace: Path, as_json: bool, server: str | None, group: str) -> None:
    """`figway route parity GROUP`."""
    with desk(workspace, server) as at:
        found = at.parity(group)
    if as_json:
        print_json(found)
    else:
        _print(found)
        if "dry_runs" in found:
            _print_tried(found["dry_runs"])
    tried = found.get("dry_runs")
    # Where writes are tried, nobody need have compared reads yet.
    told = [each for each in (found, tried) if each is not None and (tried is None or each["comparisons"])]
    if not told or any(map(_is_finding, told)) or (tried is not None and tried["stopped"]):
        raise SystemExit(FINDING)


def _is_finding(found: dict[str, Any]) -> bool:
    return bool(found["inconclusive"] or found["verdicts"]["mismatch"])


def _print(found: dict[str, Any]) -> None:
    total = found["comparisons"]
    if not total:
        click.echo(f"{found['group']}: nothing has been compared at this stage and by these rules")
        return
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found["since"]))
    click.echo(f"{found['group']}: {total} comparisons at {found['stage']} since {since}")
    show_verdicts(found)


def show_verdicts(found: dict[str, Any]) -> None:
    """Prints how many comparisons ended how, and where the sides differ."""
    total = found["comparisons"]
    for verdict in VERDICTS:
        count = found["verdicts"][verdict]
        click.echo(f"  {verdict:<13}{count:>9}{100 * count / total:>9.2f} %")
    click.echo(f"  {100 * found['coverage']:.1f} % of fields compared, legacy asked again {found['sandwiched']} times")
    if found["inconclusive"]:
        click.echo("  inconclusive: more than 5 % couldn't be compared")
    for reason, times in list(found["reasons"].items())[:_LINES]:
        click.echo(f"    {times} times: {reason}")
    for why, times in found["left_out"].items():
        click.echo(f"  not compared {times} times: {why}")
    for place in found["worst"]:
        _print_place(place)


def _print_tried(found: dict[str, Any]) -> None:
    click.echo("what the replacement would make of writes:")
    _print(found)
    if found["stopped"]:
        click.echo(click.style(f"  {found['stopped']}", fg="red"))


def _print_place(place: dict[str, Any]) -> None:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in place["verdicts"].items())
    drifted = f", legacy itself differed {place['drifted']} times" if place["drifted"] else ""
    click.echo(f"  {place['at'] or '/'} ({place['kind']}): {counts}{drifted}")
    for example in place["examples"][:1]:
        click.echo(f"    legacy {_told(example['legacy'])}, replacement {_told(example['replacement'])}")


def _told(side: Any) -> str:
    if not isinstance(side, dict):
        return str(side)
    return " ".join(f"{value}" if name == "type" else f"{name} {value}" for name, value in side.items())


@click.command(
    help="Print a Figway-Side header that lets one caller be served by one side, where both serve.\n\n"
    "Example: figway route override customers --side replacement --principal ann --for 1h"
)
@workspace_option
@json_option
@click.argument("group")
@click.option("--side", type=click.Choice(["legacy", "replacement"]), required=True, help="The side.")
@click.option("--principal", required=True, help="Whom it is good for.")
@click.option("--for", "time_text", default="1h", show_default=True, help="How long: at most 7d.")
def override(workspace: Path, as_json: bool, group: str, side: str, principal: str, time_text: str) -> None:
    """`figway route override GROUP`: at this host only, as the key is here."""
    try:
        seconds = units.seconds(time_text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from error
    if not 0 < seconds <= LONGEST:
        raise click.BadParameter("a word is good for 7 days at most", param_hint="--for")
    with desk(workspace, None) as at:
        if group not in {each["name"] for each in at.groups()}:
            raise usage(f"there is no group '{group}': 'figway route list' shows them")
    until = int(time.time() + seconds)
    with sentences():
        folder = StateFolder.of(workspace, Settings.from_environment(environ).state)
        word = signed(cast(Side, side), group, principal, until, Keyring.open(folder.keys, "side"))
        note_change(workspace, folder, "override_side", f"group:{group}")
    if as_json:
        print_json({"header": "Figway-Side", "value": word, "until": until})
    else:
        click.echo(f"Figway-Side: {word}")
