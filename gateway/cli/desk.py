"""Where control verbs do their work: at a running gateway (`--server`), or at this host's store as `host:<user>`.

Both give the same documents (`gateway.migration.documents`), and tell what can't be as a `DeskError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from gateway.cli.common import FINDING, USAGE, fail

_Command = TypeVar("_Command", bound=Callable[..., Any])
Document = dict[str, Any]


class DeskError(Exception):
    """It can't be done; `details` are further lines. The first is a sentence."""

    def __init__(self, sentence: str, details: Sequence[str] = (), code: int = FINDING) -> None:
        super().__init__(sentence)
        self.details, self.code = tuple(details), code


class Desk(Protocol):
    """What control verbs can do."""

    def plan(self, files: Mapping[str, bytes], *, overwrite: bool) -> Document: ...

    def apply(
        self, files: Mapping[str, bytes], about: Mapping[str, str | None], *, overwrite: bool, plan_hash: str | None
    ) -> Document: ...

    def groups(self) -> list[Document]: ...

    def parity(self, group: str) -> Document: ...

    def evidence(self, group: str, days: int) -> Document: ...

    def callers(self, group: str, days: int) -> Document: ...

    def brownout(self, group: str, about: Mapping[str, str]) -> Document: ...

    def reconciliation(self, group: str) -> Document: ...

    def sweep(self, group: str, keys: Sequence[str] | None, *, details: bool) -> Document: ...

    def repairs(self, group: str) -> Document: ...

    def repair(self, group: str, do: str) -> Document: ...

    def writes(self, group: str) -> Document: ...

    def settle(self, group: str, id: str, *, happened: bool) -> Document: ...

    def plan_flip(self, group: str, wanted: Mapping[str, Any]) -> Document: ...

    def flip(
        self, group: str, wanted: Mapping[str, Any], about: Mapping[str, str | None], *, plan_hash: str | None
    ) -> Document: ...

    def rollback(self, group: str, about: Mapping[str, str | None]) -> Document: ...

    def purge(self, group: str | None, entity: tuple[str, str] | None) -> Document: ...

    def dead(self) -> list[Document]: ...

    def replay(self, subscriber: str) -> Document: ...

    def history(self, limit: int) -> list[Document]: ...

    def snapshot(self, version: int) -> tuple[Document, dict[str, bytes]]: ...

    def approvals(self, *, pending: bool) -> list[Document]: ...

    def approval(self, id: str) -> Document: ...

    def decide(self, id: str, reason: str, *, approve: bool) -> Document: ...

    def close(self) -> None: ...


def server_option(command: _Command) -> _Command:
    """`--server URL`: work at that gateway, with the credential in FIGWAY_TOKEN."""
    option = click.option(
        "--server", help="A running gateway, such as http://127.0.0.1:8080; FIGWAY_TOKEN is shown to it."
    )
    return option(command)


@contextmanager
def desk(workspace: Path, server: str | None) -> Iterator[Desk]:
    """The desk; ends the verb with sentences when something can't be done there."""
    try:
        opened = _opened(workspace, server)
        try:
            yield opened
        finally:
            opened.close()
    except DeskError as error:
        for line in error.details:
            click.echo(f"figway: {line}", err=True)
        fail(str(error), error.code)


def _opened(workspace: Path, server: str | None) -> Desk:
    # Each is slow to import, and only one is needed.
    if server is not None:
        from gateway.cli.desk_server import ServerDesk

        return ServerDesk(server)
    from gateway.cli.desk_host import HostDesk

    return HostDesk(workspace)


def usage(sentence: str) -> DeskError:
    """The verb was used wrongly."""
    return DeskError(sentence, code=USAGE)
