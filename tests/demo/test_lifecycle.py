"""Starting and ending: what is missing is said in a sentence, and however the demo ends, it leaves nothing running."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest


def sentence(demo: Any) -> str:
    """What a demo that couldn't start said: one line, after which it ended with 1."""
    assert demo.process.wait(30) == 1
    (line,) = demo.said().strip().splitlines()
    return str(line)


def gone(demos: ModuleType, family: Sequence[Any], seconds: float = 5.0) -> list[str]:
    """What of a family still runs after so many seconds at most."""
    until = time.monotonic() + seconds
    while (left := demos.alive(family)) and time.monotonic() < until:
        time.sleep(0.05)
    return list(left)


def test_a_killed_demo_leaves_nothing_and_starts_again(demos: ModuleType, tmp_path: Path) -> None:
    with demos.started(tmp_path) as demo:
        assert len(demo.family) > 6
        credential = demo.facts["credentials"]["agent"]
        demo.stop(signal.SIGKILL)
        assert gone(demos, demo.family) == []
    with demos.started(tmp_path) as again:
        assert again.get("/customers/C-10001")["id"] == "C-10001"
        # Its keys are new; the last run's, which may be known to who knows whom, are revoked.
        old = httpx.get(f"{again.facts['base_url']}/customers/C-10001", headers={"authorization": credential})
        assert old.status_code == 401
        assert again.stop(signal.SIGTERM) == 0
        assert gone(demos, again.family, 0) == []


def test_a_demo_interrupted_while_it_starts_leaves_nothing(demos: ModuleType, tmp_path: Path) -> None:
    with demos.launched(tmp_path) as demo:
        until = time.monotonic() + 30
        while len(family := demos.family(demo.process.pid)) < 4:
            assert time.monotonic() < until, demo.said()
            time.sleep(0.02)
        assert demo.stop() != 0
        assert gone(demos, family) == []
        assert "Traceback" not in demo.said()


@pytest.mark.parametrize(("missing", "there", "package"), [("php", "cobc", "php-cli"), ("cobc", "php", "gnucobol3")])
def test_a_missing_program_is_named_with_its_package(
    demos: ModuleType, tmp_path: Path, missing: str, there: str, package: str
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    found = shutil.which(there)
    assert found is not None, f"{there} is missing: apt-get install php-cli gnucobol3"
    (programs / there).symlink_to(found)
    with demos.launched(tmp_path, path=str(programs)) as demo:
        family = demos.family(demo.process.pid)
        said = sentence(demo)
    assert f"'{missing}' is missing: install it with 'apt-get install {package}" in said
    assert f"'{there}'" not in said
    assert gone(demos, family) == []


def test_a_port_that_is_taken_is_named(demos: ModuleType, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with demos.launched(tmp_path, port=port) as demo:
            said = sentence(demo)
    assert f"127.0.0.1:{port}" in said
    assert "--port" in said


@pytest.mark.parametrize("beside", ["--tour", "--latency"])
def test_a_demo_that_does_not_start_takes_no_state_away(demos: ModuleType, tmp_path: Path, beside: str) -> None:
    # Another one may run in this folder.
    kept = tmp_path / ".figway" / beside.strip("-") / "state.db"
    kept.parent.mkdir(parents=True)
    kept.write_text("in use")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with demos.launched(tmp_path, beside, port=taken.getsockname()[1]) as demo:
            sentence(demo)
    assert kept.read_text() == "in use"


def test_a_second_demo_in_the_same_folder_is_refused(demos: ModuleType, demo: Any) -> None:
    before = demo.facts
    second = demo.folder / "demo.log"
    kept = second.read_text()
    with demos.launched(demo.folder) as other:
        assert other.process.wait(30) == 1
    said = second.read_text().removeprefix(kept)
    assert "another demo runs" in said
    assert "Traceback" not in said
    assert demo.get("/customers/C-10001")["id"] == "C-10001"
    assert demo.facts == before


def test_it_writes_nothing_outside_its_folder(demo: Any) -> None:
    assert sorted(os.listdir(demo.folder)) == [".figway", "demo.log"]


def test_it_says_what_to_try(demo: Any) -> None:
    said = demo.said()
    for name in ("customer_id", "sku", "invoice_number"):
        assert f"/{demo.sample[name]}" in said
    assert f"export AUTH='Authorization: {demo.facts['credentials']['agent']}'" in said
    assert f"{demo.facts['base_url']}/docs" in said
