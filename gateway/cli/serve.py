"""`figway serve`: serve a workspace."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import click

from gateway.cli.common import USAGE, fail, workspace_option
from gateway.process import Supervisor, configure_logging, listen, run_one
from gateway.routing.identity import is_loopback
from gateway.settings import InvalidSetting, Settings

logger = logging.getLogger("figway")


@click.command("serve", epilog="Example: figway serve --workspace shop --workers 2 --watch")
@workspace_option
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that serve.")
@click.option("--watch", is_flag=True, help="Publish the workspace whenever its files change.")
@click.option("--dev", is_flag=True, help="Accept the tokens of 'figway token'; for this host only.")
@click.option("--mock", is_flag=True, help="Answer every route from its contract; no upstream is asked.")
@click.option("--host", help="The address to listen on; overrides FIGWAY_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on; overrides FIGWAY_PORT.")
def command(
    workspace: Path, workers: int, watch: bool, dev: bool, mock: bool, host: str | None, port: int | None
) -> None:
    """Serve a workspace: its active snapshot, or on an empty store its files.

    An invalid workspace isn't served: every problem is told, and the exit code is 1.

    With --mock every route is answered by an example: its contract's own, else one made from its schema. Keys, policies
    and limits hold as ever; nothing is asked of any upstream, and nothing is kept where the gateway itself keeps it.
    """
    settings = replace(process_settings(host, port), dev=dev, mock=mock)
    if dev and not is_loopback(settings.host):
        fail(f"--dev lets anyone in who can make a token here, so it doesn't listen on {settings.host}", USAGE)
    configure_logging(settings)
    serve(workspace, settings, workers, watch)


def process_settings(host: str | None, port: int | None) -> Settings:
    """The settings from the environment, with what the command line overrides."""
    try:
        settings = Settings.from_environment(os.environ)
    except InvalidSetting as error:
        fail(str(error), USAGE)
    return replace(
        settings,
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
    )


def serve(workspace: Path, settings: Settings, workers: int, watch: bool) -> None:
    """Listens and serves until a signal comes; ends the verb when it can't."""
    try:
        listener = listen(settings)
    except OSError as error:
        fail(f"can't listen on {settings.host}:{settings.port}: {error.strerror}; choose another with --port")
    with listener:
        host, port = listener.getsockname()[:2]
        logger.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
        if workers == 1:
            started = run_one(workspace, settings, listener, watch=watch)
        else:
            started = Supervisor(workspace, settings, workers, watch=watch).run(listener)
    if not started:
        raise SystemExit(1)
