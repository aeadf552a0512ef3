"""`figway token`: tokens of the development issuer; and the revocation of any issuer's token."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from gateway.cli.common import fail, json_option, print_json, workspace_option
from gateway.cli.key import Desk, now, sentences
from gateway.identity.development import DevelopmentKey, InvalidToken
from gateway.routing.units import seconds

_MOST_ID = 256


@click.group(
    name="token",
    invoke_without_command=True,
    help="Make a token of the development issuer: only a gateway that is served with --dev accepts it.\n\n"
    "Example: figway token --as alice --via bot --role reader",
)
@workspace_option
@json_option
@click.option("--as", "principal", help="The person or service that the token stands for.")
@click.option("--via", multiple=True, help="Who acts for the principal; given again: who acts for that one's behalf.")
@click.option("--role", "roles", multiple=True, help="A role that policies speak of; may be given several times.")
@click.option("--team", "teams", multiple=True, help="A team that the principal is in; may be given several times.")
@click.option("--tenant", help="The tenant that the principal belongs to.")
@click.option("--scope", "scopes", multiple=True, help="Narrow it to this operationId, effect or group; repeatable.")
@click.option("--run", help="The run that its calls belong to, which limits may give a total.")
@click.option("--ttl", default="1h", show_default=True, help="How long it is valid, such as 10m or 12h.")
@click.pass_context
def command(
    context: click.Context, /, workspace: Path, as_json: bool, principal: str | None, ttl: str, **who: Any
) -> None:
    """`figway token`."""
    if context.invoked_subcommand is not None:
        return
    if principal is None:
        raise click.UsageError("name whom the token stands for, with --as NAME")
    try:
        valid = seconds(ttl)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--ttl") from error
    with sentences(), Desk.open(workspace) as desk:
        key = DevelopmentKey.existing(desk.folder.keys)
        try:
            text, jti = key.mint(principal, seconds=valid, **who)
        except InvalidToken as error:
            fail(str(error))
        desk.announce("token_create", f"token:{jti}")
    if as_json:
        print_json({"token": text, "jti": jti, "expires": now() + timedelta(seconds=valid)})
    else:
        click.echo("Only a gateway served with --dev accepts it; send it as 'Authorization: Bearer <token>':", err=True)
        click.echo(text)


@command.command(
    help="Revoke an issuer's token by its id (jti), or by what the audit calls it; every worker refuses it at once.\n\n"
    "Example: figway token revoke 4f1c… --expires 12h"
)
@workspace_option
@json_option
@click.argument("jti")
@click.option("--expires", help="When the token would have expired, such as 12h; left out: it's revoked for good.")
def revoke(workspace: Path, as_json: bool, jti: str, expires: str | None) -> None:
    """`figway token revoke`."""
    try:
        until = now() + timedelta(seconds=seconds(expires)) if expires else None
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error), param_hint="--expires") from error
    id = jti.removeprefix("token:")
    if not 0 < len(id) <= _MOST_ID:
        fail(f"the id of a token has 1 to {_MOST_ID} characters")
    with sentences(), Desk.open(workspace) as desk:
        desk.state.revoke_token(id, now(), until)
        desk.announce("token_revoke", f"token:{id}")
    if as_json:
        print_json({"jti": id, "state": "revoked", "expires": until})
    else:
        click.echo(f"{id} is revoked")
