"""Rules about what an adapter tells operators, callers and logs, and what it leaves behind."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace

from adapters.contract import Adapter, Context, Probe
from adapters.errors import AdapterError
from adapters.testing.bench import Bench, NotAsked, broken
from adapters.testing.faults import SHORT
from adapters.testing.subject import SECONDS
from adapters.testing.wire import Fault

_LOOK = 0.02
"""Seconds between looks at what is still open."""


async def probe(bench: Bench) -> None:
    """Probes a system that is well, then one that hangs."""
    adapter = bench.build()
    seen = await _probed(bench, adapter, SECONDS)
    if not seen.ok:
        broken(f"a system that is well isn't: {seen.detail}")
    if not seen.detail or seen.seconds < 0:
        broken("a probe has no detail, or took no time at all")
    if bench.subject.address is None:
        return
    bench.wire.begin(Fault.HOLD)
    if (await _probed(bench, bench.build(), SHORT)).ok:
        broken("a system that answers nothing is said to be well")


async def _probed(bench: Bench, adapter: Adapter, seconds: float) -> Probe:
    call = asyncio.ensure_future(adapter.probe(Context(time.monotonic() + seconds)))
    await asyncio.wait({call}, timeout=seconds + bench.grace)
    if not call.done():
        call.cancel()
        broken(f"a probe still waits {bench.grace:.1f} s after its deadline")
    if error := call.exception():
        broken(f"a probe raises {type(error).__name__}; it should say ok=False")
    found = call.result()
    bench.let_out += [found.detail, repr(dict(found.facts))]
    return found


async def secrets(bench: Bench) -> None:
    """Drives it through good and bad days, and looks through all that it said."""
    adapter = bench.build()
    messages = [await _message(bench, adapter) for _ in range(2)]
    await _probed(bench, adapter, SECONDS)
    if bench.subject.address is not None:
        messages += await _bad_days(bench)
    hidden = bench.subject.secrets()
    for text in bench.let_out:
        if any(secret in text for secret in hidden):
            broken(f"a secret is let out: {_without(text, hidden)}")
    for message in messages:
        _check_message(bench, message)
    if not hidden and bench.subject.address is None:
        raise NotAsked("the subject has no secrets and no address")


async def _bad_days(bench: Bench) -> list[str]:
    found = []
    for fault in (Fault.JUNK, Fault.CUT, Fault.HOLD):
        bench.wire.begin(fault)
        adapter = bench.build()
        found.append(await _message(bench, adapter, SHORT if fault is Fault.HOLD else SECONDS))
        await _probed(bench, adapter, SHORT)
        bench.wire.release()
    return found


async def _message(bench: Bench, adapter: Adapter, seconds: float = SECONDS) -> str:
    sample = bench.subject.missing or bench.subject.reads[0]
    outcome = await bench.call(adapter, replace(sample), seconds)
    return outcome.message if isinstance(outcome, AdapterError) else ""


def _without(text: str, hidden: list[str]) -> str:
    for secret in hidden:
        text = text.replace(secret, "…")
    return " ".join(text.split())[:200]


def _check_message(bench: Bench, message: str) -> None:
    """What a caller is told names no host, no file and no line of code."""
    address = [] if bench.subject.address is None else [bench.wire.host, str(bench.wire.port)]
    if any(part in message for part in address):
        broken(f"a caller is told the system's address: {message}")
    if "Traceback" in message or re.search(r"(?:^|\s)/\w+/\w+|\.py\b", message):
        broken(f"a caller is told of files or code: {message}")


async def closed(bench: Bench) -> None:
    """Closes what was never opened, what was used, and what is closed already."""
    await bench.build().close()
    before = asyncio.all_tasks()
    adapter = bench.build()
    await bench.answer(adapter, bench.subject.reads[0])
    for _ in range(2):
        try:
            async with asyncio.timeout(SECONDS):
                await adapter.close()
        except TimeoutError:
            broken("close doesn't end")
    for _ in range(round(bench.grace / _LOOK)):
        left = asyncio.all_tasks() - before
        connected = bench.subject.address is not None and bool(bench.wire.open)
        if not left and not connected:
            return
        await asyncio.sleep(_LOOK)
    broken("after close its connections are still open" if connected else "after close its tasks still run")
