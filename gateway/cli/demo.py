"""`figway demo`: the demo estate and the gateway in front of it, started and ended together."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console

from gateway.cli.common import fail
from gateway.cli.key import Desk, sentences
from gateway.cli.serve import process_settings
from gateway.demo.estate import Estate, EstateFailed
from gateway.demo.place import workspace_dir
from gateway.demo.systems import Engine
from gateway.identity.keys import key_id
from gateway.process import configure_logging, listen, serve_one
from gateway.routing.identity import is_loopback
from gateway.settings import Settings
from gateway.store.place import FOLDER

# Who the demo's callers are: (name of the credential, role, principal, agent)
_CALLERS = (
    ("agent", "agent", "ada.lindqvist", "helpdesk-agent"),
    ("developer", "developer", "dev.okafor", None),
    ("platform", "platform", "petra.novak", None),
    ("approver", "approver", "anton.weber", None),
    ("second_approver", "approver", "bente.holm", None),
    ("auditor", "auditor", "aude.martin", None),
)


_LATENCY = 3.1


@click.command("demo", epilog="Example: figway demo --erp postgresql; figway demo --latency; figway demo --tour")
@click.option(
    "--erp",
    type=click.Choice(["sqlite", "postgresql", "mariadb"]),
    help="The database behind the ERP: sqlite, and with --latency postgresql.",
)
@click.option(
    "--latency",
    type=click.FloatRange(0, 20),
    is_flag=False,
    flag_value=_LATENCY,
    default=0.0,
    help=f"Seconds that each legacy system is away ({_LATENCY} where none are said): what an agent's calls take then "
    "is measured and printed.",
)
@click.option("--json", "as_json", is_flag=True, help="With --latency: print the figures as JSON, and end.")
@click.option("--port", type=click.IntRange(0, 65535), help="The gateway's port; overrides FIGWAY_PORT.")
@click.option("--tour", is_flag=True, help="Move the customers to the new CRM, step by step, and end: some 2 minutes.")
def command(erp: Engine | None, latency: float, as_json: bool, port: int | None, tour: bool) -> None:
    """Start the demo: a SOAP CRM, an ERP database, a COBOL work queue, a replacement, and the gateway.

    It all ends with Ctrl-C. Nothing outside the folder .figway is written.
    """
    beside = _beside(latency, as_json=as_json, tour=tour)
    os.environ["FIGWAY_STATE"] = str(Path(FOLDER).absolute() / (beside.name if beside else ""))
    settings = process_settings(None, port)
    log = "warning" if beside and "FIGWAY_LOG" not in os.environ else settings.log
    settings = replace(settings, dev=is_loopback(settings.host), log=log)
    configure_logging(settings)
    try:
        listener = listen(settings)
    except OSError as error:
        fail(f"can't listen on {settings.host}:{settings.port}: {error.strerror}; choose another with --port")
    engine: Engine = erp or ("postgresql" if latency else "sqlite")
    estate = Estate(Path(FOLDER).absolute() / "demo", erp=engine, latency=latency)
    with listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            started = runner.run(_run(estate, settings, listener, beside))
        except EstateFailed as error:
            fail(str(error))
    if not started:
        raise SystemExit(1)


@dataclass(frozen=True)
class _Beside:
    """A program of the outside world that goes on beside the gateway; `ends`: the demo ends with it."""

    name: str
    words: tuple[str, ...] = ()
    ends: bool = True


def _beside(latency: float, *, as_json: bool, tour: bool) -> _Beside | None:
    """What goes on beside the gateway, if anything; raises `UsageError`."""
    if tour and latency:
        raise click.UsageError("--tour and --latency are two demos: choose one of them")
    if as_json and not latency:
        raise click.UsageError("--json goes with --latency")
    if latency and find_spec("asyncssh") is None:
        fail("files that are far away are read by SFTP, which needs further packages; install 'figway[remote]'")
    if latency:
        return _Beside("latency", (str(latency), *(["--json"] if as_json else [])), as_json)
    return _Beside("tour") if tour else None


async def _run(estate: Estate, settings: Settings, listener: socket.socket, beside: _Beside | None) -> bool:
    console = Console(stderr=True)
    with console.status("starting the CRM, the ERP, the COBOL batch and the replacement"):
        await estate.start()
    try:
        if beside is not None:
            await asyncio.to_thread(_emptied, beside)
        os.environ.update(estate.environment())
        facts = await asyncio.to_thread(_announce, settings, estate, listener.getsockname()[1])
        workspace = await asyncio.to_thread(estate.workspace)
        if beside is None or not beside.ends:
            click.echo(_what_to_try(facts), err=True)
        if beside is None:
            return await serve_one(workspace, settings, listener, watch=True)
        return await _accompanied(beside, workspace, settings, listener)
    finally:
        await estate.stop()


def _emptied(beside: _Beside) -> None:
    """Its state is for one run alone: the tour goes past a point of no return, and replicas are to be loaded."""
    # Once the estate has started: before that another demo may run in this folder, and use it.
    shutil.rmtree(Path(FOLDER) / beside.name, ignore_errors=True)


async def _accompanied(beside: _Beside, workspace: Path, settings: Settings, listener: socket.socket) -> bool:
    """Serves, with a program beside it in a process of its own; whether all went well."""
    command = (sys.executable, "-m", f"gateway.demo.{beside.name}", str(Path(FOLDER) / "demo.json"), *beside.words)
    process = await asyncio.create_subprocess_exec(*command)

    async def end() -> None:
        await process.wait()
        os.kill(os.getpid(), signal.SIGINT)

    ending = asyncio.create_task(end()) if beside.ends else None
    served = await serve_one(workspace, settings, listener, watch=False)
    if process.returncode is None:  # stopped before its end
        process.terminate()
    if ending is not None:
        ending.cancel()
    code = await process.wait()
    return served and (code == 0 or not beside.ends)


def _announce(settings: Settings, estate: Estate, port: int) -> dict[str, Any]:
    """Writes `.figway/demo.json`, with fresh keys in place of the last run's."""
    path = Path(FOLDER) / "demo.json"
    with sentences(), Desk.open(workspace_dir()) as desk:
        for id in _last_keys(path):
            desk.revoke(id)
        credentials = {
            name: f"Bearer {desk.create(expires=None, principal=principal, agent=agent, roles=(role,))[0]}"
            for name, role, principal, agent in _CALLERS
        }
    facts = {"base_url": f"http://{settings.host}:{port}", "credentials": credentials, **estate.facts()}
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(facts, indent=2) + "\n")
    draft.replace(path)
    return facts


def _last_keys(path: Path) -> list[str]:
    try:
        texts = json.loads(path.read_text())["credentials"].values()
    except (OSError, ValueError, KeyError, AttributeError):
        return []
    ids = (key_id(str(text).removeprefix("Bearer ").encode()) for text in texts)
    return [id for id in ids if id is not None]


def _what_to_try(facts: dict[str, Any]) -> str:
    base, samples = facts["base_url"], facts["samples"]
    return f"""
The demo runs. An agent's credential, and what to ask with it:

  export AUTH='Authorization: {facts["credentials"]["agent"]}'
  curl -H "$AUTH" {base}/customers/{samples["customer_id"]}/overview
  curl -H "$AUTH" {base}/inventory/{samples["sku"]}
  curl -H "$AUTH" {base}/invoices/{samples["invoice_number"]}

In a browser: {base}/docs. All addresses and credentials: {FOLDER}/demo.json. Ctrl-C ends it all.
"""
