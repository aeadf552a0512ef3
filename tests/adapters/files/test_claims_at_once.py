"""Several gateways over one folder: each file is one's."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CLAIMING = """
import asyncio, json, sys, time
from pathlib import Path
from adapters.contract import Context, Workspace
from adapters.errors import NotFound
from adapters.files import KIND
config = KIND.config.model_validate({"root": sys.argv[1], "datasets": json.loads(sys.argv[2])})
async def main():
    adapter = KIND.build("work", config, Workspace({}, Path(sys.argv[3])))
    await adapter.open()
    print("ready", flush=True)
    sys.stdin.readline()
    while True:
        context = Context(time.monotonic() + 30, principal="worker")
        try:
            taken = (await adapter.invoke("invoices.claim", {}, context)).value
        except NotFound:
            break
        await adapter.invoke("invoices.finish", {"claim": taken["claim"]}, context)
        print(taken["file"], flush=True)
    await adapter.close()
asyncio.run(main())
"""


def _working(folder: Path, datasets: Any, cache: Path, count: int) -> list[list[str]]:
    """What each of some processes claimed and finished, all at once."""
    command = [sys.executable, "-c", CLAIMING, str(folder), json.dumps(datasets)]
    workers = [
        subprocess.Popen([*command, str(cache / str(n))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(count)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return [worker.communicate(timeout=60)[0].split() for worker in workers]


async def test_processes_that_claim_at_once_share_the_files(drop_folder: Path, tmp_path: Path) -> None:
    names = sorted(f"INV-{number:02}.csv" for number in range(40))
    for name in names:
        (drop_folder / f"in/{name}").write_text("id\nA\n")
    dataset = {"match": "in/INV-*.csv", "format": "csv", "key": "id", "claim": {"folder": "work"}}
    done = await asyncio.to_thread(_working, drop_folder, {"invoices": dataset}, tmp_path / "caches", 3)
    assert sorted(name for each in done for name in each) == names
