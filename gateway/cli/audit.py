"""`figway audit`: search, verify and export the audit, and erase what it keeps of a person. No gateway needs to run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from os import environ
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.audit.asked import BadQuestion, question_of
from gateway.audit.export import FORMATS, export
from gateway.audit.keys import PUBLIC_KEYS
from gateway.audit.note import BadNote, public_keys
from gateway.audit.places import verified_places
from gateway.audit.question import Question
from gateway.audit.reader import Reader
from gateway.audit.subjects import Subjects
from gateway.audit.verify import FolderVerdict, Keys, verify_folder
from gateway.audit.verify import verify as verify_places
from gateway.cli.audit_table import show
from gateway.cli.common import FINDING, OK, USAGE, fail, json_option, print_json, workspace_option
from gateway.cli.key import sentences
from gateway.cli.recording import audit_reader, note_change, rings_of
from gateway.identity.audit_keys import audit_keys
from gateway.routing.stores import audit_url
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
    "run": "The run that the call belongs to.",
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
        page = _caught_up(audit_reader(workspace, _state(workspace))).search(question, limit, seconds=_SECONDS)
    if as_json:
        print_json(page.items)
    elif page.items:
        show(page.items)
    if page.next is not None and not as_json:
        click.echo(f"There may be more; these are the newest {len(page.items)}.", err=True)


@command.command(
    help="Verify that the audit holds what was written: its chain, its tree and its signed checkpoints.\n\n"
    "FOLDER is an audit's folder or a copy of it; left out, it is the workspace's audit, wherever that is kept.\n\n"
    "Example: figway audit verify copied/audit --public-key audit.pub --anchor anchor.txt"
)
@workspace_option
@json_option
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option(
    "--public-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file of public keys that you keep; without it those beside the records are believed, and a word says so.",
)
@click.option("--anchor", type=click.Path(path_type=Path, dir_okay=False), help="What was kept at the anchor.")
def verify(workspace: Path, as_json: bool, folder: Path | None, public_key: Path | None, anchor: Path | None) -> None:
    """`figway audit verify`."""
    with sentences():
        beside = (folder or _state(workspace).audit) / PUBLIC_KEYS
        if public_key is None:
            click.echo(f"figway: without --public-key, {beside} is believed, which stands beside the records", err=True)
        keys = _keys(public_key or beside)
        verdict = _verified(workspace, folder, keys, None if anchor is None else _read(anchor))
    if as_json:
        print_json({"holds": verdict.holds, **asdict(verdict)})
    else:
        _tell(verdict)
    raise SystemExit(OK if verdict.holds else FINDING)


@command.command(
    help="Erase what the audit keeps of a person, by destroying the key it is sealed under. It can't be undone; the "
    "records stay, and still verify.\n\nExample: figway audit erase C-1042 --yes"
)
@workspace_option
@json_option
@click.argument("subject")
@click.option("--yes", is_flag=True, help="Do it.")
def erase(workspace: Path, as_json: bool, subject: str, yes: bool) -> None:
    """`figway audit erase`."""
    if not yes:
        fail(f"this destroys the key of '{subject}' for good: say --yes to do it", USAGE)
    with sentences():
        folder = _state(workspace)
        hasher = audit_keys(rings_of(workspace, folder)).hasher
        with closing(Subjects(folder.audit / "subjects.db")) as subjects:
            # The record comes first: an erasure is never without one. It names the person by a hash.
            note_change(workspace, folder, "audit_erase", f"subject:{hasher(subject)}")
            found = subjects.erase(subject)
    if not found:
        fail(f"the audit keeps nothing of '{subject}'")
    if as_json:
        print_json({"subject": subject, "erased": True})
    else:
        click.echo(f"What the audit kept of {subject} can't be read any more.")


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
    count = 0
    with sentences(), _sink(output) as write:
        reader = audit_reader(workspace, _state(workspace))
        with reader.open() as archive:
            for count, line in enumerate(export(archive, question, form, reader.unseal), 1):
                write(line)
                if count % _TOLD_EVERY == 0:
                    _progress(f"{count} records")
    _progress(f"{count} records", done=True)


def _verified(workspace: Path, folder: Path | None, keys: Keys, anchor: bytes | None) -> FolderVerdict:
    if folder is not None:
        return verify_folder(folder, keys, anchor)
    places, done = verified_places(audit_url(workspace), _state(workspace))
    try:
        return verify_places(places, keys, anchor)
    finally:
        done()


def _keys(path: Path) -> Keys:
    try:
        return public_keys(_read(path).decode())
    except (BadNote, UnicodeDecodeError) as error:
        fail(f"{path} holds no public keys: {error}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"{path} can't be read: {error.strerror}")


def _tell(verdict: FolderVerdict) -> None:
    for each in verdict.writers:
        state = f"broken: {each.broken}" if each.broken else f"records {each.first} to {each.size} hold"
        signed = "" if each.broken else f", signed up to {each.signed}"
        click.echo(f"{each.name}  {state}{signed}")
    for finding in verdict.findings:
        click.echo(f"broken: {finding}")
    click.echo("The audit holds." if verdict.holds else "The audit isn't what was written.")


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
