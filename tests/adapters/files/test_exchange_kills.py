"""One request a key, whoever is killed when, and however many ask at once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Context

Killed = Callable[[int, str, str], str]
ASKED = {"sku": "A-1", "quantity": 3}


def within(seconds: float, key: str) -> Context:
    return Context(time.monotonic() + seconds, idempotency_key=key)


KILLED = """
import asyncio, json, os, signal, sys, time
from pathlib import Path
from adapters.contract import Context, Workspace
from adapters.files import KIND
left, before = int(sys.argv[3]), sys.argv[4] == "before"

def counted(name):
    real = getattr(os, name)
    def call(*args, **kwargs):
        global left
        if not armed:
            return real(*args, **kwargs)
        left -= 1
        if left == 0 and before:
            os.kill(os.getpid(), signal.SIGKILL)
        found = real(*args, **kwargs)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    setattr(os, name, call)

armed = False
for name in ("mkdir", "rename", "link", "unlink", "fsync", "rmdir"):
    counted(name)
config = KIND.config.model_validate(json.loads(sys.argv[2]))
async def main():
    global armed
    adapter = KIND.build("work", config, Workspace({}, Path(sys.argv[1])))
    await adapter.open()
    armed = True
    try:
        context = Context(time.monotonic() + 5, idempotency_key=sys.argv[5])
        await adapter.invoke("quote.ask", {"sku": "A-1", "quantity": 3}, context)
    finally:
        await adapter.close()
    print("answered", left)
asyncio.run(main())
"""


@pytest.fixture
def killed(exchange: dict[str, Any], drop_folder: Path, tmp_path: Path) -> Callable[[int, str, str], str]:
    """`killed(call, when, key)`: asks in a process that ends before or after a system call of its; what it printed."""

    def ask(call: int, when: str, key: str) -> str:
        config = json.dumps({"root": str(drop_folder), **exchange})
        command = [sys.executable, "-c", KILLED, str(tmp_path / "other"), config, str(call), when, key]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, -9), done.stderr
        return done.stdout

    return ask


CALLS = 15
"""The steps of one exchange, and some more."""


@pytest.mark.parametrize("step", [pytest.param(1, id="quick"), pytest.param(0, id="all", marks=pytest.mark.slow)])
async def test_a_kill_at_any_step_never_makes_two_requests(quotes: Any, legacy: Any, killed: Killed, step: int) -> None:
    legacy.start()
    adapter = quotes()
    ended = 0
    steps = [(call, when) for when in ("before", "after") for call in range(1, CALLS + 1)]
    for number, (call, when) in enumerate(steps[::7] if step else steps):
        key = f"k{number}"
        shown = await asyncio.to_thread(killed, call, when, key)
        ended += "answered" not in shown
        before = len(legacy.seen)
        result = await adapter.invoke("quote.ask", ASKED, within(20, key))
        assert legacy.seen.count(result.value["id"]) == 1, (call, when)
        assert len(legacy.seen) - before <= 1
    assert len(legacy.seen) == len(set(legacy.seen)) == number + 1
    assert ended >= (3 if step else 20)


async def test_processes_that_ask_at_once_send_one_request(legacy: Any, killed: Killed) -> None:
    legacy.start()
    asked = (asyncio.to_thread(killed, 1000, "before", "k") for _ in range(3))
    assert all("answered" in shown for shown in await asyncio.gather(*asked))
    assert len(legacy.seen) == 1
