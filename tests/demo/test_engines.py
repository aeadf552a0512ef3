"""The same short story with a database server behind the ERP, alive and dead."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SERVERS = {"postgresql": "postgres", "mariadb": "mariadbd"}
# The system itself, however much is kept beside it.
NOW = {"cache-control": "no-cache"}


@pytest.fixture(params=SERVERS)
def engine(demos: ModuleType, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Any, str]]:
    """A demo on a database server: (demo, the server's program)."""
    with demos.started(tmp_path, "--erp", request.param) as demo:
        folders = {Path(f"/proc/{pid}/cwd").resolve() for pid, _ in demo.family}
        try:
            yield demo, SERVERS[request.param]
        finally:
            # Where the server's own user can't reach this folder, its files are elsewhere.
            for folder in folders:
                if folder.name.startswith("figway-"):
                    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_the_story_and_the_end_of_a_database_server(demos: ModuleType, contract: Any, engine: tuple[Any, str]) -> None:
    demo, program = engine
    with demo.client(event_hooks={"response": [contract.check]}) as agent:
        article = agent.get("/inventory/BRG-6204-ZZ", headers=NOW).json()
        assert (article["on_hand"], article["unit_price"]) == (42, "6.80")
        assert article["updated_at"] == "2026-10-03T09:22:00Z"
        check_list(agent)
        overview = agent.get("/customers/C-10001/overview", headers=NOW)
        assert (overview.json()["favourite"], "figway-warning" in overview.headers) == (article, False)
        end_server(demo, program)
        left = agent.get("/customers/C-10001/overview", headers=NOW)
        assert (left.status_code, "favourite" in left.json()) == (200, False)
        assert "'stock' is missing" in left.headers["figway-warning"]
        assert agent.get("/inventory/BRG-6204-ZZ", headers=NOW).status_code == 503
    demo.stop(signal.SIGKILL)
    until = time.monotonic() + 5
    while (running := demos.alive(demo.family)) and time.monotonic() < until:
        time.sleep(0.05)
    assert running == []


def check_list(agent: Any) -> None:
    """A filtered, sorted list whose pages follow each other, whatever the database's collation."""
    found, following = [], "/inventory?name.like=%25bearing%25&warehouse=HALDEN&sort=-on_hand&limit=40"
    while following:
        page = agent.get(following).json()
        found += page["items"]
        following = page["next"]
    assert [each["on_hand"] for each in found] == sorted((each["on_hand"] for each in found), reverse=True)
    assert 40 < len({each["sku"] for each in found}) == len(found)
    assert all("bearing" in each["name"].lower() and each["warehouse"] == "HALDEN" for each in found)


def end_server(demo: Any, program: str) -> None:
    """Kills the database server that this demo started."""
    names = {pid: Path(f"/proc/{pid}/exe").resolve().name for pid, _ in demo.family if Path(f"/proc/{pid}").exists()}
    server = min(pid for pid, name in names.items() if name == program)
    os.kill(server, signal.SIGKILL)
