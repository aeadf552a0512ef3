"""`figway backup`: the state in one file, while the gateway runs."""

from __future__ import annotations

from os import environ
from pathlib import Path
from typing import Any

import click

from gateway.cli.common import json_option, print_json, workspace_option
from gateway.cli.key import sentences
from gateway.routing.stores import state_url
from gateway.settings import Settings
from gateway.store.backup import backup
from gateway.store.place import StateFolder, state_path


@click.command(
    name="backup",
    help="Copy the gateway's state (store, operations, audit, events, keys) into FILE, while it runs.\n\n"
    "FILE is a tar file that only its owner may read; it holds the keys, so keep it as safe as them. To restore it, "
    "unpack it into an empty state folder: mkdir -m 700 .figway && tar -xf FILE -C .figway\n\n"
    "Example: figway backup figway-2026-11-21.tar",
)
@workspace_option
@json_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def command(workspace: Path, as_json: bool, file: Path) -> None:
    """`figway backup FILE`."""
    parts: list[dict[str, Any]] = []

    def copied(name: str, size: int) -> None:
        parts.append({"name": name, "bytes": size})
        if not as_json:
            click.echo(f"{size:>12,} bytes  {name}", err=True)

    with sentences():
        folder = StateFolder.of(workspace, Settings.from_environment(environ).state)
        backup(folder, state_path(state_url(workspace), workspace, folder), file, copied)
    size = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "bytes": size, "parts": parts})
    else:
        click.echo(f"{file} holds the state: {len(parts)} files, {size:,} bytes")
