"""Gateways that are killed while composites make parts, and undo them: all is undone, or told for what it is."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import httpx
import pytest

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
KILLS = 30 if SLOW else 2
AT_ONCE = 20
SEED = 20261121
_PACE = "seconds: body.pace, after: body.pace"


def _steps(make: str, unmake: str) -> str:
    """Three parts, of which the last may be refused, and what undoes each."""
    lines = [
        f"{name}: {{route: {make}, input: {{sku: \"'{name}'\", n: body.n, {_PACE}{refuse}}}, "
        f"compensate: {{route: {unmake}, input: {{sku: {name}.sku, n: body.n, {_PACE}}}}}}}"
        for name, refuse in (("one", ""), ("two", ""), ("three", ", refuse: body.refuse"))
    ]
    return "\n".join(lines)


@contextmanager
def _killable(running: ModuleType, folder: Path, workers: int) -> Iterator[Any]:
    """Starts the gateway, again and again, at one port; the last one is ended."""
    port, processes = running.free_port(), []

    def start() -> Any:
        with (folder / "log.txt").open("ab") as sink:
            process = running.start(
                *("serve", "--workspace", str(folder), "--port", str(port), "--workers", str(workers)), output=sink
            )
        processes.append(process)
        until = time.monotonic() + 40
        while True:
            assert process.poll() is None, (folder / "log.txt").read_text()[-3000:]
            try:
                if httpx.get(f"http://127.0.0.1:{port}/-/ready", timeout=5).status_code == 200:
                    return process, f"http://127.0.0.1:{port}"
            except httpx.TransportError:
                assert time.monotonic() < until
                time.sleep(0.02)

    try:
        yield start
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


async def _begun(url: str, key: str, path: str, bodies: list[dict[str, Any]], chance: random.Random) -> dict[str, str]:
    """Begins composites one after the other, so that a kill finds each somewhere else; their operations by number."""
    found: dict[str, str] = {}
    headers = {"authorization": key, "prefer": "respond-async"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for body in bodies:
            async with session.post(url + path, json=body, headers={"idempotency-key": body["n"]}) as reply:
                found[body["n"]] = (await reply.json())["id"]
            await asyncio.sleep(chance.uniform(0, 0.06))
    return found


def _kill(process: Any, workers: int, chance: random.Random) -> None:
    """Kills the gateway, or one of its workers, which the others outlive."""
    if workers == 1:
        process.kill()
        process.wait()
        return
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(chance.choice(sorted(children))), signal.SIGKILL)


def _until_over(folder: Path) -> None:
    """Waits until nothing more is done about any composite."""
    until = time.monotonic() + 60
    with closing(sqlite3.connect(f"file:{folder}/.figway/operations.db?mode=ro", uri=True)) as kept:
        while rows := kept.execute("SELECT operation, phase, tries FROM undoings WHERE phase != 'over'").fetchall():
            assert time.monotonic() < until, rows
            time.sleep(0.05)


def _judge(operation: dict[str, Any], made: Counter[str], undone: Counter[str], resumes: bool) -> str:
    """Holds what is told against what was done."""
    told = (operation, made, undone)
    assert all(count == 1 for count in (*made.values(), *undone.values())), told
    states = {part["step"]: part["state"] for part in operation.get("parts", ())}
    assert made.keys() <= states.keys(), told
    for step, state in states.items():
        expected = {"done": {(1, 0)}, "undone": {(1, 1)}, "not_done": {(0, 0)}, "left": {(1, 0), (1, 1)}}
        assert state == "unknown" or (made[step], undone[step]) in expected[state], told
    if operation["state"] == "succeeded":
        assert set(states.values()) == {"done"}, told
    elif operation["state"] == "failed":
        assert made == undone, told
    else:
        assert operation["state"] == "unknown", told
        assert not resumes, told
    return f"{operation['state']}: " + ", ".join(
        f"{count} {state}" for state, count in sorted(Counter(states.values()).items())
    )


@pytest.mark.parametrize(
    ("make", "unmake", "resumes", "workers"),
    [
        pytest.param("make", "unmake", False, 1, marks=pytest.mark.slow),
        ("tell", "untell", True, 2),
        pytest.param("make", "unmake", False, 2, marks=pytest.mark.slow),
        pytest.param("tell", "untell", True, 1, marks=pytest.mark.slow),
    ],
)
async def test_what_a_kill_cuts_is_undone_or_told(
    make: str, unmake: str, resumes: bool, workers: int, tmp_path: Path, running: ModuleType, lab: ModuleType
) -> None:
    journal = lab.workspace(tmp_path, running, *lab.ROUTES, lab.composite("/saga", "saga", _steps(make, unmake)))
    key, chance, ends = running.create_key(tmp_path, "writer"), random.Random(SEED), Counter[str]()
    kills = 0
    with _killable(running, tmp_path, workers) as start:
        process, url = await asyncio.to_thread(start)
        while kills < (KILLS if workers == 1 else KILLS // 2):
            bodies = [
                {
                    "n": f"{kills}-{each}",
                    "pace": chance.choice([0.01, 0.04]),
                    "refuse": chance.choice([None, "Conflict"]),
                }
                for each in range(AT_ONCE)
            ]
            found = await _begun(url, key, "/saga", bodies, chance)
            await asyncio.to_thread(_kill, process, workers, chance)
            kills += 1
            if workers == 1:
                process, url = await asyncio.to_thread(start)
            await asyncio.to_thread(_until_over, tmp_path)
            lines = lab.effects(journal)
            for number, id in found.items():
                mine = [each["sku"] for each in lines if each["n"] == number]
                made, undone = Counter(dict.fromkeys(mine, 1)), Counter(mine) - Counter(dict.fromkeys(mine, 1))
                place, shown = f"{url}/-/operations/{id}", {"authorization": key}
                operation = (await asyncio.to_thread(httpx.get, place, headers=shown)).json()
                ends[_judge(operation, made, undone, resumes)] += 1
    print(f"\n{kills} kills (seed {SEED}) of {workers} over {make}: {dict(sorted(ends.items()))}")
    assert any(each.startswith("failed") for each in ends)
