"""The order of system calls: an intent is on the disk before its caller goes on. SIGKILL can't show that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_WRITE = """
import asyncio, os
from pathlib import Path
from gateway.operations.file import OperationFile
from gateway.operations.ledger import Ledger
from gateway.operations.record import Intent, OperationState

async def main():
    ledger = Ledger(OperationFile(Path("operations.db")))
    for number in range(20):
        await ledger.begin(Intent(f"mark-{number}", "r", "ann", None, None, b"ann", bytes([number]), b"f"))
        os.write(1, f"told {number}\\n".encode())
        await ledger.end(f"mark-{number}", OperationState.SUCCEEDED, b"{}")
    ledger.close()

asyncio.run(main())
"""


def test_an_intent_is_on_the_disk_before_its_caller_goes_on(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-y", "-s", "4096", "-o", str(trace), "-e", "trace=pwrite64,write,fsync,fdatasync"]
    subprocess.run([*strace, sys.executable, "-c", _WRITE], cwd=tmp_path, check=True, timeout=60, capture_output=True)
    lines = trace.read_text(errors="replace").splitlines()
    for number in range(20):
        told = next(at for at, line in enumerate(lines) if f'"told {number}\\n"' in line)
        marks = (at for at, line in enumerate(lines) if f"mark-{number}" in line and "operations.db-wal" in line)
        written = next(marks)
        assert written < told
        assert any("sync(" in line and "operations.db-wal" in line for line in lines[written:told])
