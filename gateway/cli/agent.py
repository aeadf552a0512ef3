"""`figway agent`: kill switches. A running gateway follows with its next call; the audit says who did it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from gateway.cli.changing import table
from gateway.cli.common import fail, json_option, print_json, workspace_option
from gateway.cli.desk import DeskError, Document, server_option
from gateway.cli.key import Desk, sentences
from gateway.cli.recording import note_change, operator
from gateway.limits.stops import MOST_REASON, Stops, stop_document
from gateway.store.offload import Offload
from gateway.store.shared import Shared

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NAME = re.compile(r"[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]{0,254}[^\x00-\x20\x7f])?")
Named = Mapping[str, str | None]


class _Switches(Protocol):
    def stops(self) -> list[Document]: ...

    def stop(self, named: Named, reason: str) -> Document: ...

    def resume(self, id: str) -> Document: ...

    def close(self) -> None: ...


@click.group(
    name="agent",
    help="Kill switches: stop an agent, a run or an operation; list; resume.\n\n"
    "Example: figway agent stop invoice-bot --reason 'it pays twice'",
)
def command() -> None:
    """The verb's own group."""


def _naming(verb: _Command) -> _Command:
    """What is stopped: all that is named must fit a call."""
    verb = click.option("--tool", "operation", help="An operationId; without an agent or run: whoever calls it.")(verb)
    verb = click.option("--run", help="One run, as tokens name it.")(verb)
    return click.argument("agent", required=False)(verb)


@command.command(
    help="Refuse an agent's calls from now on, wherever it acts in a chain; or only those of a run, or of a tool.\n\n"
    "Example: figway agent stop invoice-bot --tool create_invoice --reason 'wrong totals'"
)
@workspace_option
@json_option
@server_option
@_naming
@click.option("--reason", required=True, help="Why; the agent is told it.")
def stop(workspace: Path, as_json: bool, server: str | None, reason: str, **named: str | None) -> None:
    """`figway agent stop`."""
    _check(named)
    if not reason.strip() or len(reason) > MOST_REASON or not reason.isprintable():
        raise click.UsageError(f"the reason is one line of 1 to {MOST_REASON} characters")
    with _switches(workspace, server) as at:
        _told(at.stop(named, reason.strip()), "stopped", as_json=as_json)


@command.command(
    help="Let go on what was stopped, named as it was stopped.\n\nExample: figway agent resume invoice-bot"
)
@workspace_option
@json_option
@server_option
@_naming
def resume(workspace: Path, as_json: bool, server: str | None, **named: str | None) -> None:
    """`figway agent resume`."""
    _check(named)
    with _switches(workspace, server) as at:
        found = next((each for each in at.stops() if all(each[name] == value for name, value in named.items())), None)
        if found is None:
            fail(f"{_spelt(named)} isn't stopped: 'figway agent list' shows what is")
        _told(at.resume(found["id"]), "resumed", as_json=as_json)


@command.command(name="list", help="List what is stopped, oldest first.\n\nExample: figway agent list --json")
@workspace_option
@json_option
@server_option
def list_stops(workspace: Path, as_json: bool, server: str | None) -> None:
    """`figway agent list`."""
    with _switches(workspace, server) as at:
        found = at.stops()
    if as_json:
        print_json(found)
        return
    rows = [["AGENT", "RUN", "TOOL", "SINCE", "BY", "REASON"]]
    for each in found:
        rows.append([*(each[name] or "any" for name in ("agent", "run", "operation")), each["time"], each["author"]])
        rows[-1].append(each["reason"])
    table(rows)


def _check(named: Named) -> None:
    if not any(named.values()):
        raise click.UsageError("name an agent, a --run or a --tool")
    for what, name in named.items():
        if name is not None and not _NAME.fullmatch(name):
            raise click.UsageError(f"the {what} must be 1 to 256 printable characters")


def _told(found: Document, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        click.echo(f"{_spelt(found)} is {what}")


def _spelt(named: Mapping[str, Any]) -> str:
    kinds = (("tool", "operation"), ("agent", "agent"), ("run", "run"))
    return " of ".join(f"{kind} '{named[name]}'" for kind, name in kinds if named[name])


@contextmanager
def _switches(workspace: Path, server: str | None) -> Iterator[_Switches]:
    """The switches of a server or of this host; ends the verb with a sentence when something can't be done there."""
    try:
        with sentences(), closing(_opened(workspace, server)) as at:
            yield at
    except DeskError as error:
        for line in error.details:
            click.echo(f"figway: {line}", err=True)
        fail(str(error), error.code)


def _opened(workspace: Path, server: str | None) -> _Switches:
    if server is None:
        return _Host(workspace)
    from gateway.cli.desk_server import ServerDesk  # slow to import, and not needed on this host

    return ServerDesk(server)


class _Host:
    """The switches of this host, for whoever may write its state folder."""

    def __init__(self, workspace: Path) -> None:
        self._opening = Desk.open(workspace)
        self._desk = self._opening.__enter__()
        self._shared, self._offload = Shared.open(self._desk.folder.shared), Offload()
        self._stops = Stops(self._desk.state, self._shared, self._offload)

    def stops(self) -> list[Document]:
        return [stop_document(each) for each in self._stops.all()]

    def stop(self, named: Named, reason: str) -> Document:
        if named["operation"] is not None and not self._has(named["operation"]):
            raise DeskError(f"no contract that is served has the operation '{named['operation']}'")
        thrown = self._stops.throw(
            agent=named["agent"],
            run=named["run"],
            operation=named["operation"],
            reason=reason,
            author=f"host:{operator()}",
        )
        return self._noted("agent_stop", stop_document(thrown))

    def resume(self, id: str) -> Document:
        lifted = self._stops.lift(id)
        if lifted is None:
            raise DeskError("somebody has resumed it meanwhile")
        return self._noted("agent_resume", stop_document(lifted))

    def _noted(self, operation: str, found: Document) -> Document:
        facts = {name: found[name] for name in ("agent", "run", "operation", "reason") if found[name]}
        note_change(self._desk.workspace, self._desk.folder, operation, f"stop:{found['id']}", {"asked": facts})
        return found

    def _has(self, operation: str) -> bool:
        """Whether a contract of the active snapshot names the operation: one that is misspelt would stop nothing."""
        active = self._desk.state.active()
        files = {} if active is None else self._desk.state.snapshot(active)[1]
        named = re.compile(
            rb"operationId[\"']?\s*:\s*[\"']?" + re.escape(operation.encode()) + rb"[\"']?\s*(?:$|[,}#])", re.M
        )
        return any(named.search(content) for path, content in files.items() if path.startswith("openapi/"))

    def close(self) -> None:
        self._offload.close()
        self._shared.close()
        self._opening.__exit__(None, None, None)
