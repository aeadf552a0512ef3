"""A process that follows one capture until it is killed: `follow.py DSN TABLES METHOD LOG CACHE UNTIL PEAK [DIGEST]`.

It ends once everything is stored that was committed when the file UNTIL appeared; into the file PEAK it writes how many
KiB of memory it took at most.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from adapters import registry
from adapters.changes import Asked
from adapters.contract import Workspace
from adapters.errors import Retry
from adapters.secret import Reference
from gateway.events.log import EventLog
from gateway.freshness.capturing import Capturing


async def main(dsn: str, tables: bytes, method: str, log_path: str, cache: str, until: str, digest: str = "d") -> None:
    kind = registry.kind("odbc")
    files = {"openapi/sources/erp/tables.yaml": tables}
    config = kind.config(dsn=Reference(dsn, "env:DSN"), read_only=False)
    adapter = kind.build("erp", config, Workspace(files, Path(cache)))
    capture = adapter.capture(Asked("hist", "hist", method, "test_kill"))
    log = EventLog(Path(log_path))
    capturing = Capturing("erp.hist", capture, log, digest, most_deletes=1.0)
    while True:
        over = os.path.exists(until)  # noqa: ASYNC240 - nothing else runs here
        try:
            more = await capturing.step()
        except Retry:  # the database is busy: as the gateway's worker does
            await asyncio.sleep(0.05)
            continue
        if over and not more and not capturing.loading:
            break
        await asyncio.sleep(0 if more else 0.01)
    await capture.close()
    await adapter.close()
    log.close()


asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes(), *sys.argv[3:7], *sys.argv[8:]))
Path(sys.argv[7]).write_text(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
