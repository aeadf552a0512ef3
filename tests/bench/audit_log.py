"""What an audit record costs: CPU time of the whole process a record, from the call's end until it is on the disk.

64 callers take turns on one event loop. Reads share commits; a write waits for its own before it goes on. The floor is
the same turns with no audit, and is taken off.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from adapters.contract import Source
from gateway.audit.arguments import Hasher, Keeps, Rules
from gateway.audit.log import AuditLog
from gateway.audit.record import record_of
from gateway.call import Call, Principal, UpstreamCall, new_id
from gateway.identity.audit_keys import audit_keys
from gateway.identity.keyrings import Keyrings

CALLERS, CALLS, ROUNDS = 64, 300, 5
PAUSE = 0.005
"""Seconds between a caller's calls: some 10,000 calls a second in all, as a busy worker has them."""
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
_KEEPS = Keeps(Rules(), Hasher("h", b"h" * 32))
_WHO = Principal("ann", "bot", ("reader",), "acme", "key:abcdefghijkl")


def _call() -> Call:
    now = datetime.now(UTC)
    call = Call(new_id(), "get_item", 3, "GET", "/items/BRG-6204", 0.0, _TRACE, {"sku": "BRG-6204"})
    call.principal, call.decision, call.policies = _WHO, "allow", ("policy0",)
    call.keeps = _KEEPS
    call.upstream_calls = [UpstreamCall("shelf", "item.get", 0.001, "ok", (Source("shelf", "items", "k", as_of=now),))]
    return call


def _record() -> Any:
    call, now = _call(), time.time()
    return record_of(call, time=now, seconds=0.002, status=200, route="/items/{sku}", effect="read", reply_bytes=60)


async def _turns(turn: Callable[[], Awaitable[None]]) -> float:
    """CPU seconds of the process for all callers' turns."""

    async def caller() -> None:
        for _ in range(CALLS):
            await turn()

    before = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())
    return time.process_time() - before


async def _measured(folder: Path) -> tuple[float, float, float]:
    """CPU µs a read and a write, and writes a second."""
    log = AuditLog.open(folder, audit_keys(Keyrings(folder / "keys")))

    async def nothing() -> None:
        _call()
        await asyncio.sleep(PAUSE)

    async def read() -> None:
        log.append(_record())
        await asyncio.sleep(PAUSE)

    async def write() -> None:
        await log.append_durable(_record())

    floor = await _turns(nothing)
    before = time.process_time()
    await _turns(read)
    await log.append_durable(_record())
    reads = time.process_time() - before
    started = time.monotonic()
    writes = await _turns(write)
    rate = CALLERS * CALLS / (time.monotonic() - started)
    await asyncio.to_thread(log.close)
    each = 1e6 / (CALLERS * CALLS)
    return (reads - floor) * each, (writes - floor) * each, rate


def measure() -> list[dict[str, Any]]:
    """The figures, medians of several rounds."""
    # As the gateway itself has it.
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(uvloop.run(_measured(Path(folder) / "audit")))
    read, write, rate = (statistics.median(each) for each in zip(*rounds, strict=True))
    return [
        {"name": "audit record of a read, CPU, 64 callers", "value": read, "unit": "µs"},
        {"name": "audit record of a write, CPU, 64 callers", "value": write, "unit": "µs"},
        {"name": "durable audit records, 64 callers", "value": rate, "unit": "1/s"},
    ]


if __name__ == "__main__":
    for figure in measure():
        print(f"{figure['name']}: {figure['value']:.1f} {figure['unit']}")
