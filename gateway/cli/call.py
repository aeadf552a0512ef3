"""`figway call`: one operation through its binding, without the gateway's HTTP side, keys or policies."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
import orjson

from adapters.contract import Effect
from gateway.call import Call, Principal, Reply, new_id
from gateway.cli.common import USAGE, fail, json_option, print_json, workspace_option
from gateway.errors import Problem
from gateway.handlers import handlers
from gateway.identity.signing import Keyring
from gateway.routing.groups import Stage, stages_of
from gateway.routing.load import compile_workspace, read_workspace
from gateway.routing.model import Compiled, InvalidWorkspace, Route
from gateway.routing.stores import state_url
from gateway.settings import InvalidSetting, Settings
from gateway.store.contract import StoreError
from gateway.store.place import StateFolder, open_state, state_path
from gateway.telemetry import continue_trace
from gateway.upstream import Limits, Upstream

_HELP = """Call an operation straight through its binding.

For people who write bindings: no key, no policy, no audit; the contract is checked both ways.

\b
Example:
  figway call get_customer customer_id=C-10001
  figway call update_customer customer_id=C-10001 --body '{"name": "New"}' --binding replacement
"""


@click.command("call", help=_HELP)
@workspace_option
@json_option
@click.option("--binding", type=click.Choice(["legacy", "replacement"]), help="Which binding; default: legacy.")
@click.option("--body", help="The request's body, as JSON.")
@click.argument("operation")
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
def command(
    workspace: Path, as_json: bool, binding: str | None, body: str | None, operation: str, parameters: tuple[str, ...]
) -> None:
    """Prints the reply's body, with `--json` the whole reply; exit 1 when the call fails."""
    try:
        asyncio.run(_call(workspace, as_json, binding, body, operation, parameters))
    except InvalidWorkspace as error:
        fail(f"{error}: 'figway check' lists them")


async def _call(
    workspace: Path, as_json: bool, binding: str | None, body: str | None, operation: str, parameters: tuple[str, ...]
) -> None:
    with tempfile.TemporaryDirectory(prefix="figway-call-") as cache:
        files = read_workspace(workspace)
        stages = served_stages(workspace)
        loaded = compile_workspace(
            files,
            cache=Path(cache),
            environment=os.environ,
            strict_secrets=True,
            stages=stages,
            judge_stages=not stages,
        )
        compiled, route = _chosen(loaded.compiled, operation, binding)
        call = _made(route, compiled.defaults.deadline, parameters, body)
        upstreams = {name: Upstream(each, Limits()) for name, each in loaded.adapters.items()}
        try:
            cursors = Keyring.open(Path(cache) / "keys", "cursor")
            reply = await handlers(compiled, upstreams, lambda _: [], cursors).answers[operation](call)
        except Problem as problem:
            print_json(problem.document())
            raise SystemExit(1) from None
        finally:
            await asyncio.gather(*(upstream.close() for upstream in upstreams.values()))
        if reply.content is None or as_json:
            print_json(_whole(reply) if as_json else reply.body)
        else:
            sys.stdout.buffer.writelines(reply.content.chunks())


def _chosen(compiled: Compiled, operation: str, binding: str | None) -> tuple[Compiled, Route]:
    """The operation's route, and the workspace with only the chosen binding in it."""
    routes = {route.operation_id: route for route in compiled.routes}
    if operation not in routes:
        fail(f"there is no operation '{operation}'; there are {', '.join(sorted(routes))}", USAGE)
    route = routes[operation]
    if binding is not None:
        if getattr(route, binding) is None:
            fail(f"{operation} has no {binding} binding", USAGE)
        route = replace(route, legacy=None) if binding == "replacement" else replace(route, replacement=None)
        if route.replacement is not None and route.replacement.owns:  # some fields are no whole reply
            route = replace(route, enforcement="off")
    _check_retired(compiled, route)
    routes[operation] = route
    return replace(compiled, routes=tuple(routes.values())), route


def _check_retired(compiled: Compiled, route: Route) -> None:
    """Fails where the call would ask a legacy side that nothing may ask any more."""
    stage = compiled.groups[route.group].stage if route.group in compiled.groups else Stage()
    track = "reads" if route.effect is Effect.READ else "writes"
    if route.legacy is not None and getattr(stage, track) == "retired":
        fail(f"the {track} of group '{route.group}' are retired, so its legacy side isn't asked: --binding replacement")


def served_stages(workspace: Path) -> Mapping[str, Stage]:
    """The stages of the snapshot that is served; none where there isn't any, and the files' count."""
    try:
        folder = StateFolder.of(workspace, Settings.from_environment(os.environ).state)
        url = state_url(workspace)
        if not state_path(url, workspace, folder).exists():
            return {}
        with closing(open_state(url, workspace, folder)) as state:
            active = state.active_snapshot()
            return {} if active is None else stages_of(active.stages)
    except (StoreError, InvalidSetting) as error:
        fail(str(error))


def _made(route: Route, deadline: float, parameters: tuple[str, ...], body: str | None) -> Call:
    """The call, its values where the route's contract declares them."""
    places = {each.name: each.where for each in route.parameters}
    given: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for each in parameters:
        name, equals, value = each.partition("=")
        if not equals or name not in places:
            fail(f"'{each}' isn't NAME=VALUE for one of {', '.join(sorted(places)) or 'no parameters'}", USAGE)
        given[places[name]][name] = value

    async def read_body() -> bytes:
        return body.encode() if body is not None else b""

    headers = {name.lower().encode(): value.encode() for name, value in given["header"].items()}
    return Call(
        id=new_id(),
        operation=route.operation_id,
        snapshot=0,
        method=route.method,
        target=route.path,
        deadline=time.monotonic() + (route.deadline or deadline),
        traceparent=continue_trace(None),
        path=dict(given["path"]),
        raw_query=urlencode(given["query"]).encode(),
        raw_headers={b"content-type": b"application/json", **headers},
        read_body=read_body,
        principal=Principal("host"),
    )


def _whole(reply: Reply) -> dict[str, Any]:
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    body = orjson.loads(reply.encoded) if reply.encoded else reply.body
    body = body if reply.content is None else reply.content.base64()
    return {
        "status": reply.status,
        "headers": headers,
        "as_of": reply.as_of,
        "served_by": reply.served_by,
        "warnings": list(reply.warnings),
        "body": body,
    }
