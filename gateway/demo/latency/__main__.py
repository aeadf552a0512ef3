"""`python -m gateway.demo.latency DEMO_JSON SECONDS [--json]`: measures once the gateway is ready.

Exit code 1 where something can't be measured, or doesn't hold.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncssh
import httpx
import pyodbc

from gateway.demo.latency import straight
from gateway.demo.latency.asked import COLD, ROUNDS, Agent
from gateway.demo.latency.loads import LoadsFailed, until_loaded
from gateway.demo.latency.report import SYSTEMS, Measured, document, table
from gateway.demo.ready import NotReady, until_ready

_FAILURES = (LoadsFailed, NotReady, httpx.HTTPError, pyodbc.Error, asyncssh.Error, OSError)


def say(text: str = "") -> None:
    """Prints at once, beside what is the result: somebody watches."""
    print(text, file=sys.stderr, flush=True)


async def main(path: Path, latency: float, *, spelt: bool) -> int:
    """The exit code. `spelt`: the result as JSON."""
    facts = json.loads(await asyncio.to_thread(path.read_text))
    try:
        measured = await _measured(facts, latency)
    except _FAILURES as failed:
        say(f"The latency can't be measured: {failed or type(failed).__name__}")
        return 1
    lines = [json.dumps(document(measured), indent=2)] if spelt else table(measured)
    for line in lines:
        print(line, flush=True)
    return 0 if measured.holds else 1


async def _measured(facts: Mapping[str, Any], latency: float) -> Measured:
    url = facts["base_url"]
    await until_ready(url)
    say(f"The agent asks the systems straight, each {latency:g} s away, while the gateway loads its replicas:")
    times, answers = await _straight(facts["estate"], facts["samples"])
    async with AsyncExitStack() as stack:
        agent, platform = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, headers={"authorization": facts["credentials"][role]}, timeout=120)
            )
            for role in ("agent", "platform")
        ]
        await until_loaded(platform, facts["samples"], say)
        asking = Agent(agent, facts["samples"])
        say("The agent asks the gateway the same, for the first time:")
        say(f"  all four: {await asking.round():.2f} s")
        asking.forget()
        say(f"{ROUNDS} times more, then for keys that nobody has asked for:")
        rounds = [await asking.round() for _ in range(ROUNDS)]
        cold = [await asking.cold(what) for what in COLD]
    return Measured(latency, times, rounds, asking.told, cold, asking.answers == answers)


async def _straight(estate: Mapping[str, Any], samples: Mapping[str, str]) -> tuple[dict[str, float], dict[str, Any]]:
    """(seconds, answers) of the four calls, one after the other."""
    id, files = samples["customer_id"], estate["files"]
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "customer": lambda: straight.customer(estate["crm"], id),
        "stock": lambda: straight.stock(estate["erp"]["dsn"], samples["sku"]),
        "invoices": lambda: straight.invoices(files, id),
        "tasks": lambda: straight.tasks(files, id),
    }
    times, answers = {}, {}
    for name, call in calls.items():
        began = time.perf_counter()
        answers[name] = await call()
        times[name] = time.perf_counter() - began
        say(f"  {name} ({SYSTEMS[name]}): {times[name]:.2f} s")
    return times, answers


if __name__ == "__main__":
    try:
        raise SystemExit(asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), spelt="--json" in sys.argv[3:])))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
