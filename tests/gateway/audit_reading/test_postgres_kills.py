"""Whatever is killed under load, nothing that was acknowledged is missing from PostgreSQL, and the chain holds."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from gateway.audit.log import AuditLog
from gateway.audit.record import Record
from gateway.audit.sink import AuditError
from gateway.store.place import StateFolder

Done = Callable[[str], Record]
Acknowledged = Callable[[int], Any]


@asynccontextmanager
async def load(log: AuditLog, done: Done, acknowledged: list[str]) -> AsyncIterator[Acknowledged]:
    """Sixteen callers that wait for each record; gives what waits until so many more are acknowledged."""
    stop = asyncio.Event()

    async def caller(name: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                await log.append_durable(done(f"{name}-{number}"))
                acknowledged.append(f"{name}-{number}")
            except AuditError:
                await asyncio.sleep(0.01)

    async def more(count: int) -> None:
        wanted = len(acknowledged) + count
        async with asyncio.timeout(60):
            while len(acknowledged) < wanted:  # noqa: ASYNC110 - the callers write meanwhile
                await asyncio.sleep(0.005)

    callers = [asyncio.create_task(caller(name)) for name in range(16)]
    try:
        yield more
        # The last failure is over, too, before it is closed.
        await more(50)
    finally:
        stop.set()
        await asyncio.gather(*callers)


def check(fleet: Any, acknowledged: list[str]) -> None:
    kept = fleet.ids()
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept)), "and nothing is there twice"
    verdict = fleet.verdict()
    assert verdict.holds, verdict


@pytest.mark.parametrize("cuts", [6, pytest.param(100, marks=pytest.mark.slow)])
async def test_connections_that_are_cut(fleet: Any, done: Done, cuts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.audit.log._RETRY_SECONDS", 0.02)
    log, acknowledged = fleet.open_log(), list[str]()
    async with load(log, done, acknowledged) as more:
        for _ in range(cuts):
            await more(50)
            await asyncio.to_thread(fleet.cut)
    await asyncio.to_thread(log.close)
    check(fleet, acknowledged)


async def test_a_server_that_hangs(fleet: Any, done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes are refused while it doesn't answer, and go on when it does."""
    monkeypatch.setattr("gateway.audit.log._RETRY_SECONDS", 0.02)
    monkeypatch.setattr("gateway.audit.log._PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr("gateway.audit.log._STALL_SECONDS", 0.2)
    log = fleet.open_log()
    await log.append_durable(done("before"))
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'figway audit'"
    (backend,) = map(int, fleet.server.sql(query).split())
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(AuditError, match="doesn't answer"):
            await log.append_durable(done("during"))
        assert not log.healthy
    finally:
        os.kill(backend, signal.SIGCONT)
    async with asyncio.timeout(30):
        while not log.healthy:  # noqa: ASYNC110 - the log's own thread goes on
            await asyncio.sleep(0.02)
    await log.append_durable(done("after"))
    await asyncio.to_thread(log.close)
    assert fleet.ids() == ["before", "during", "after"]
    check(fleet, ["before", "after"])


@contextmanager
def mortal(servers: ModuleType) -> Iterator[tuple[Any, Callable[[], None]]]:
    """A PostgreSQL server, and what kills it (SIGKILL) and starts it again on the same data."""
    with servers.postgres_server() as server:
        user = None if os.geteuid() else "postgres"
        folder, binary = server.folder, Path(server.client[0]).with_name("postgres")
        place = ["-D", f"{folder}/data", "-p", str(server.port), "-h", "127.0.0.1", "-k", str(folder)]
        started: list[subprocess.Popen[bytes]] = []

        def start() -> None:
            with (folder / "log-again").open("ab") as sink:
                started.append(
                    subprocess.Popen([binary, *place], user=user, group=user, cwd="/", stdout=sink, stderr=sink)
                )

        def kill_and_start() -> None:
            pid = started[-1].pid if started else server.pid
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            until = time.monotonic() + 60
            start()
            while subprocess.run(server.client, input="select 1", text=True, capture_output=True).returncode:
                assert time.monotonic() < until, (folder / "log-again").read_text()[-2000:]
                # What it left behind (its children, its memory) may still be there: then the new one ends at once.
                if started[-1].poll() is not None:
                    start()
                time.sleep(0.1)

        try:
            yield server, kill_and_start
        finally:
            for process in started:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
                process.wait(20)


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
async def test_a_server_that_is_killed(
    servers: ModuleType, fleet_of: Any, done: Done, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.audit.log._RETRY_SECONDS", 0.05)
    with mortal(servers) as (server, kill_and_start):
        fleet = fleet_of(server)
        log, acknowledged = fleet.open_log(), list[str]()
        async with load(log, done, acknowledged) as more:
            for _ in range(kills):
                await more(200)
                await asyncio.to_thread(kill_and_start)
        await asyncio.to_thread(log.close)
        check(fleet, acknowledged)


@pytest.fixture
def workspace(fleet: Any, running: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose audit is in the database."""
    monkeypatch.setenv("AUDIT_URL", fleet.url)
    contract = Path(__file__).parents[1] / "ingress" / "lab.yaml"
    upstreams = "lab: {kind: lab, concurrency: 64}, faulty: {kind: lab}, closed: {kind: lab, down: true}"
    gateway = f'upstreams: {{{upstreams}}}\nstores: {{audit: "env:AUDIT_URL"}}\n'
    files = {"gateway.yaml": gateway, "openapi/lab.yaml": contract.read_text()}
    folder: Path = running.write_workspace(tmp_path / "lab", files)
    return folder


class Writers:
    """Sixteen clients of a gateway; `acknowledged` are the ids of the writes that were answered."""

    def __init__(self, gateway: Any, acknowledged: set[str]) -> None:
        self._gateway, self._acknowledged = gateway, acknowledged
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(each,)) for each in range(16)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        wanted, until = len(self._acknowledged) + count, time.monotonic() + 60
        while len(self._acknowledged) < wanted:
            assert time.monotonic() < until, self._gateway.logged()[-2000:]
            time.sleep(0.005)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, name: int) -> None:
        with self._gateway.client() as client, suppress(httpx.TransportError):
            for number in range(1_000_000):
                if self._stop.is_set():
                    return
                key = {"idempotency-key": f"{self._gateway.port}-{name}-{number}"}
                response = client.post("/items", json={"sku": "S"}, headers=key)
                if response.status_code < 400:
                    self._acknowledged.add(response.headers["figway-lineage"])


@pytest.mark.parametrize("kills", [1, pytest.param(100, marks=pytest.mark.slow)])
def test_a_gateway_that_is_killed(fleet: Any, workspace: Path, running: ModuleType, kills: int) -> None:
    acknowledged: set[str] = set()
    for _ in range(kills):
        with running.serving(workspace) as gateway:
            writers = Writers(gateway, acknowledged)
            writers.wait_for(150)
            gateway.stop(signal.SIGKILL)
            writers.stop()
    assert acknowledged <= set(fleet.ids("call"))
    assert acknowledged <= set(fleet.ids("intent")), "announced before it was made"
    assert fleet.verdict(StateFolder(workspace / ".figway")).holds
    verb = running.figway("audit", "verify", "--workspace", str(workspace))
    assert verb.returncode == 0, verb.stdout + verb.stderr
