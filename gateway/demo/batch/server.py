"""The batch's own process: a run every few seconds, and one on demand.

    python -m gateway.demo.batch.server DROP WORK PORT SECONDS

A run on demand: `POST http://127.0.0.1:PORT/run` answers `{"taken": n}` when it is done; SIGUSR1 starts one.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

from gateway.demo.batch.cobol import BatchFailed
from gateway.demo.batch.run import Folders, run_batch


class _Handler(BaseHTTPRequestHandler):
    folders: Folders

    def do_GET(self) -> None:
        """Health: how many tasks wait."""
        waiting = len(list((self.folders.drop / "in").glob("TASK-*.DAT")))
        self._answer(200, {"waiting": waiting})

    def do_POST(self) -> None:
        """Runs the batch now."""
        if self.path != "/run":
            self._answer(404, {})
            return
        try:
            self._answer(200, {"taken": run_batch(self.folders)})
        except (BatchFailed, OSError, subprocess.SubprocessError) as error:
            self._answer(500, {"error": str(error)})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The log is for the batch's own words."""


def main(arguments: list[str]) -> None:
    """Serves until it is killed."""
    drop, work, port, seconds = arguments
    folders = Folders(Path(drop), Path(work))
    wanted = threading.Event()

    def demanded(_number: int, _frame: FrameType | None) -> None:
        wanted.set()

    signal.signal(signal.SIGUSR1, demanded)
    handler = type("Handler", (_Handler,), {"folders": folders})
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        wanted.wait(float(seconds))
        wanted.clear()
        _run_logged(folders)


def _run_logged(folders: Folders) -> None:
    # One failed run doesn't end the batch: the next finds everything where it was.
    try:
        taken = run_batch(folders)
    except (BatchFailed, OSError, subprocess.SubprocessError) as error:
        print(f"batch failed: {error}", flush=True)
        return
    if taken:
        print(f"batch took {taken}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
