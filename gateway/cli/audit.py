"""`figway audit`: search, verify and export the audit, and erase what it keeps of a person. No gateway needs to run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from os import environ
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.audit.asked import BadQuestion, question_of
from gateway.audit.export import FORMATS, export
from gateway.audit.places import reader_of
from gateway.audit.question import Question
from gateway.audit.reader import Reader
from gateway.cli.common import fail, json_option, print_json, workspace_option
from gateway.cli.key import sentences
from gateway.routing.units import seconds
from gateway.settings import Settings
from gateway.store.place import StateFolder

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SECONDS = 60.0
_TOLD_EVERY = 10_000

# Option → parameter of the list, what it is.
_ASKED = {
    "principal": "Who asked.",
    "agent": "The program that called.",
    "tenant": "The principal's organisation.",
    "credential": "What proved it, such as key:ID.",
    "operation": "The operationId, permission or verb.",
    "route": "The path template, or of a verb what was changed.",
    "kind": "call, intent or control.",
    "effect": "read, idempotent_write or write.",
    "decision": "allow or deny.",
    "outcome": "ok, denied, unknown or failed.",
    "problem": "The problem's slug.",
    "status": "The HTTP status, such as 503, or 5xx.",
    "upstream": "An upstream that was called.",
    "operation-id": "The id under /-/operations/.",
    "trace": "The trace's id.",
    "text": "A text within the arguments that are kept.",
}


def _asked(command: _Command) -> _Command:
    """The options that say which records are meant."""
    command = click.option("--until", help="Before this time.")(command)
    command = click.option("--since", help="From this time on: RFC 3339, or how long ago, such as 2h or 30d.")(command)
    for name, what in reversed(_ASKED.items()):
        command = click.option(f"--{name}", help=what)(command)
    return command


@click.group(
    name="audit",
    help="The audit: search, verify, export, erase.\n\nExample: figway audit query --principal alice --since 2h",
)
def command() -> None:
    """The verb's own group."""


@command.command(help="Search the audit, newest first.\n\nExample: figway audit query --problem forbidden --since 7d")
@workspace_option
@json_option
@_asked
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many to show.")
@click.option("--id", help="One call, by the id in its Figway-Lineage.")
def query(workspace: Path, as_json: bool, limit: int, **asked: str | None) -> None:
    """`figway audit query`."""
    question = _question(asked)
    with sentences():
        page = _caught_up(reader_of(_state(workspace))).search(question, limit, seconds=_SECONDS)
    if as_json:
        print_json(page.items)
    elif page.items:
        _show(page.items)
    if page.next is not None and not as_json:
        click.echo(f"There may be more; these are the newest {len(page.items)}.", err=True)


@command.command(
    name="export",
    help="Hand the audit over, oldest first: as it is stored (ndjson), as CloudEvents or as OCSF.\n\n"
    "Example: figway audit export --format ocsf --since 1d --output events.jsonl",
)
@workspace_option
@_asked
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="ndjson", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The file; left out: standard output.")
def export_(workspace: Path, form: str, output: Path | None, **asked: str | None) -> None:
    """`figway audit export`."""
    question = _question(asked)
    with sentences(), _sink(output) as write:
        reader = reader_of(_state(workspace))
        with reader.open() as archive:
            count = 0
            for count, line in enumerate(export(archive, question, form, reader.unseal), 1):
                write(line)
                if count % _TOLD_EVERY == 0:
                    _progress(f"{count} records")
    _progress(f"{count} records", done=True)


def _question(asked: dict[str, str | None]) -> Question:
    parameters = {name: value for name, value in asked.items() if value is not None}
    for option, name in (("since", "time.ge"), ("until", "time.lt")):
        if option in parameters:
            parameters[name] = _instant(parameters.pop(option), option)
    try:
        return question_of(parameters)
    except BadQuestion as error:
        option = {"time.ge": "since", "time.lt": "until"}.get(error.name, error.name)
        raise click.BadParameter(str(error), param_hint=f"--{option}") from error


def _instant(text: str, option: str) -> str:
    """A time as RFC 3339: as it is written, or so long ago."""
    try:
        return (datetime.now(UTC) - timedelta(seconds=seconds(text))).isoformat()
    except OverflowError as error:
        raise click.BadParameter("that is too long ago", param_hint=f"--{option}") from error
    except ValueError:
        return f"{text}T00:00:00Z" if len(text) == len("2026-03-01") else text


def _state(workspace: Path) -> StateFolder:
    return StateFolder.of(workspace, Settings.from_environment(environ).state)


def _caught_up(reader: Reader) -> Reader:
    """The reader, once its index knows of all that is written now."""
    rounds = 0
    while not reader.catch_up(1.0):
        rounds += 1
        _progress(f"the index is being made: {rounds} s")
    if rounds:
        _progress("the index is made", done=True)
    return reader


def _show(items: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("time", "id", "who", "what", "status", "decision", "upstreams"):
        table.add_column(column, no_wrap=column in ("time", "id"))
    for item in items:
        table.add_row(*(Text(each) if isinstance(each, str) else each for each in _row(item)))
    # A table that is read by a program, or by nobody, isn't cut to a terminal's width.
    width = None if sys.stdout.isatty() else 240
    Console(width=width).print(table)


def _row(item: dict[str, Any]) -> Iterator[str | Text]:
    status = int(item.get("status") or 0)
    colour = "red" if status >= 500 else "yellow" if status >= 400 else "green"
    who = item.get("principal") or "nobody"
    yield str(item["time"])[:23]
    yield str(item["id"])
    yield f"{who} via {item['agent']}" if item.get("agent") else who
    yield " ".join(filter(None, (item.get("method"), item.get("operation") or item.get("route"))))
    yield Text(str(item.get("problem") or status or item.get("kind")), colour if status else "")
    yield Text(item.get("decision") or "", "red" if item.get("decision") == "deny" else "")
    yield ",".join(sorted({call["upstream"] for call in item.get("upstream_calls") or ()}))


@contextmanager
def _sink(output: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Where lines go: a file takes its place when it is whole."""
    if output is None:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    draft = output.with_name(f".{output.name}.part")
    try:
        with draft.open("wb") as file:
            yield file.write
        draft.replace(output)
    except OSError as error:
        fail(f"{output} can't be written: {error.strerror}")
    finally:
        draft.unlink(missing_ok=True)


def _progress(sentence: str, *, done: bool = False) -> None:
    """One line on standard error that is written over, where somebody looks at it."""
    if sys.stderr.isatty():
        click.echo(f"\r{sentence}\x1b[K", err=True, nl=done)
    elif done:
        click.echo(sentence, err=True)
