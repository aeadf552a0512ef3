"""The estate as a whole: what it says of itself, what it lacks, and that nothing outlives it, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import httpx
import pytest
import yaml

from gateway.demo.estate import Estate, EstateFailed
from gateway.demo.latency import straight

ROOT = Path(__file__).parents[3]

SCRIPT = """
import asyncio, sys
from pathlib import Path
from gateway.demo.estate import Estate

async def main():
    async with Estate(Path(sys.argv[1]), erp=sys.argv[2]) as estate:
        print("up", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""
Identity = tuple[int, str]
"""A process's id and when it started, since ids come again."""


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own with a running estate in tmp_path/estate; the parameter is the ERP's engine."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "estate"), getattr(request, "param", "sqlite")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        folders = outside(process.pid)
        yield process
        process.kill()
    # Only an estate that stops can tidy up behind itself.
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def processes() -> dict[int, tuple[int, str]]:
    """Every living process: (its parent, when it started) by its id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX":
            found[int(folder.name)] = (int(fields[1]), fields[19])
    return found


def below(ancestor: int) -> set[Identity]:
    """All that a process started, and what that started."""
    alive = processes()
    found: set[int] = set()
    while more := {pid for pid, (parent, _) in alive.items() if parent in found | {ancestor}} - found:
        found |= more
    return {(pid, alive[pid][1]) for pid in found}


def outside(ancestor: int) -> set[Path]:
    """The folders of the databases that run below `ancestor` but couldn't lie in their estate's own folder."""
    working = [os.path.realpath(f"/proc/{pid}/cwd") for pid, _ in below(ancestor)]
    return {Path(*Path(each).parts[:4]) for each in working if each.startswith("/var/tmp/figway-")}


def left_of(expected_dead: set[Identity]) -> set[Identity]:
    """Those that still live after all the time that an ending may take."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        left = expected_dead & {(pid, started) for pid, (_, started) in processes().items()}
        if not left:
            break
        time.sleep(0.05)
    return left


async def control(estate: Estate) -> dict[str, Any]:
    """What the CRM's control says."""
    async with httpx.AsyncClient() as client:
        answer: dict[str, Any] = (await client.get(estate.facts()["estate"]["crm"]["control"])).json()
        return answer


@pytest.mark.parametrize("demo", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
def test_nothing_outlives_an_estate_killed_with_sigkill(demo: subprocess.Popen[bytes]) -> None:
    started = below(demo.pid)
    names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid, _ in started]
    assert names.count("php") >= 6, names
    demo.kill()
    assert left_of(started) == set()


@pytest.mark.slow
@pytest.mark.parametrize("demo", ["mariadb"], indirect=True)
def test_nothing_outlives_an_estate_that_is_interrupted(demo: subprocess.Popen[bytes]) -> None:
    started = below(demo.pid)
    demo.send_signal(signal.SIGINT)
    demo.wait(30)
    assert left_of(started) == set()


async def test_what_a_killed_keeper_leaves_ends_with_the_next_start(
    demo: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    started = below(demo.pid)
    [keeper] = [pid for pid, (parent, _) in processes().items() if parent == demo.pid]
    os.kill(keeper, signal.SIGKILL)
    demo.kill()
    demo.wait(30)
    async with Estate(tmp_path / "estate") as again:
        assert left_of(started) == set()
        assert (await control(again))["calls"] == 0


async def test_two_estates_dont_share_a_folder(estate: Estate) -> None:
    with pytest.raises(EstateFailed, match="another demo runs in"):
        await Estate(estate.folder).start()
    assert (await control(estate))["hang"] is False


@pytest.mark.parametrize(("program", "package"), [("php", "php-cli"), ("cobc", "gnucobol3")])
async def test_a_missing_program_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, package: str
) -> None:
    for name in {"php", "cobc"} - {program}:
        fake(tmp_path / name, "mbstring SOAP pdo_sqlite dom")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EstateFailed, match=rf"^'{program}' is missing: [^;]*apt-get install {package}[^;]*$"):
        await Estate(tmp_path / "estate").start()
    assert not (tmp_path / "estate").exists()


