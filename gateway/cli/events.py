"""`figway events`: following what changes in the systems, and what webhooks and streams didn't take of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import orjson

from gateway.cli.common import FINDING, USAGE, fail, json_option, print_json, workspace_option
from gateway.cli.desk import desk, server_option
from gateway.events.file import EventsFile
from gateway.events.model import Trimmed
from gateway.settings import Settings
from gateway.store.contract import StoreError
from gateway.store.place import StateFolder

_LOOK, _AGAIN = 0.2, 2.0
_BATCH = 500
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
"""A stream says every 15 s at least that it goes on."""


class _Ended(Exception):
    """A stream that can't go on; the message says why."""


@click.group(
    "events",
    help="What changes in the systems: tail; dead, replay of webhooks and streams.\n\nExample: figway events tail",
)
def command() -> None:
    """`figway events`."""


@command.command(
    "tail",
    help="Print events as they happen, a CloudEvents document a line. Without --server all that this host's log has is "
    "shown, as its files are yours; with it, what the credential in FIGWAY_TOKEN may see. A stream that breaks is "
    "begun again where it broke.\n\nExample: figway events tail --source erp.stock",
)
@workspace_option
@click.option("--server", help="A running gateway, such as http://127.0.0.1:8080; FIGWAY_TOKEN is shown to it.")
@click.option("--source", help="Only this source, as UPSTREAM.CAPTURE.")
@click.option("--after", help="'first', or with --server an event's id: what is behind it; left out: from now on.")
@click.option("--no-follow", is_flag=True, help="End once all is printed that this host's log has.")
def tail(workspace: Path, server: str | None, source: str | None, after: str | None, no_follow: bool) -> None:
    """`figway events tail`."""
    if server is None and after not in (None, "first"):
        fail("without --server, --after is 'first'", USAGE)
    if server is not None and no_follow:
        fail("--no-follow is for this host's log: a server's stream has no end", USAGE)
    lines = _local(workspace, source, after, follow=not no_follow) if server is None else _remote(server, source, after)
    try:
        for line in lines:
            sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()
    except (_Ended, StoreError) as error:
        fail(str(error))
    except (KeyboardInterrupt, BrokenPipeError):
        # Nobody reads any more: nothing is left to be flushed to them when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@command.command(
    "dead",
    help="List what webhooks and streams didn't take, oldest first; exit 1 when there is any.\n\n"
    "Example: figway events dead",
)
@workspace_option
@json_option
@server_option
def dead(workspace: Path, as_json: bool, server: str | None) -> None:
    """`figway events dead`."""
    with desk(workspace, server) as at:
        found = at.dead()
    if as_json:
        print_json({"dead": found})
    elif not found:
        click.echo("no subscriber has dead letters")
    for each in () if as_json else found:
        again = ", is sent again" if each["wanted"] else ""
        click.echo(f"{each['subscriber']}: event {each['sequence']} of the log: {each['why']}{again}")
    if found:
        raise SystemExit(FINDING)


@command.command(
    "replay",
    help="Have a running gateway send a webhook's or stream's dead letters again, each as policies are by then.\n\n"
    "Example: figway events replay billing",
)
@workspace_option
@server_option
@click.argument("name")
def replay(workspace: Path, server: str | None, name: str) -> None:
    """`figway events replay NAME`."""
    with desk(workspace, server) as at:
        count = at.replay(name)["dead"]
    click.echo(f"{name}: {count} dead letters are sent again" if count else f"{name} has no dead letters")


# ── this host's log ──────────────────────────────────────────────────────────────────────────────────────────────


def _local(workspace: Path, source: str | None, after: str | None, *, follow: bool) -> Iterator[bytes]:
    path = StateFolder.of(workspace, Settings.from_environment(os.environ).state).events
    if not path.exists():
        raise _Ended("nothing has been captured here yet: does a gateway serve this workspace?")
    file = EventsFile(path)
    try:
        first, last = file.span()
        at = first - 1 if after == "first" or not follow else last
        while True:
            events = file.read(at, _BATCH, source)
            for event in events:
                yield orjson.dumps(event.document())
            if events:
                at = events[-1].sequence
            elif not follow:
                return
            else:
                time.sleep(_LOOK)
    except Trimmed as trimmed:
        raise _Ended(str(trimmed)) from trimmed
    finally:
        file.close()


# ── a server's stream ────────────────────────────────────────────────────────────────────────────────────────────


def _remote(server: str, source: str | None, after: str | None) -> Iterator[bytes]:
    token = os.environ.get("FIGWAY_TOKEN", "")
    if not token:
        raise _Ended("FIGWAY_TOKEN isn't set: it holds the API key or token to show to the server")
    headers = {"authorization": token if " " in token else f"Bearer {token}"}
    asked = {name: value for name, value in (("source", source), ("after", after)) if value is not None}
    stream = _Stream(server.rstrip("/"), headers, asked)
    while True:
        yield from stream.lines()
        click.echo("figway: the stream broke; it is begun again", err=True)
        time.sleep(_AGAIN)


class _Stream:
    """A server's stream, with how far it has been read."""

    def __init__(self, server: str, headers: dict[str, str], asked: dict[str, str]) -> None:
        self._server, self._headers, self._asked = server, headers, asked
        self._reached = False

    def lines(self) -> Iterator[bytes]:
        """Its events until it breaks; raises `_Ended` where beginning again is of no use."""
        try:
            with (
                httpx.Client(timeout=_TIMEOUT, trust_env=False, headers=self._headers) as client,
                client.stream("GET", f"{self._server}/-/events", params=self._asked) as response,
            ):
                if not response.is_success:
                    self._refused(response.read(), response.status_code)
                    return
                self._reached = True
                yield from self._events(response)
        except httpx.InvalidURL as error:
            raise _Ended(f"'{self._server}' isn't a URL") from error
        except httpx.HTTPError as error:
            if not self._reached:
                raise _Ended(f"the server doesn't answer: {error or type(error).__name__}") from error

    def _events(self, response: httpx.Response) -> Iterator[bytes]:
        kind, data, place = "message", b"", ""
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if line:
                kind = value if name == "event" else kind
                data = value.encode() if name == "data" else data
                place = value if name == "id" else place
                continue
            if kind == "problem":
                self._refused(data, orjson.loads(data)["status"])
                return
            if data:
                yield data
            if place:
                self._headers["last-event-id"] = place
            kind, data = "message", b""

    def _refused(self, body: bytes, status: int) -> None:
        """Raises `_Ended`, unless the server may take the stream up soon."""
        if self._reached and status >= 500:
            return
        try:
            problem = orjson.loads(body)
        except ValueError:
            raise _Ended(f"the server's answer ({status}) isn't a gateway's") from None
        raise _Ended(" ".join(str(problem[each]) for each in ("detail", "fix") if problem.get(each)))
