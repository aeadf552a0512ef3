"""`figway demo`: the demo estate and the gateway in front of it, started and ended together."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.panel import Panel

from gateway.cli.common import fail
from gateway.cli.key import Desk, sentences
from gateway.cli.serve import process_settings
from gateway.demo.estate import Estate, EstateError
from gateway.demo.place import workspace_dir
from gateway.identity.keys import key_id
from gateway.process import configure_logging, listen, run_one
from gateway.settings import Settings
from gateway.store.place import FOLDER

# Who the demo's callers are: (role and name of the credential, principal, agent)
_CALLERS = (
    ("agent", "ada.lindqvist", "helpdesk-agent"),
    ("developer", "dev.okafor", None),
    ("platform", "petra.novak", None),
    ("approver", "anton.weber", None),
    ("auditor", "aude.martin", None),
)


@click.command("demo", epilog="Example: figway demo --erp postgresql --latency 3.1")
@click.option(
    "--erp",
    type=click.Choice(["sqlite", "postgresql", "mariadb"]),
    default="sqlite",
    show_default=True,
    help="The database server behind the ERP.",
)
@click.option("--latency", type=click.FloatRange(0, 60), default=0.0, help="Seconds that the legacy systems take.")
@click.option("--port", type=click.IntRange(0, 65535), help="The gateway's port; overrides FIGWAY_PORT.")
def command(erp: str, latency: float, port: int | None) -> None:
    """Start the demo: a SOAP CRM, an ERP database, a COBOL work queue, a replacement, and the gateway.

    It all ends with Ctrl-C. Nothing outside the folder .figway is written.
    """
    os.environ["FIGWAY_STATE"] = str(Path(FOLDER).absolute())
    settings = process_settings(None, port)
    configure_logging(settings)
    try:
        listener = listen(settings)
    except OSError as error:
        fail(f"can't listen on {settings.host}:{settings.port}: {error.strerror}; choose another with --port")
    console = Console(stderr=True)
    estate = Estate(Path(FOLDER).absolute() / "demo", erp=erp, latency=latency)
    with listener:
        try:
            with console.status("starting the CRM, the ERP, the COBOL batch and the replacement"):
                estate.start()
            os.environ.update(estate.environment())
            facts = _announce(settings, estate, listener.getsockname()[1])
            console.print(_what_to_try(facts))
            started = run_one(workspace_dir(), settings, listener, watch=True)
        except EstateError as error:
            fail(str(error))
        finally:
            estate.stop()
    if not started:
        raise SystemExit(1)


def _announce(settings: Settings, estate: Estate, port: int) -> dict[str, Any]:
    """Writes `.figway/demo.json`, with fresh keys in place of the last run's."""
    path = Path(FOLDER) / "demo.json"
    with sentences(), Desk.open(workspace_dir()) as desk:
        for id in _last_keys(path):
            desk.revoke(id)
        credentials = {
            role: f"Bearer {desk.create(expires=None, principal=principal, agent=agent, roles=(role,))[0]}"
            for role, principal, agent in _CALLERS
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


def _what_to_try(facts: dict[str, Any]) -> Panel:
    base, samples = facts["base_url"], facts["samples"]
    lines = [
        f"export AUTH='Authorization: {facts['credentials']['agent']}'",
        f'curl -H "$AUTH" {base}/customers/{samples["customer_id"]}/overview',
        f'curl -H "$AUTH" {base}/inventory/{samples["sku"]}',
        f'curl -H "$AUTH" {base}/invoices/{samples["invoice_number"]}',
        f"open {base}/docs",
    ]
    return Panel("\n".join(lines), title="figway demo: what to try", subtitle="Ctrl-C ends it all", expand=False)