async def test_a_missing_module_of_php_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / "php", "mbstring pdo_sqlite dom")
    fake(tmp_path / "cobc", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EstateFailed, match=r"^PHP's module 'soap' is missing: [^;]*apt-get install php-soap'$"):
        await Estate(tmp_path / "estate").start()


def fake(program: Path, says: str) -> None:
    """A program that prints words."""
    program.write_text(f"#!/bin/sh\necho {says}\n")
    program.chmod(0o755)


async def test_data_is_kept_when_asked_for(tmp_path: Path, soap: Any) -> None:
    def phone(estate: Estate, change: str) -> str | None:
        environment = estate.environment()
        client = soap.Client(environment["CRM_URL"], environment["CRM_PASSWORD"])
        return str(client.call(change).text("Customer/Phone"))

    async with Estate(tmp_path) as estate:
        assert phone(estate, soap.update_customer("C-10001", "<c:Phone>+47 7</c:Phone>")) == "+47 7"
    async with Estate(tmp_path, keep=True) as estate:
        assert phone(estate, soap.get_customer("C-10001")) == "+47 7"


async def test_a_database_outside_the_folder_goes_with_the_estate(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o700)
    async with Estate(tmp_path / "estate", erp="postgresql"):
        folders = outside(os.getpid())
        # Only a server that root starts runs as somebody else, to whom this folder is closed.
        assert len(folders) == (os.geteuid() == 0)
    assert not any(map(os.path.exists, folders))


async def test_latency_makes_the_systems_late_and_the_control_not(tmp_path: Path, soap: Any) -> None:
    async with Estate(tmp_path, latency=0.4) as estate:
        environment, facts = estate.environment(), estate.facts()
        client = soap.Client(environment["CRM_URL"], environment["CRM_PASSWORD"])
        started = time.monotonic()
        assert client.call(soap.get_customer("C-10001")).status == 200
        assert time.monotonic() - started >= 0.4
        assert (await control(estate))["latency"] == 0.4
        started = time.monotonic()
        assert facts["samples"]["invoice_number"] in await straight.invoices(facts["estate"]["files"], "C-10001")
        assert time.monotonic() - started >= 0.4
        assert closed(Path(facts["estate"]["files"]["private_key"]))
        (tmp_path / "other").write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
        with pytest.raises(asyncssh.PermissionDenied):
            await straight.tasks({**facts["estate"]["files"], "private_key": str(tmp_path / "other")}, "C-10001")
        # The workspace is the demo's, but that the files are there.
        near, far = (yaml.safe_load((each / "gateway.yaml").read_text()) for each in (ROOT, estate.workspace()))
        assert far["upstreams"]["work"].pop("place")["sftp"]["host_key"] == facts["estate"]["files"]["host_key"]
        assert near["upstreams"]["work"].pop("root") == "env:DROP_DIR"
        assert far["upstreams"]["work"] == {**near["upstreams"]["work"], "deadline": "30s"}
        assert {**far["upstreams"]["crm"], "deadline": "8s"} == near["upstreams"]["crm"]


def closed(key: Path) -> bool:
    """Whether nobody else can read a key."""
    return not (key.stat().st_mode | key.parent.stat().st_mode) & 0o077


async def test_a_task_that_is_dropped_is_in_the_master_after_a_run_on_demand(estate: Estate) -> None:
    drop = Path(estate.environment()["DROP_DIR"])
    fields = (("T" * 26, 26), ("C-10001", 10), ("Ring", 80), ("20261201", 8), ("low", 6), ("Q", 1), ("", 125))
    (drop / "in" / "TASK-T.DAT").write_bytes(b"".join(text.encode().ljust(width) for text, width in fields))
    await estate.run_batch()
    assert b"T" * 26 in (drop / "TASKMAST.DAT").read_bytes()
    assert list((drop / "in").iterdir()) == []
