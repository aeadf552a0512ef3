"""`figway pull`: stages that were changed at run time, written back into the workspace."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gateway.cli.common import json_option, print_json, workspace_option
from gateway.cli.desk import DeskError, desk, server_option
from gateway.migration.model import Stage
from gateway.migration.plan import same
from gateway.migration.pull import CannotPull, pulled
from gateway.routing.migration_schema import FILE, declared_stages

_HELP = """Write the stages that are served into policies/migration.yaml; its comments and form stay.

\b
Example:
  figway pull --workspace shop && git diff
"""


@click.command("pull", help=_HELP)
@workspace_option
@json_option
@server_option
def command(workspace: Path, as_json: bool, server: str | None) -> None:
    """`figway pull`."""
    with desk(workspace, server) as at:
        stages = {each["name"]: _stage(each["stage"]) for each in at.groups()}
        path = workspace / FILE
        content = path.read_bytes() if path.exists() else None
        try:
            fresh = pulled(content, stages)
        except CannotPull as error:
            raise DeskError(str(error)) from error
    declared = declared_stages({} if content is None else {FILE: content})
    names = [name for name, stage in stages.items() if not same(stage, declared.get(name, Stage()))]
    if names:
        _write(path, fresh)
    if as_json:
        print_json({"groups": names, "file": str(path)})
    else:
        click.echo(f"{FILE} says now where {', '.join(names)} is." if names else f"{FILE} says so already.")


def _stage(document: dict[str, object]) -> Stage:
    """A stage from the document that shows it."""
    shares = {name: round(float(str(document[name])) * 10_000) for name in ("weight", "holdback")}
    plain = {name: document[name] for name in ("reads", "writes", "probe")}
    return Stage(**plain, **shares)  # type: ignore[arg-type]


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(content)
    os.replace(draft, path)
