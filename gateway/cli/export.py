"""`figway export`: the tools that a caller would be shown, in the words of vendors' programs, and what it follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.call import Principal
from gateway.catalogue.formats import FORMATS, CantExpress
from gateway.cli.common import FINDING, USAGE, fail, print_json, workspace_option
from gateway.cli.offline import compiled_of, loaded_of, principal_of
from gateway.feeds.asyncapi import document, listeners, subscriber
from gateway.feeds.delivery import events_of
from gateway.feeds.delivery import principal_of as seeing_of
from gateway.feeds.feed import sights_of
from gateway.feeds.sources import sources_of
from gateway.ingress.mcp_tools import Seen, Tools, tools_of
from gateway.policy.decide import Policies
from gateway.routing.document import visible
from gateway.routing.model import Compiled
from gateway.routing.toolsets_schema import Toolsets

_OPENAPI = "openapi"
_HELP = """Print the workspace's tools for a vendor's program, offline.

Without --as, all of them; with it, those that this caller would be shown, by policies and toolsets. A tool that the
format has no words for is left out with a sentence on standard error, and the exit code is 1.

\b
Examples:
  figway export tools --format openai > tools.json
  figway export tools --format anthropic --as alice --via support-bot --role clerk
"""


_EVENTS_HELP = """Print what may be followed of the systems' changes, as AsyncAPI 3.0, offline.

Without --as, all of it and the webhooks and streams of gateway.yaml; with it, what this caller may follow by policies.

\b
Examples:
  figway export events > asyncapi.json
  figway export events --as alice --role clerk
"""
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _caller_options(command: _Command) -> _Command:
    """A caller, as options say it."""
    for option in reversed(
        (
            click.option("--as", "principal", help="Who would ask."),
            click.option("--via", "agent", help="The agent that acts for it."),
            click.option("--role", "roles", multiple=True, help="A role of the principal; may be repeated."),
            click.option("--team", "teams", multiple=True, help="A team of the principal; may be repeated."),
            click.option("--tenant", help="The principal's tenant."),
            click.option("--scope", "scopes", multiple=True, help="What the credential is narrowed to."),
        )
    ):
        command = option(command)
    return command


@click.group("export", help="Export tools and events.\n\nExample: figway export tools --format openai")
def command() -> None:
    """`figway export`."""


@command.command("tools", help=_HELP)
@workspace_option
@click.option("--format", "form", required=True, type=click.Choice([*FORMATS, _OPENAPI]), help="Whose words to use.")
@_caller_options
def export_tools(workspace: Path, form: str, principal: str | None, **who: Any) -> None:
    """Prints JSON."""
    caller, compiled = _caller(principal, who), compiled_of(workspace)
    tools = tools_of(compiled)
    seen = _seen(compiled, tools, caller)
    if form == _OPENAPI:
        print_json(visible(compiled.document, {each.tool.route.operation_id for each in seen}))
        return
    _print(form, tools, seen)


@command.command("events", help=_EVENTS_HELP)
@workspace_option
@click.option("--url", default="http://localhost:8080", show_default=True, help="Where the gateway is.")
@_caller_options
def export_events(workspace: Path, url: str, principal: str | None, **who: Any) -> None:
    """Prints JSON."""
    caller, loaded = _caller(principal, who), loaded_of(workspace)
    compiled, sources = loaded.compiled, sources_of(loaded.compiled, loaded.adapters)
    policies = Policies(compiled.rules)
    audiences = [listeners(sights_of(sources, policies, caller), url)]
    if caller is None:
        for name, model in events_of(compiled).subscribers.items():
            audiences.append(subscriber(name, model, sights_of(sources, policies, seeing_of(model))))
    info = compiled.document["info"]
    print_json(document(info["title"], str(info["version"]), audiences))


def _caller(principal: str | None, who: dict[str, Any]) -> Principal | None:
    if principal is None and any(who.values()):
        fail("--via, --role, --team, --tenant and --scope say more of a caller: name it by --as", USAGE)
    return None if principal is None else principal_of(principal, **who)


def _print(form: str, tools: Tools, seen: list[Seen]) -> None:
    make, whole = FORMATS[form]
    made, refused = [], False
    for each in seen:
        try:
            made.append(make(tools.told(each)))
        except CantExpress as error:
            refused = True
            click.echo(f"figway: {each.tool.route.operation_id} is left out: {error}", err=True)
    print_json(whole(made))
    if refused:
        raise SystemExit(FINDING)


def _seen(compiled: Compiled, tools: Tools, principal: Principal | None) -> list[Seen]:
    if principal is None:
        return [Seen(tool, frozenset()) for tool in tools.by_name.values()]
    policies = Policies(compiled.rules)
    found = tools.seen(policies.listed(principal, tools.routes), policies.narrowed)
    toolsets = compiled.policy_files["toolsets.yaml"]
    assert isinstance(toolsets, Toolsets)
    return [each for each in found if toolsets.show(principal, each.tool.route)]
