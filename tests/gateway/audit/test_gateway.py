"""A gateway that serves writes while it is killed, and while its disk is full: nothing that was done is unaudited."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from beside import beside

from gateway.audit.note import public_keys
from gateway.audit.verify import records, verify_folder

ROUNDS = 100 if os.environ.get("FIGWAY_SLOW") else 3
CALLERS = 64
GATEWAY = """
upstreams:
  lab: {{kind: lab, journal: "{journal}", deadline: 8s, concurrency: 64}}
"""
CONTRACT = """
openapi: 3.1.0
info: {title: Lab, version: "1"}
paths:
  /items:
    post:
      operationId: put_item
      tags: [items]
      summary: Puts an item
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [sku], properties: {sku: {type: string}}}
      responses:
        "202": {description: Put., content: {application/json: {schema: {type: object}}}}
      x-gateway: {effect: write, legacy: {upstream: lab, operation: item.put, input: {sku: body.sku, id: call.id}}}
  /items/{sku}:
    get:
      operationId: get_item
      tags: [items]
      summary: Gets an item
      parameters: [{name: sku, in: path, required: true, schema: {type: string}}]
      responses:
        "200": {description: It., content: {application/json: {schema: {type: object}}}}
      x-gateway: {effect: read, legacy: {upstream: lab, operation: item.get, input: {sku: path.sku}}}
