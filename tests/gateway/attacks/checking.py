"""Checks workspaces in forks of a process that has loaded figway already. Reads a folder a line; answers, as JSON, the
exit code (null: it took longer than ten seconds), what was printed, and by how much memory grew, in bytes."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile

import gateway.cli.check  # noqa: F401 (loaded before the first fork)
from gateway.cli import app

_SECONDS = 10
_MOST_MEMORY = 4 * 2**30


def _check(folder: str, output: int) -> None:
    os.dup2(output, 1)
    os.dup2(output, 2)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    signal.alarm(_SECONDS)
    try:
        app(["check", "--workspace", folder])
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(int(end.code or 0))
    os._exit(0)


def main() -> None:
    """Until the end of standard input."""
    least = 0
    for line in sys.stdin:
        with tempfile.TemporaryFile() as output:
            child = os.fork()
            if child == 0:
                _check(line.strip(), output.fileno())
            _, status, usage = os.wait4(child, 0)
            output.seek(0)
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
            grown = (usage.ru_maxrss - least) * 1024
            least = least or usage.ru_maxrss
            print(
                json.dumps({"code": code, "said": output.read().decode(errors="replace"), "grown": grown}), flush=True
            )


main()
