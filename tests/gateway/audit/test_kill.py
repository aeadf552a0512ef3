"""A killed process takes nothing with it that it had acknowledged."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.audit.verify import records, verify

_WRITE = """
import asyncio, os, sys
from pathlib import Path
from gateway.audit.log import AuditLog
from gateway.audit.record import Record

async def client(log, name):
    for number in range(1_000_000):
        id = f"{name}-{number}"
        await log.append_durable(Record(id, 1.7e9, "POST", "/tasks", 202, 0.01))
        os.write(1, (id + "\\n").encode())
        log.append(Record("read", 1.7e9, "GET", "/tasks", 200, 0.01))

async def main():
    log = AuditLog.open(Path("audit"))
    await asyncio.gather(*(client(log, f"{sys.argv[1]}.{each}") for each in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("rounds", [5])
def test_no_acknowledged_record_is_missing_after_kills(tmp_path: Path, rounds: int) -> None:
    acknowledged: list[str] = []
    for number in range(rounds):
        command = [sys.executable, "-c", _WRITE, str(number)]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            acknowledged += [process.stdout.readline().strip() for _ in range(50 + 137 * number)]
        finally:
            process.send_signal(signal.SIGKILL)
            rest = process.communicate()[0]
        acknowledged += rest.split("\n")[:-1]
    kept = [record["id"] for record in records(tmp_path / "audit")]
    assert set(acknowledged) <= set(kept)
    assert len(set(acknowledged)) > rounds * 50
    assert verify(tmp_path / "audit" / "writer-0.db").broken is None
    # Each process carried on the chain of the one that was killed.
    assert [path.name for path in (tmp_path / "audit").glob("*.db")] == ["writer-0.db"]


_ONE = """
import asyncio, os
from pathlib import Path
from gateway.audit.log import AuditLog
from gateway.audit.record import Record

async def main():
    log = AuditLog.open(Path("audit"))
    for number in range(20):
        await log.append_durable(Record(f"mark-{number}", 1.7e9, "POST", "/tasks", 202, 0.01))
        os.write(1, f"told-{number}\\n".encode())

asyncio.run(main())
"""


def test_the_disk_is_synced_between_writing_and_telling(tmp_path: Path) -> None:
    """A kill can't prove it, since the system's cache outlives the process: the order of system calls can."""
    strace = shutil.which("strace")
    assert strace, "strace is missing: install it with 'apt-get install strace'"
    calls = "trace=pwrite64,write,fsync,fdatasync"
    command = [strace, "-f", "-y", "-s", "4096", "-e", calls, "-o", "trace", sys.executable, "-c", _ONE]
    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL, timeout=60)
    lines = (tmp_path / "trace").read_text(errors="replace").splitlines()
    for number in range(20):
        told = next(at for at, line in enumerate(lines) if f"told-{number}\\n" in line)
        written = max(at for at, line in enumerate(lines[:told]) if f"mark-{number}" in line and "writer-0.db" in line)
        assert any("sync(" in line and "writer-0.db-wal" in line for line in lines[written:told])
