"""What `figway import` tells: bars while it works, the difference it makes, and what came of it."""

from __future__ import annotations

import difflib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from gateway.cli.common import print_json
from gateway.importing.pipeline import Plan
from gateway.importing.replacing import Replacing

_SHOWN = 60
"""Rows of one table; `--json` has all."""


@contextmanager
def watched() -> Iterator[Callable[[str, int, int | None], None]]:
    """A function to tell progress to; it draws bars where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    bars: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def tell(what: str, done: int, total: int | None) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=total)
            progress.update(bars[what], completed=done, total=total)

        yield tell


def print_diff(made: Plan | Replacing) -> None:
    """What would change, as a unified diff."""
    for name, data in sorted(made.files.items()):
        old, new = _lines(made.before.get(name)), _lines(data)
        if name.endswith(".json") or not _is_text(data) or not _is_text(made.before.get(name)):
            click.echo(f"{'new' if name not in made.before else 'gone' if data is None else 'changed'}: {name}")
        elif not old:
            click.echo(f"--- /dev/null\n+++ {name}\n@@ -0,0 +1,{len(new)} @@")
            click.echo("".join(f"+{line}" for line in new), nl=False)
        else:
            click.echo("".join(difflib.unified_diff(old, new, name, name)), nl=False)


def print_plan(made: Plan, *, dry_run: bool, as_json: bool) -> None:
    """What was imported, left out and guessed, and what changed at the source."""
    if as_json:
        print_json(_document(made, dry_run))
        return
    console = _console()
    _print_routes(console, made)
    evidence = [(each.about, each.found, each.why) for each in made.reading.evidence]
    _print_table(console, "Found by looking", ("what", "is", "evidence"), evidence)
    left_out = [(each.what, each.where, each.why) for each in made.left_out]
    _print_table(console, "Left out", ("what", "where", "why"), left_out)
    guesses = [(each.operation_id, each.why) for each in made.routes if each.why]
    guesses += [("", each) for each in made.reading.decisions]
    _print_table(console, "Needs a human's decision", ("route", "guess"), guesses)
    drift = [(each.grade.value, each.where, each.what) for each in made.drift]
    _print_table(console, "Changed at the source", ("grade", "where", "what"), drift)
    _print_table(console, "Kept as you have it", ("where",), [(each,) for each in made.kept])
    for warning in made.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(_last_words(made, dry_run))


def print_replacing(made: Replacing, *, dry_run: bool, as_json: bool) -> None:
    """Which routes a modern API can take over, which not, and why."""
    matches = [(each.route.operation_id, each.modern.name) for each in made.matches]
    drift = [(each.grade.value, each.where, each.what) for each in made.drift]
    if as_json:
        print_json(
            {
                "upstream": made.upstream,
                "dry_run": dry_run,
                "files": _changes(made),
                "replacements": dict(matches),
                "unmatched": made.unmatched,
                "unused": [each.name for each in made.unused],
                "left_out": [asdict(each) for each in made.left_out],
                "drift": [asdict(each) for each in made.drift],
                "kept": made.kept,
            }
        )
        return
    console = _console()
    _print_table(console, "Replacements", ("route", "is taken over by"), matches)
    _print_table(console, "Without replacement", ("route", "why"), list(made.unmatched.items()))
    unused = [(each.name, "no route asks for it") for each in made.unused]
    unused += [(each.what, each.why) for each in made.left_out]
    _print_table(console, "Left out", ("of the API", "why"), unused)
    _print_table(console, "Changed at the source", ("grade", "where", "what"), drift)
    _print_table(console, "Kept as you have it", ("where",), [(each,) for each in made.kept])
    done = "would have" if dry_run else "have"
    told = f"{len(matches)} routes {done} {made.upstream} as replacement; legacy serves them until they are flipped."
    click.echo(told + (f" Set {made.base_url[4:]}." if made.base_url.startswith("env:") else ""))


def _console() -> Console:
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160, highlight=False)


def _changes(made: Plan | Replacing) -> dict[str, str]:
    return {name: "removed" if data is None else "written" for name, data in sorted(made.files.items())}


def _print_routes(console: Console, made: Plan) -> None:
    rows = [
        (each.operation_id, each.method.upper(), each.path, each.found.effect.value, each.found.operation)
        for each in made.routes
    ]
    _print_table(console, "Routes", ("route", "method", "path", "effect", "operation"), rows)


def _print_table(console: Console, title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows[:_SHOWN]:
        # Text, as what an upstream calls its things isn't markup.
        table.add_row(*(Text(_plain(each)) for each in row))
    console.print(table)
    if len(rows) > _SHOWN:
        console.print(f"… and {len(rows) - _SHOWN} more: --json lists all")
    console.print()


def _last_words(made: Plan, dry_run: bool) -> str:
    effects = Counter(each.found.effect.value for each in made.routes)
    told = ", ".join(f"{count} {effect}" for effect, count in sorted(effects.items()))
    done = "would be imported" if dry_run else "are imported" if made.files else "are as they were imported"
    text = f"{len(made.routes)} routes of {made.upstream} {done} ({told})."
    if made.left_out:
        text += f" {len(made.left_out)} left out."
    if any(effect != "read" for effect in effects):
        text += f" Writes are denied: policies/{made.upstream}.cedar says how to allow one."
    if made.reading.variables:
        text += f" Set {', '.join(made.reading.variables)} where the gateway runs."
    return text


def _document(made: Plan, dry_run: bool) -> dict[str, Any]:
    return {
        "upstream": made.upstream,
        "dry_run": dry_run,
        "files": _changes(made),
        "routes": [
            {
                "operation_id": each.operation_id,
                "method": each.method.upper(),
                "path": each.path,
                "effect": each.found.effect.value,
                "operation": each.found.operation,
                "guess": each.why,
            }
            for each in made.routes
        ],
        "left_out": [asdict(each) for each in made.left_out],
        "evidence": [asdict(each) for each in made.reading.evidence],
        "decisions": list(made.reading.decisions),
        "drift": [asdict(each) for each in made.drift],
        "kept": made.kept,
        "variables": list(made.reading.variables),
    }


def _plain(text: str) -> str:
    return "".join(each if each.isprintable() else "�" for each in text)


def _is_text(data: bytes | None) -> bool:
    return data is None or b"\0" not in data[:4096]


def _lines(data: bytes | None) -> list[str]:
    text = "" if data is None else data.decode("utf-8", "replace")
    return [line + "\n" for line in text.splitlines()]
