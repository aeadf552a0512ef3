"""`figway route record` and `figway route replay`: what legacy answers today, held against a replacement anywhere."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import yaml

from gateway.cli.common import FINDING, USAGE, fail, json_option, print_json, workspace_option
from gateway.cli.key import sentences
from gateway.cli.recording import note_change
from gateway.cli.route_parity import show_verdicts
from gateway.dispatch import bound
from gateway.handlers import judging
from gateway.identity.signing import Keyring
from gateway.invoker import Invoker
from gateway.migration.model import Side
from gateway.migration.proofs import Proofs
from gateway.migration.recording.collecting import Collector, NobodyRecords
from gateway.migration.recording.model import BadRecording, Head, read
from gateway.migration.recording.replay import Played, Player, player, replay
from gateway.migration.trial import Trial
from gateway.pipeline import chain
from gateway.routing import units
from gateway.routing.load import Loaded, compile_workspace, read_workspace
from gateway.routing.model import Binding, InvalidWorkspace, Route
from gateway.settings import Settings
from gateway.store.place import StateFolder
from gateway.upstream import Limits, Upstream

_LONGEST = 86_400
_DURATION = "a duration such as 10m, 24h at most"


@click.command(
    help="Record what legacy answers to a group's calls, values hidden, from the gateway that runs on this host.\n\n"
    "Example: figway route record customers --for 10m --out customers.jsonl"
)
@workspace_option
@json_option
@click.argument("group")
@click.option(
    "--for", "lasts", required=True, help="For how long, such as 10m; Ctrl-C ends it, and keeps what is there."
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The new file.")
@click.option("--writes", is_flag=True, help="Writes, too: they are only ever replayed as dry runs.")
def record(workspace: Path, as_json: bool, group: str, lasts: str, out: Path, writes: bool) -> None:
    """`figway route record GROUP`; exit 1 where nobody records."""
    seconds = _seconds(lasts)
    if out.exists():
        fail(f"{out} is there already: recordings are never overwritten", USAGE)
    with sentences():
        folder = StateFolder.of(workspace, Settings.from_environment(os.environ).state)
        note_change(workspace, folder, "route_record", f"group:{group}")
    try:
        made, head = Collector(folder.recordings, group).record(seconds, out, writes=writes, wait=_wait)
    except NobodyRecords:
        fail(f"nobody records: no gateway that runs on this host serves a group '{group}'")
    except OSError as error:
        fail(f"the recording can't be written: {error.strerror}")
    if as_json:
        print_json({"group": group, "exchanges": made, "left_out": head.left_out, "out": str(out)})
        return
    click.echo(f"{made} exchanges of {group} are in {out}")
    for why, times in head.left_out.items():
        click.echo(f"  left out {times} times: {why}")


def _seconds(text: str) -> float:
    try:
        found = units.seconds(text)
    except ValueError:
        fail(f"--for: '{text}' isn't {_DURATION}", USAGE)
    if not 0 < found <= _LONGEST:
        fail(f"--for: '{text}' isn't {_DURATION}", USAGE)
    return found


def _wait(seconds: float) -> None:
    with suppress(KeyboardInterrupt):
        time.sleep(seconds)


@click.command(
    help="Play a recording to one side of its group, and compare by the workspace's rules; no gateway needs to run. "
    "Exit 1 when they differ, or too little can be said.\n\n"
    "Example: figway route replay customers.jsonl --against replacement --upstream-url http://localhost:9000"
)
@workspace_option
@json_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--against", "side", type=click.Choice(["replacement", "legacy"]), default="replacement", show_default=True,
    help="Which side is asked; legacy tells what it does to itself.",
)  # fmt: skip
@click.option("--upstream-url", help="Where the side's REST service is, instead of what gateway.yaml says.")
def replay_(workspace: Path, as_json: bool, file: Path, side: Side, upstream_url: str | None) -> None:
    """`figway route replay FILE`."""
    try:
        head, exchanges = read(file)
        with _loaded(workspace, head, side, upstream_url) as (loaded, folder):
            played = asyncio.run(_played(loaded, folder, head, exchanges, side))
    except BadRecording as error:
        fail(f"{file}: {error}", USAGE)
    except OSError as error:
        fail(f"{file} can't be read: {error.strerror}", USAGE)
    except InvalidWorkspace as error:
        fail(f"{error}: 'figway check' lists them", USAGE)
    _show(head, played, side, as_json=as_json, moved=loaded.compiled.hash != head.hash and upstream_url is None)
    if played.result != "alike":
        raise SystemExit(FINDING)


def _show(head: Head, played: Played, side: Side, *, as_json: bool, moved: bool) -> None:
    found: dict[str, Any] = {"group": head.group, "against": side, "begun": head.begun, **played.to_json()}
    if as_json:
        print_json(found)
        return
    recorded = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(head.begun))
    click.echo(f"{head.group}: {found['comparisons']} exchanges recorded {recorded}, played to {side}")
    if moved:
        click.echo("  the workspace isn't the one that was served then")
    if found["comparisons"]:
        show_verdicts(found)
    click.echo(f"{played.result}")


@contextmanager
def _loaded(workspace: Path, head: Head, side: Side, url: str | None) -> Iterator[tuple[Loaded, Path]]:
    with tempfile.TemporaryDirectory(prefix="figway-replay-") as cache:
        files = read_workspace(workspace)
        loaded = _compiled(files, cache)
        if url is not None:
            loaded = _compiled({**files, "gateway.yaml": _at(files["gateway.yaml"], loaded, head, side, url)}, cache)
        if head.group not in loaded.compiled.groups:
            fail(f"the workspace has no group '{head.group}'", USAGE)
        yield loaded, Path(cache)


def _compiled(files: Mapping[str, bytes], cache: str) -> Loaded:
    # The other side's secrets needn't be here; who is called without one says so.
    return compile_workspace(files, cache=Path(cache), environment=os.environ, strict_secrets=False, judge_stages=False)


def _at(text: bytes, loaded: Loaded, head: Head, side: Side, url: str) -> bytes:
    """gateway.yaml with another address of the upstream that is asked."""
    bindings = (_binding(each, side) for each in loaded.compiled.routes if each.group == head.group)
    names = sorted({each.upstream for each in bindings if each is not None})
    if len(names) != 1 or loaded.compiled.upstreams[names[0]].kind != "http":
        fail(f"--upstream-url needs one REST service behind the {side}; there are {', '.join(names) or 'none'}", USAGE)
    data = yaml.safe_load(text)
    data["upstreams"][names[0]]["base_url"] = url
    return yaml.safe_dump(data).encode()


def _binding(route: Route, side: Side) -> Binding | None:
    return route.legacy if side == "legacy" else route.replacement


async def _played(loaded: Loaded, folder: Path, head: Head, exchanges: Any, side: Side) -> Played:
    specs = loaded.compiled.upstreams
    upstreams = {
        name: Upstream(each, Limits(specs[name].deadline, specs[name].concurrency, specs[name].queue))
        for name, each in loaded.adapters.items()
    }
    try:
        return await replay(head, exchanges, dict(_players(loaded, upstreams, folder, head, side)))
    finally:
        await asyncio.gather(*(each.close() for each in upstreams.values()))


def _players(
    loaded: Loaded, upstreams: Mapping[str, Upstream], folder: Path, head: Head, side: Side
) -> Iterator[tuple[str, Player]]:
    compiled, cursors = loaded.compiled, Keyring.open(folder / "keys", "cursor")
    proofs = Proofs(folder)
    for route in compiled.routes:
        binding = _binding(route, side)
        if route.group != head.group or binding is None or binding.owns:
            continue
        trying = route.effect.value != "read"
        if trying and not binding.dry_run:
            continue
        upstream = upstreams[binding.upstream]
        asked: Invoker = Trial(upstream, proofs, compiled.groups[route.group]) if trying else upstream
        handler = chain(judging(route, compiled, cursors, side), bound(route, side, {binding.upstream: asked}))
        deadline = route.deadline or compiled.defaults.deadline
        made = player(route, handler, compiled.groups[route.group], head, deadline, trying=trying)
        yield route.operation_id, made
