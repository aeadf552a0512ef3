"""`figway demo`: the demo estate and the gateway in front of it, started and ended together."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from dataclasses import replace
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


@click.command("demo", epilog="Example: figway demo --erp postgresql --latency 3.1; figway demo --tour")
@click.option(
    "--erp",
    type=click.Choice(["sqlite", "postgresql", "mariadb"]),
    default="sqlite",
    show_default=True,
    help="The database server behind the ERP.",
)
@click.option("--latency", type=click.FloatRange(0, 60), default=0.0, help="Seconds that the legacy systems take.")
@click.option("--port", type=click.IntRange(0, 65535), help="The gateway's port; overrides FIGWAY_PORT.")
@click.option("--tour", is_flag=True, help="Move the customers to the new CRM, step by step, and end: some 2 minutes.")
def command(erp: Engine, latency: float, port: int | None, tour: bool) -> None:
    """Start the demo: a SOAP CRM, an ERP database, a COBOL work queue, a replacement, and the gateway.

    It all ends with Ctrl-C. Nothing outside the folder .figway is written.
    """
    os.environ["FIGWAY_STATE"] = str(_fresh_state() if tour else Path(FOLDER).absolute())
    settings = process_settings(None, port)
    log = "warning" if tour and "FIGWAY_LOG" not in os.environ else settings.log
    settings = replace(settings, dev=is_loopback(settings.host), log=log)
    configure_logging(settings)
    try:
        listener = listen(settings)
    except OSError as error:
        fail(f"can't listen on {settings.host}:{settings.port}: {error.strerror}; choose another with --port")
    estate = Estate(Path(FOLDER).absolute() / "demo", erp=erp, latency=latency)
    with listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            started = runner.run(_run(estate, settings, listener, tour=tour))
        except EstateFailed as error:
            fail(str(error))
    if not started:
        raise SystemExit(1)


def _fresh_state() -> Path:
    """A state folder for one tour alone: it goes past a point of no return."""
    folder = Path(FOLDER).absolute() / "tour"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


async def _run(estate: Estate, settings: Settings, listener: socket.socket, *, tour: bool) -> bool:
    console = Console(stderr=True)
    with console.status("starting the CRM, the ERP, the COBOL batch and the replacement"):
        await estate.start()
    try:
        os.environ.update(estate.environment())
        facts = await asyncio.to_thread(_announce, settings, estate, listener.getsockname()[1])
        if tour:
            return await _toured(settings, listener)
        click.echo(_what_to_try(facts), err=True)
        return await serve_one(workspace_dir(), settings, listener, watch=True)
    finally:
        await estate.stop()


async def _toured(settings: Settings, listener: socket.socket) -> bool:
    """Serves until the tour, in a process of its own, has ended; whether it went well."""
    facts = str(Path(FOLDER) / "demo.json")
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway.demo.tour", facts)

    async def end() -> int:
        code = await process.wait()
        os.kill(os.getpid(), signal.SIGINT)
        return code

    ending = asyncio.create_task(end())
    served = await serve_one(workspace_dir(), settings, listener, watch=False)
    if process.returncode is None:  # stopped before its end
        process.terminate()
    ending.cancel()
    return served and await process.wait() == 0


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
