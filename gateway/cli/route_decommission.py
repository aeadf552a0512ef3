"""`figway route evidence` and `figway route brownout`: whether a legacy system may be switched off."""

from __future__ import annotations

import os
from pathlib import Path
from time import gmtime, strftime
from typing import Any

import click
import orjson

from gateway.audit.keys import PUBLIC_KEYS
from gateway.audit.note import BadNote, public_keys
from gateway.cli.common import FINDING, USAGE, fail, json_option, print_json, workspace_option
from gateway.cli.desk import desk, server_option
from gateway.migration.decommission import verified
from gateway.migration.decommission_page import DAYS, markdown
from gateway.settings import InvalidSetting, Settings
from gateway.store.place import StateFolder

_MOST = 16 * 1024 * 1024
"""Bytes of a document that is verified."""


@click.command(
    help="Show whether a group's legacy side may be switched off, and the signed evidence; exit 1 when not. With "
    "--verify, whether a document of before is what was signed; no gateway needs to run.\n\n"
    "Example: figway route evidence customers --format markdown > customers.md"
)
@workspace_option
@json_option
@server_option
@click.argument("group", required=False)
@click.option("--format", "form", type=click.Choice(["json", "markdown"]), help="The whole evidence, as a document.")
@click.option("--days", type=click.IntRange(1, 3660), default=DAYS, show_default=True, help="Days without a call.")
@click.option("--verify", type=click.Path(path_type=Path, dir_okay=False), help="A document (JSON) to be verified.")
@click.option(
    "--public-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file of public keys that you keep; without it the workspace's own are believed.",
)
def evidence(
    workspace: Path, as_json: bool, server: str | None, group: str | None, form: str | None, days: int, **asked: Any
) -> None:
    """`figway route evidence GROUP`."""
    if asked["verify"] is not None:
        _verify(asked["verify"], asked["public_key"] or _own_keys(workspace), group, as_json=as_json)
        return
    if group is None:
        fail("name the group, or a document with --verify", USAGE)
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


def _verify(file: Path, keys: Path, group: str | None, *, as_json: bool) -> None:
    """Whether a document is what one of the keys signed; exit 1 when not."""
    found = _document(file)
    try:
        verified(found, public_keys(_text(keys)))
    except BadNote as error:
        fail(f"{file} doesn't hold: {error}")
    about = {name: found.get(name) for name in ("group", "time", "snapshot", "decommission")}
    if group is not None and about["group"] != group:
        fail(f"{file} is evidence of {about['group']}, not of {group}")
    if as_json:
        print_json({"holds": True, **about})
    else:
        may = "may" if about["decommission"] else "may not"
        click.echo(f"It holds: on {about['time']} the legacy side of {about['group']} {may} be switched off.")


def _own_keys(workspace: Path) -> Path:
    try:
        keys = StateFolder.of(workspace, Settings.from_environment(os.environ).state).audit / PUBLIC_KEYS
    except InvalidSetting as error:
        fail(str(error), USAGE)
    click.echo(f"figway: without --public-key, {keys} is believed", err=True)
    return keys


def _document(file: Path) -> dict[str, Any]:
    """The evidence that a file holds; a page in Markdown isn't one."""
    try:
        found = orjson.loads(_text(file))
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("group"), str) or "time" not in found:
        fail(f"{file} isn't evidence as 'figway route evidence GROUP --json' writes it", USAGE)
    return found


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST + 1)
        if len(content) > _MOST:
            fail(f"{file} is too large to be evidence", USAGE)
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} can't be read: {getattr(error, 'strerror', None) or 'it is no text'}", USAGE)


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
