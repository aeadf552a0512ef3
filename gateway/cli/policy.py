"""`figway policy explain`: which policies decide, offline, from the workspace's files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
import orjson

from gateway.call import Call
from gateway.cli.common import USAGE, fail, json_option, print_json, workspace_option
from gateway.cli.offline import compiled_of, principal_of
from gateway.filters.parameters import reader
from gateway.policy.explain import Asked, UnknownAction, explain, sentence
from gateway.routing.model import Compiled, Route

_HELP = """Say which policies decide on a call, and what they narrow.

Without arguments it says what can be said before a call: with --arg, and --at for its time, it decides on one.

\b
Example:
  figway policy explain --as alice --role clerk --via bot --action update_customer --arg customer_id=C-10001
"""


@click.group("policy", help="Policies: explain a decision.\n\nExample: figway policy explain --as alice --action wait")
def command() -> None:
    """`figway policy`."""


@command.command("explain", help=_HELP)
@workspace_option
@json_option
@click.option("--as", "principal", required=True, help="Who asks.")
@click.option("--via", "agent", help="The agent that acts for it.")
@click.option("--behind", multiple=True, help="An agent for which --via acts; may be repeated, the nearest first.")
@click.option("--role", "roles", multiple=True, help="A role of the principal; may be repeated.")
@click.option("--team", "teams", multiple=True, help="A team of the principal; may be repeated.")
@click.option("--tenant", help="The principal's tenant.")
@click.option("--run", help="The run that the call belongs to.")
@click.option("--scope", "scopes", multiple=True, help="What the credential is narrowed to; may be repeated.")
@click.option("--action", required=True, help="An operationId, or a permission such as gateway:read_audit.")
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="A parameter, or a member of the body.")
@click.option("--at", metavar="TIME", help="When, in RFC 3339; default: now.")
def explain_decision(
    workspace: Path, as_json: bool, action: str, arguments: tuple[str, ...], at: str | None, **who: Any
) -> None:
    """Exit 0 whatever the decision is."""
    compiled = compiled_of(workspace)
    now = None if at is None else _time(at)
    asked = Asked(principal_of(**who), action, _call(compiled, action, arguments, at is not None), now)
    try:
        explained = explain(compiled, asked)
    except UnknownAction as error:
        fail(f"{error}; there are {', '.join(sorted(route.operation_id for route in compiled.routes))}", USAGE)
    if as_json:
        print_json(explained)
    else:
        _print(explained)


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        fail(f"'{text}' isn't a time such as 2026-11-21T09:30:00+01:00", USAGE)


def _call(compiled: Compiled, action: str, arguments: tuple[str, ...], at: bool) -> Call | None:
    """The call that the arguments describe; None when there are none and no time: before any call."""
    route = next((each for each in compiled.routes if each.operation_id == action), None)
    if route is None or not (arguments or at):
        return None
    call = Call("", action, 0, route.method, route.path, 0.0, "", {})
    body: dict[str, Any] = {}
    for each in arguments:
        name, equals, text = each.partition("=")
        if not equals:
            fail(f"'{each}' isn't NAME=VALUE", USAGE)
        _place(call, route, body, name, text)
    call.body = body if route.body is not None else None
    return call


def _place(call: Call, route: Route, body: dict[str, Any], name: str, text: str) -> None:
    places = {"path": call.path, "query": call.query, "header": call.header}
    for parameter in route.parameters:
        if parameter.name == name:
            places[parameter.where][name] = reader(parameter)(text)
            return
    if route.body is None:
        known = ", ".join(each.name for each in route.parameters) or "no parameters"
        fail(f"{route.operation_id} takes no '{name}'; it takes {known}", USAGE)
    try:
        body[name] = orjson.loads(text)
    except orjson.JSONDecodeError:
        body[name] = text


def _print(explained: dict[str, Any]) -> None:
    click.echo(f"{explained['decision']}: {sentence(explained)}.")
    for each in explained["narrowing"]:
        for name in ("rows", "mask", "tokenise"):
            if name in each:
                click.echo(f"  @{name} {each[name]}  ({each['name']})")
    for each in explained["policies"]:
        place = f"{each['file']}:{each['line']}"
        tried = f"  (on trial: {each['trial']})" if each["trial"] else ""
        click.echo(f"  {each['effect']:<6}  {each['name']:<28}  {place:<32}  {each['outcome']}{tried}")
