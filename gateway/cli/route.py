"""`figway route`: where route groups are on their way to a replacement, and the steps that they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gateway.cli.changing import coloured, show_change, show_plan, stage_words, table
from gateway.cli.common import FINDING, json_option, print_json, workspace_option
from gateway.cli.desk import DeskError, Document, desk, server_option, usage
from gateway.cli.route_callers import callers
from gateway.cli.route_decommission import brownout, evidence
from gateway.cli.route_parity import override, parity
from gateway.cli.route_reconcile import reconcile, repairs, unknowns
from gateway.cli.route_record import record, replay_
from gateway.migration.model import READS, WRITES


@click.group(
    name="route",
    help="Route groups: list, show, flip, roll back.\n\n"
    "Example: figway route flip customers --reads canary --weight 5 --reason 'first callers'",
)
def command() -> None:
    """The verb's own group."""


command.add_command(parity)
command.add_command(record)
command.add_command(replay_, "replay")
command.add_command(override)
command.add_command(callers)
command.add_command(evidence)
command.add_command(brownout)
command.add_command(reconcile)
command.add_command(repairs)
command.add_command(unknowns)


@command.command(name="list", help="List the groups and their stages.\n\nExample: figway route list")
@workspace_option
@json_option
@server_option
def list_groups(workspace: Path, as_json: bool, server: str | None) -> None:
    """`figway route list`."""
    with desk(workspace, server) as at:
        groups = at.groups()
    if as_json:
        print_json(groups)
        return
    rows = [["GROUP", "READS", "WRITES", "STATE", "OWNER", "ROUTES"]]
    for each in groups:
        stage = each["stage"]
        share = f" {stage['weight']:g} %" if stage["reads"] == "canary" else ""
        writes = coloured(stage["writes"]) + (" (frozen)" if stage["frozen"] else "")
        mocked = click.style(f" ({len(each['mocked'])} mocked)", fg="red") if each.get("mocked") else ""
        about = [each["state"], each["owner"] or "-", f"{len(each['routes'])}{mocked}"]
        rows.append([each["name"], coloured(stage["reads"]) + share, writes, *about])
    table(rows)


@command.command(help="Show one group.\n\nExample: figway route show customers")
@workspace_option
@json_option
@server_option
@click.argument("group")
def show(workspace: Path, as_json: bool, server: str | None, group: str) -> None:
    """`figway route show GROUP`."""
    with desk(workspace, server) as at:
        found = _named(at.groups(), group)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['name']}: {stage_words(found['stage'])}")
    if found["stage"] != found["declared"]:
        click.echo(f"the file says {stage_words(found['declared'])}")
    about = {name: found[name] for name in ("state", "key", "salt", "owner", "expires", "cohorts")}
    for name, value in about.items():
        if value:
            click.echo(f"{name:<8} {value}")
    click.echo(f"routes   {', '.join(found['routes'])}")
    if found.get("mocked"):
        click.echo(f"mocked   {', '.join(found['mocked'])}: examples answer them, no system does")


@command.command(
    help="Change a group's stage; returns once every worker on the host serves it.\n\n"
    "Example: figway route flip customers --reads canary --weight 5 --reason 'first callers'"
)
@workspace_option
@json_option
@server_option
@click.argument("group")
@click.option("--reads", type=click.Choice(READS), help="The stage of reads.")
@click.option("--writes", type=click.Choice(WRITES), help="The stage of writes.")
@click.option("--weight", type=click.FloatRange(0, 100), help="In canary: the replacement's share, in percent.")
@click.option("--holdback", type=click.FloatRange(0, 100), help="In live: the share that legacy keeps, in percent.")
@click.option("--probe", type=click.Choice(["on", "off"]), help="From new_only on: whether legacy is kept warm.")
@click.option("--reason", required=True, help="Why, for the history.")
@click.option("--ticket", help="The ticket that asks for it.")
@click.option("--plan-hash", help="Only if this is still the plan, as --plan printed it.")
@click.option("--plan", "only_plan", is_flag=True, help="Only show what it would do.")
def flip(
    workspace: Path, as_json: bool, server: str | None, group: str, only_plan: bool, plan_hash: str | None, **given: Any
) -> None:
    """`figway route flip GROUP`; exit 1 when a rule forbids it."""
    about = {name: given[name] for name in ("reason", "ticket")}
    wanted = {name: given[name] for name in ("reads", "writes", "weight", "holdback") if given[name] is not None}
    if given["probe"] is not None:
        wanted["probe"] = given["probe"] == "on"
    with desk(workspace, server) as at:
        if not wanted:
            raise usage("say --reads, --writes, --weight, --holdback or --probe")
        if only_plan:
            _planned(at.plan_flip(group, wanted), as_json=as_json)
            return
        changed = at.flip(group, wanted, about, plan_hash=plan_hash)
    _shown(changed, as_json=as_json)


@command.command(
    help="Take a group back to legacy: reads first, then writes as far as is legal. It needs no approval.\n\n"
    "Example: figway route rollback customers --reason 'wrong balances'"
)
@workspace_option
@json_option
@server_option
@click.argument("group")
@click.option("--reason", default="rollback", show_default=True, help="Why, for the history.")
@click.option("--ticket", help="The ticket that asks for it.")
def rollback(workspace: Path, as_json: bool, server: str | None, group: str, reason: str, ticket: str | None) -> None:
    """`figway route rollback GROUP`; exit 1 when there is no way back."""
    with desk(workspace, server) as at:
        changed = at.rollback(group, {"reason": reason, "ticket": ticket})
    _shown(changed, as_json=as_json)


def _planned(plan: Document, *, as_json: bool) -> None:
    if as_json:
        print_json(plan)
    else:
        show_plan(plan)
    if plan["refused"]:
        raise SystemExit(FINDING)


def _shown(changed: Document, *, as_json: bool) -> None:
    show_change(changed, as_json=as_json)
    if changed["behind"]:
        raise SystemExit(FINDING)


def _named(groups: list[Document], name: str) -> Document:
    for each in groups:
        if each["name"] == name:
            return each
    raise DeskError(f"there is no group '{name}': 'figway route list' shows them")
