"""`figway diff`: what differs between two snapshots."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.changing import stage_words
from gateway.cli.common import json_option, print_json, workspace_option
from gateway.cli.desk import Document, desk, server_option
from gateway.migration.plan import files_difference

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command("diff", help="Show what differs between two snapshots: stages and files.\n\nExample: figway diff 6 7")
@workspace_option
@json_option
@server_option
@click.argument("v1", type=click.IntRange(1))
@click.argument("v2", type=click.IntRange(1))
def command(workspace: Path, as_json: bool, server: str | None, v1: int, v2: int) -> None:
    """`figway diff V1 V2`."""
    with desk(workspace, server) as at:
        (before, old), (after, new) = at.snapshot(v1), at.snapshot(v2)
    stages = list(_stages(before, after))
    difference = files_difference(old, new)
    paths = sorted((*difference.added, *difference.changed, *difference.removed))
    if as_json:
        files = {path: list(_lines(path, old, new)) for path in paths}
        print_json({"stages": stages, "files": files})
        return
    for each in stages:
        click.echo(f"{each['group']}: {stage_words(each['before'])} -> {stage_words(each['after'])}")
    for path in paths:
        for line in _lines(path, old, new):
            click.echo(click.style(line, fg=_COLOURS.get(line[:1])))


def _stages(before: Document, after: Document) -> Iterator[dict[str, Any]]:
    for name in sorted({*before["stages"], *after["stages"]}):
        old, new = before["stages"].get(name), after["stages"].get(name)
        if new is not None and old != new:
            yield {"group": name, "before": old, "after": new}


def _lines(path: str, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[str]:
    texts = [files.get(path, b"").decode(errors="replace").splitlines() for files in (old, new)]
    return difflib.unified_diff(texts[0], texts[1], f"a/{path}", f"b/{path}", lineterm="")
