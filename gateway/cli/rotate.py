"""`figway key rotate`: new keys of the gateway's own. What the old ones signed stays good until it's over."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.common import fail, json_option, print_json, workspace_option
from gateway.cli.key import Desk, sentences
from gateway.cli.recording import rings_of
from gateway.identity.signing import Keyring


@click.command(
    help="Make a new key of the gateway's own, which signs from now on; the old ones still verify.\n\n"
    "NAME is a file of the folder keys in the state folder, such as pepper or cursor.\n\n"
    "Example: figway key rotate cursor"
)
@workspace_option
@json_option
@click.option("--all", "every", is_flag=True, help="Rotate all of them.")
@click.argument("name", required=False)
def rotate(workspace: Path, as_json: bool, every: bool, name: str | None) -> None:
    """`figway key rotate`."""
    if every == (name is not None):
        raise click.UsageError("give the name of a key, or --all")
    with sentences(), Desk.open(workspace) as desk:
        rings = rings_of(workspace, desk.folder)
        known = rings.own()
        if name is not None and name not in {*known, *rings.given}:
            fail(f"there is no key '{name}' in {desk.folder.keys}: there are {', '.join(known) or 'none'}")
        rotated = {each: _rotated(desk, rings[each]) for each in (known if name is None else [name])}
    if as_json:
        print_json([{"name": each, "id": id} for each, id in rotated.items()])
        return
    for each, id in rotated.items():
        click.echo(f"{each} is signed by key {id} from now on")


def _rotated(desk: Desk, ring: Keyring) -> str:
    id = ring.rotate().id
    desk.announce("key_rotate", f"{ring.name}:{id}")
    return id
