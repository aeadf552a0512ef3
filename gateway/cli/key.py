"""`figway key`: API keys. A running gateway follows at once; the audit says who did it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os import environ
from pathlib import Path
from typing import Any

import click

from gateway.audit.file import AuditError
from gateway.cli.common import fail, json_option, print_json, workspace_option
from gateway.cli.recording import note_change, rings_of
from gateway.identity import keys
from gateway.identity.signing import KeyFileError
from gateway.routing.stores import state_url
from gateway.routing.units import seconds
from gateway.settings import InvalidSetting, Settings
from gateway.store.contract import State, StoredKey, StoreError
from gateway.store.place import StateFolder, open_state
from gateway.store.shared import Shared

_EXPECTED = (StoreError, AuditError, KeyFileError, InvalidSetting, keys.InvalidKey)


@click.group(
    name="key",
    help="API keys: create, list, revoke; the gateway's own keys: rotate.\n\n"
    "Example: figway key create --principal alice",
)
def command() -> None:
    """The verb's own group."""


@command.command(help="Make a key and print it, this once.\n\nExample: figway key create --principal alice --agent bot")
@workspace_option
@json_option
@click.option("--principal", required=True, help="The person or service that the key stands for.")
@click.option("--agent", help="The program that acts for the principal with this key.")
@click.option("--role", "roles", multiple=True, help="A role that policies speak of; may be given several times.")
@click.option("--tenant", help="The tenant that the principal belongs to.")
@click.option(
    "--scope", "scopes", multiple=True, help="Narrow the key to this operationId, effect or group; repeatable."
)
@click.option("--expires", help="How long the key is valid, such as 12h or 90d; left out: until it is revoked.")
def create(workspace: Path, as_json: bool, expires: str | None, **who: Any) -> None:
    """`figway key create`."""
    try:
        until = now() + timedelta(seconds=seconds(expires)) if expires else None
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error), param_hint="--expires") from error
    with sentences(), Desk.open(workspace) as desk:
        text, key = desk.create(expires=until, **who)
    if as_json:
        print_json({"key": text, **described(key)})
    else:
        click.echo("This key is shown only this once; send it as 'Authorization: Bearer <key>':", err=True)
        click.echo(text)


@command.command(name="list", help="List the keys, revoked and expired ones too.\n\nExample: figway key list --json")
@workspace_option
@json_option
def list_keys(workspace: Path, as_json: bool) -> None:
    """`figway key list`."""
    with sentences(), Desk.open(workspace) as desk:
        rows = [described(key) for key in desk.state.all_keys()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        who = f"{row['principal']} via {row['agent']}" if row["agent"] else row["principal"]
        roles = ",".join(row["roles"]) or "no role"
        until = row["revoked"] or row["expires"] or "revoked"
        narrowed = f"; only {','.join(row['scopes'])}" if row["scopes"] is not None else ""
        used = f"; used {row['used']}" if row["used"] else "; never used"
        click.echo(f"{row['id']}  {row['state']:<7}  until {until!s:<25}  {who} ({roles}){narrowed}{used}")


@command.command(help="Revoke a key; every worker refuses it at once.\n\nExample: figway key revoke k7…")
@workspace_option
@json_option
@click.argument("id")
def revoke(workspace: Path, as_json: bool, id: str) -> None:
    """`figway key revoke`."""
    with sentences(), Desk.open(workspace) as desk:
        if not desk.revoke(id):
            fail(f"no key has the id '{id}': 'figway key list' shows them")
    if as_json:
        print_json({"id": id, "state": "revoked"})
    else:
        click.echo(f"{id} is revoked")


def described(key: StoredKey) -> dict[str, Any]:
    """A key as lists show it: without its MAC; `state` is active, expired or revoked."""
    over = key.expires is not None and key.expires <= now()
    names = ("id", "principal", "agent", "roles", "tenant", "created", "expires", "revoked", "scopes", "used")
    state = "revoked" if key.revoked else "expired" if over else "active"
    return {**{name: getattr(key, name) for name in names}, "state": state}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where keys are made and revoked on this host, by whoever may write the state folder."""

    state: State
    folder: StateFolder
    workspace: Path

    @classmethod
    @contextmanager
    def open(cls, workspace: Path) -> Iterator[Desk]:
        """The desk of a workspace; raises what opening its store does."""
        folder = StateFolder.of(workspace, Settings.from_environment(environ).state)
        with closing(open_state(state_url(workspace), workspace, folder)) as state:
            yield cls(state, folder, workspace)

    def create(self, *, expires: datetime | None, **who: Any) -> tuple[str, StoredKey]:
        """Makes a key; `who` is what `gateway.identity.keys.create` takes."""
        pepper = rings_of(self.workspace, self.folder)["pepper"].current
        text, key = keys.create(self.state, pepper, expires=expires, **who)
        self.announce("key_create", f"key:{key.id}")
        return text, key

    def revoke(self, id: str) -> bool:
        """Revokes a key; False: there is none of that id."""
        found = self.state.revoke_key(id, now())
        if found:
            self.announce("key_revoke", f"key:{id}")
        return found

    def announce(self, operation: str, credential: str) -> None:
        """Tells the running gateway that credentials have changed, and the audit who did it."""
        with closing(Shared.open(self.folder.shared)) as shared:
            shared.bump_keys()
        note_change(self.workspace, self.folder, operation, credential)


def now() -> datetime:
    """The time, to the second, UTC."""
    return datetime.now(UTC).replace(microsecond=0)


@contextmanager
def sentences() -> Iterator[None]:
    """Ends the verb with one sentence when the store, the audit or a key's file fails."""
    try:
        yield
    except _EXPECTED as error:
        fail(str(error))


from gateway.cli.rotate import rotate  # noqa: E402 - it works at the desk above

command.add_command(rotate)
