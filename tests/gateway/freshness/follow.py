"""A process that follows one capture until it is killed: `follow.py DSN TABLES METHOD LOG CACHE UNTIL PEAK [DIGEST]`.

It ends once everything is stored that was committed when the file UNTIL appeared; into the file PEAK it writes how many
KiB of memory it took at most.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from adapters import registry
from adapters.changes import Asked, Capture
from adapters.contract import Workspace
from adapters.errors import Retry, Unavailable, UnknownOutcome
from adapters.secret import Reference
from gateway.events.log import EventLog
from gateway.freshness.capturing import Capturing


def captured(dsn: str, tables: bytes, method: str, cache: Path) -> tuple[Any, Capture]:
    """The adapter, and what captures."""
    if method == "diff":
        kind = registry.kind("files")
        columns = {"id": "integer", "n": "integer", "note": "text"}
        hist = {"match": "hist.csv", "format": "csv", "key": "id", "options": {"columns": columns}}
        adapter: Any = kind.build("erp", kind.config(root=dsn, datasets={"hist": hist}), Workspace({}, cache))
    else:
        kind = registry.kind("odbc")
        files = {"openapi/sources/erp/tables.yaml": tables}
        adapter = kind.build(
            "erp", kind.config(dsn=Reference(dsn, "env:DSN"), read_only=False), Workspace(files, cache)
        )
    return adapter, adapter.capture(Asked("hist", "hist", method, "test_kill", "0a1b2c3d"))


async def main(dsn: str, tables: bytes, method: str, log_path: str, cache: str, until: str, digest: str = "d") -> None:
    adapter, capture = captured(dsn, tables, method, Path(cache))
    log = EventLog(Path(log_path))
    capturing = Capturing("erp.hist", capture, log, digest, most_deletes=1.0)
    over = 0.0
    while True:
        over = over or (time.monotonic() if os.path.exists(until) else 0.0)  # noqa: ASYNC240 - nothing else runs here
        looked = time.monotonic() - over > (1.1 if method == "diff" else 0.0)  # a folder isn't looked at every time
        try:
            more = await capturing.step()
        except (Retry, Unavailable, UnknownOutcome):  # as the gateway's worker does
            await asyncio.sleep(0.05)
            continue
        if over and looked and not more and not capturing.loading:
            break
        await asyncio.sleep(0 if more else 0.01)
    await capture.close()
    await adapter.close()
    log.close()


asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes(), *sys.argv[3:7], *sys.argv[8:]))
Path(sys.argv[7]).write_text(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
