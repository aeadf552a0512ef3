"""Processes, as programs that are started: draining before stopping, workers that die, nothing left running."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from gateway.audit.verify import records
from gateway.process import OneLine


@pytest.fixture
def workspace(running: ModuleType, tmp_path: Path) -> Path:
    contract = (Path(__file__).parent / "ingress" / "lab.yaml").read_text()
    journal = tmp_path / "journal.txt"
    upstreams = f"upstreams:\n  lab: {{kind: lab, deadline: 8s, journal: '{journal}'}}\n  faulty: {{kind: lab}}\n"
    files = {"gateway.yaml": upstreams + "  closed: {kind: lab, down: true}\n", "openapi/lab.yaml": contract}
    return running.write_workspace(tmp_path, files)  # type: ignore[no-any-return]


def in_background(call: Any) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    return thread, answers


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_stopping_turns_unready_first_then_drains(running: ModuleType, workspace: Path, workers: str) -> None:
    drain = {"FIGWAY_DRAIN": "3"}
    with (
        running.serving(workspace, "--workers", workers, extra=drain, forked=False) as gateway,
        gateway.client() as client,
    ):
        read, answers = in_background(lambda: client.get("/wait/5"))
        time.sleep(0.5)
        gateway.process.send_signal(signal.SIGTERM)
        time.sleep(0.7)
        assert httpx.get(f"{gateway.url}/-/ready").status_code == 503
        assert httpx.get(f"{gateway.url}/-/live").status_code == 200
        assert client.get("/items/A").status_code == 200, "unready still serves"
        assert gateway.process.wait(20) == 0
        read.join()
        assert answers[0].status_code == 200, "what was in flight is answered"
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{gateway.url}/-/live")


def test_a_write_in_flight_when_the_gateway_stops_is_finished(running: ModuleType, workspace: Path) -> None:
    with running.serving(workspace) as gateway, gateway.client() as client:
        write, answers = in_background(lambda: client.post("/items", json={"sku": "kept", "seconds": 2}))
        time.sleep(0.5)
        assert gateway.stop() == 0
        write.join()
        assert answers[0].status_code == 202
    assert '"kept"' in (workspace / "journal.txt").read_text()


def test_a_worker_that_dies_is_started_again(running: ModuleType, workspace: Path) -> None:
    with running.serving(workspace, "--workers", "2", forked=False) as gateway, gateway.client() as client:
        first = gateway.workers()
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        until = time.monotonic() + 20
        while len(set(gateway.workers()) - {first[0]}) < 2:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert client.get("/items/A").status_code == 200


def test_a_worker_that_can_not_start_does_not_end_those_that_serve(running: ModuleType, workspace: Path) -> None:
    with running.serving(workspace, "--workers", "2", forked=False) as gateway, gateway.client() as client:
        pids = gateway.workers()
        assert len(pids) == 2
        keys = sorted(path for path in (workspace / ".figway" / "keys").rglob("*") if path.is_file())[0]
        content = keys.read_bytes()
        keys.write_bytes(b"no key")
        os.kill(pids[0], signal.SIGKILL)
        gateway.wait_logged("ended with 3; another starts", 40)
        assert client.get("/items/A").status_code == 200
        keys.write_bytes(content)
        until = time.monotonic() + 40
        while client.get("/items/A").status_code != 200 or len(gateway.workers()) < 2:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert gateway.process.poll() is None


def test_workers_end_with_a_supervisor_that_is_killed(running: ModuleType, workspace: Path) -> None:
    with running.serving(workspace, "--workers", "2", forked=False) as gateway:
        workers = gateway.workers()
        gateway.process.kill()
        gateway.process.wait()
        until = time.monotonic() + 15
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < until, "a worker outlived its supervisor"
            time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_start_that_hangs_is_ended(running: ModuleType, workspace: Path, number: int) -> None:
    running.create_key(workspace, "reader")
    command = ["serve", "--workspace", str(workspace), "--port", str(running.free_port()), "--workers", "2"]
    with (workspace / ".figway" / "shared").open() as lock, (workspace / "log.txt").open("ab") as sink:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = running.start(*command, output=sink)
        workers = running.Running(workspace, 0, process, "", "", workspace / "log.txt").workers
        try:
            until = time.monotonic() + 30
            while len(pids := workers()) < 2 or not {str(pid) for pid in pids} <= waiting_for_locks():
                assert time.monotonic() < until, sink.name
                time.sleep(0.05)
            process.send_signal(number)
            until = time.monotonic() + 15
            while any(Path(f"/proc/{pid}").exists() for pid in pids):
                assert time.monotonic() < until, "a worker goes on starting"
                time.sleep(0.05)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
            process.kill()
            process.wait()


def waiting_for_locks() -> set[str]:
    """The ids of processes that wait for a lock on a file (proc_locks(5))."""
    lines = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return {fields[5] for fields in lines if fields[1] == "->"}


def test_a_port_that_is_taken_is_told_in_a_sentence(running: ModuleType, workspace: Path) -> None:
    with running.serving(workspace) as gateway:
        ended = running.figway("serve", "--workspace", str(workspace), "--port", str(gateway.port), timeout=30)
    assert ended.returncode == 1
    assert "can't listen on 127.0.0.1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_signal_cuts_calls_off_and_their_records_are_kept(running: ModuleType, workspace: Path) -> None:
    with running.serving(workspace) as gateway, gateway.client() as client:
        calls = [in_background(lambda: client.get("/wait/6"))]
        calls += [in_background(lambda: client.post("/items", json={"sku": "cut", "seconds": 6}))]
        time.sleep(1)
        gateway.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        gateway.stop()
        for thread, _ in calls:
            thread.join()
    kept = {record["operation"]: record for record in records(workspace / ".figway" / "audit")}
    assert (kept["wait"]["status"], kept["wait"]["problem"]) == (500, "internal-error")
    assert (kept["put_item"]["status"], kept["put_item"]["problem"]) == (504, "unknown-outcome")
    assert [answers[0].status_code for _, answers in calls] == [500, 504], "callers are told what is recorded"


def test_an_upstream_that_fails_to_close_costs_no_audit_record(running: ModuleType, workspace: Path) -> None:
    configuration = workspace / "gateway.yaml"
    configuration.write_text(configuration.read_text().replace("journal.txt", "missing/journal.txt"))
    with running.serving(workspace) as gateway, gateway.client() as client:
        ids = {client.get("/items/A").headers["figway-lineage"] for _ in range(20)}
        assert gateway.stop() == 0
        assert "upstream lab couldn't be closed" in gateway.logged()
    assert ids <= {record["id"] for record in records(workspace / ".figway" / "audit")}


def test_a_log_message_stays_one_line() -> None:
    message = "sent 'a\nERROR forged\x1b[0m'"
    record = logging.LogRecord("figway", logging.ERROR, "file", 1, message, (), None)
    assert OneLine("%(message)s").format(record) == "sent 'a\\nERROR forged\\x1b[0m'"