"""
AUDIT = "arguments: [{match: {route: put_item}, keep: [body.sku]}]\n"


writers = beside(__file__, "writers")


@pytest.fixture
def workspace(tmp_path: Path, running: ModuleType) -> Path:
    files = {
        "gateway.yaml": GATEWAY.format(journal=tmp_path / "journal.txt"),
        "openapi/lab.yaml": CONTRACT,
        "policies/audit.yaml": AUDIT,
    }
    return running.write_workspace(tmp_path, files)  # type: ignore[no-any-return]


class Kept:
    """What the audit of a workspace holds, and what was done behind it."""

    def __init__(self, workspace: Path) -> None:
        folder = workspace / ".figway" / "audit"
        found = list(records(folder))
        self.calls = {record["id"]: record for record in found if record["kind"] == "call"}
        self.announced = {r["arguments"]["kept"]["body.sku"] for r in found if r["kind"] == "intent"}
        lines = (workspace / "journal.txt").read_text().splitlines()
        self.done = {json.loads(line)["sku"] for line in lines if line.startswith("{")}
        self.verdict = verify_folder(folder, public_keys((folder / "public-keys").read_text()))


@contextmanager
def again(running: ModuleType, gateway: Any) -> Iterator[Any]:
    """The gateway once more, at the same port, ready."""
    command = ["serve", "--workspace", str(gateway.folder), "--port", str(gateway.port)]
    with gateway.log.open("ab") as sink:
        process = running.start(*command, output=sink)
    gateway.process = process
    try:
        running._until_ready(gateway)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.mark.parametrize("rounds", [ROUNDS])
def test_no_acknowledged_write_is_missing_after_kills(running: ModuleType, workspace: Path, rounds: int) -> None:
    told = writers.Told()
    seconds = 0.0

    async def killed(process: Any, number: int) -> None:
        nonlocal seconds
        writing = writers.write(gateway.port, gateway.writer, told, callers=CALLERS, prefix=f"r{number}", until=stop)
        started, task = time.monotonic(), asyncio.create_task(writing)
        await asyncio.sleep(0.1 + number % 7 * 0.1)
        process.kill()
        seconds += time.monotonic() - started
        await task

    with running.serving(workspace) as gateway:
        gateway.stop()
        for number in range(rounds):
            stop = asyncio.Event()
            with again(running, gateway) as process:
                asyncio.run(killed(process, number))
        with again(running, gateway):
            pass
    kept = Kept(workspace)
    assert set(told.counts) == {202}
    assert told.ids <= set(kept.calls), f"{len(told.ids - set(kept.calls))} acknowledged calls aren't in the audit"
    assert kept.done <= kept.announced, f"{len(kept.done - kept.announced)} effects weren't announced"
    assert kept.announced <= told.asked
    assert kept.verdict.holds, kept.verdict
    print(f"\n{rounds} kills: {len(told.ids)} writes acknowledged, {len(told.ids) / seconds:.0f} a second")


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of 64 MB at `folder`; False: none can be mounted here."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder: Path, process: Any, mounted: bool) -> None:
    if not mounted:
        size = max(path.stat().st_size for path in folder.glob("log-*.db*"))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        return
    with (folder / "filler").open("wb", buffering=0) as filler:
        for size in (65_536, 512):
            with suppress(OSError):
                while True:
                    filler.write(b"x" * size)


def _empty(folder: Path, process: Any) -> None:
    (folder / "filler").unlink(missing_ok=True)
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)


def test_a_full_disk_leaves_no_unaudited_write(running: ModuleType, workspace: Path) -> None:
    folder, told = workspace / ".figway" / "audit", writers.Told()

    async def through() -> None:
        stop = asyncio.Event()
        writing = writers.write(gateway.port, gateway.writer, told, callers=16, prefix="w", until=stop)
        task = asyncio.create_task(writing)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(_fill, folder, gateway.process, mounted)
        await _until(lambda: told.counts[503] > 50)
        async with httpx.AsyncClient(base_url=gateway.url, headers={"authorization": gateway.reader}) as client:
            assert (await client.get("/items/A")).status_code == 200
            assert (await client.get("/-/ready")).status_code == 503
        before = told.counts[202]
        await asyncio.to_thread(_empty, folder, gateway.process)
        await _until(lambda: told.counts[202] > before + 50)
        stop.set()
        await task

    with small_disk(folder) as mounted:
        with running.serving(workspace) as gateway:
            asyncio.run(through())
            assert gateway.stop() == 0
        kept = Kept(workspace)
    assert set(told.counts) <= {202, 503, 504}
    # What happened has its intent; what was answered has its record, the refusals, too, as there was room in memory.
    assert kept.done <= kept.announced
    assert told.ids <= set(kept.calls)
    assert all(kept.calls[id]["problem"] == "audit-unavailable" for id in told.by_status[503])
    assert kept.verdict.holds, kept.verdict


async def _until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - it comes true in another process
            await asyncio.sleep(0.02)


def test_the_disk_is_synced_between_the_record_and_the_reply(running: ModuleType, workspace: Path) -> None:
    """A kill can't prove it, since the system's cache outlives the process: the order of system calls can."""
    strace = shutil.which("strace")
    assert strace, "strace is missing: install it with 'apt-get install strace'"
    trace = workspace / "trace"
    with running.serving(workspace) as gateway:
        calls = "trace=pwrite64,write,writev,sendto,sendmsg,fdatasync,fsync"
        command = [strace, "-f", "-y", "-s", "65536", "-e", calls, "-o", str(trace), "-p", str(gateway.process.pid)]
        tracing = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert tracing.stderr is not None
        assert b"attached" in tracing.stderr.readline()
        with gateway.client() as client:
            answers = [client.post("/items", json={"sku": f"S-{number}"}) for number in range(10)]
        tracing.send_signal(signal.SIGINT)
        tracing.communicate()
    lines = trace.read_text(errors="replace").splitlines()
    for number, answer in enumerate(answers):
        assert answer.status_code == 202
        id = answer.headers["figway-lineage"]
        told = _line(lines, 0, rf"(sendto|write|writev|sendmsg)\(.*socket:.*HTTP/1.1 202.*{id}")
        done = _line(lines, 0, rf'write\(.*journal\.txt.*S-{number}\\"')
        for kind, happened in (("intent", done), ("call", told)):
            written = _line(lines, 0, rf'pwrite64\(.*log-0\.db-wal.*\\"kind\\":\\"{kind}\\",\\"id\\":\\"{id}')
            synced = _line(lines, written, r"(fdatasync|fsync)\(.*log-0\.db-wal")
            assert written < synced < happened, f"{kind} of write {number}"


def _line(lines: list[str], behind: int, pattern: str) -> int:
    found = next((at for at in range(behind, len(lines)) if re.search(pattern, lines[at])), None)
    assert found is not None, f"no system call is like {pattern}"
    return found
