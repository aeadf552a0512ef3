"""What migrating a read costs: choosing its side, and asking the other side of one in ten, off the path.

The second is a route of the demo's: its CRM that speaks SOAP, on PHP, and the REST service that replaces it. Two
gateways serve it, at legacy and in shadow, in rounds that alternate; what counts is the CPU time of the gateway's
process, less what it uses while nobody calls. The interval is bootstrapped over the rounds.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT)]

from gateway.call import Call, Principal, Reply  # noqa: E402
from gateway.demo.estate import Estate  # noqa: E402
from gateway.identity.signing import Keyring  # noqa: E402
from gateway.migration.choose import choose  # noqa: E402
from gateway.migration.evidence import Evidence  # noqa: E402
from gateway.migration.model import Group, Side, Stage  # noqa: E402
from gateway.migration.switch import Exceptions, Watching, switch  # noqa: E402
from gateway.pipeline import Handler  # noqa: E402
from gateway.routing.mapping import expression  # noqa: E402

ROUNDS, CALLS, CHOICES = int(os.environ.get("FIGWAY_ROUNDS", "15")), 150, 20_000
SEED = 20261121
STAGED = """
groups:
  customers:
    state: replicated
    key: path.customer_id
    owner: bench
    reads: {stage: STAGE}
    sample: 10
    gates: {error: 5%, mismatch: 5%}
"""


def measure() -> list[dict[str, object]]:
    """µs of CPU: of choosing and counting, each call; of a call at legacy and in shadow, with how much more that is."""
    return [*_choosing(), *asyncio.run(_shadowed())]


# ── choosing ─────────────────────────────────────────────────────────────────────────────────────────────────


def _choosing() -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        group = Group("items", Stage("canary", weight=500_000), salt="items", key=expression("path.sku"))
        choice = choose(group, Keyring.open(folder, "side"))
        calls = [_call(f"S-{number}") for number in range(CHOICES)]
        with closing(Evidence.open(folder / "evidence", SimpleNamespace(claim=lambda: 0))) as evidence:
            sides: dict[Side, Handler] = {"legacy": _answer, "replacement": _answer}
            watching = Watching("items", 10.0, None, evidence, None)
            switched = switch(group.stage, choice, sides, Exceptions(), watching)
            chosen, whole, bare = [], [], []
            for _ in range(9):
                chosen.append(_each(lambda: [choice(call) for call in calls]))
                whole.append(_each(lambda: _run(switched, calls)))
                bare.append(_each(lambda: _run(_answer, calls)))
    counted = statistics.median(a - b for a, b in zip(whole, bare, strict=True))
    return [
        _row("dispatch by stage and bucket", statistics.median(chosen), "2 µs", statistics.median(chosen) / 2),
        _row("dispatch, with what is counted for the gates", counted, "", None),
    ]


def _call(sku: str) -> Call:
    call = Call("1", "get", 1, "GET", "/items/x", time.monotonic() + 600, "", {})
    call.path, call.principal = {"sku": sku}, Principal("bench")
    return call


async def _answer(_: Call) -> Reply:
    return Reply(200, None)


def _run(handler: Handler, calls: list[Call]) -> None:
    for call in calls:
        try:
            handler(call).send(None)  # type: ignore[attr-defined]
        except StopIteration:
            continue


def _each(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return (time.thread_time() - began) / CHOICES * 1e6


# ── in shadow ────────────────────────────────────────────────────────────────────────────────────────────────


async def _shadowed() -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with Estate(folder / "estate") as estate:
            # The estate minds its servers on this loop meanwhile.
            return await asyncio.to_thread(_alternating, folder, {**os.environ, **estate.environment()})


def _alternating(folder: Path, environment: dict[str, str]) -> list[dict[str, object]]:
    with _gateway(folder / "legacy", "legacy", environment) as legacy, \
         _gateway(folder / "shadow", "shadow", environment) as shadow:  # fmt: skip
        for each in (legacy, shadow):
            each.warm()
        pairs = []
        for number in range(ROUNDS):
            order = (legacy, shadow) if number % 2 else (shadow, legacy)
            spent = {each.stage: each.round() for each in order}
            pairs.append((spent["legacy"], spent["shadow"]))
    more = [100 * (shadowed / alone - 1) for alone, shadowed in pairs]
    low, high = _interval(more)
    alone, shadowed = (statistics.median(each) for each in zip(*pairs, strict=True))
    told = f"{statistics.median(more):+.1f} % (95 %: {low:+.1f} to {high:+.1f} %, {ROUNDS} rounds, seed {SEED})"
    return [
        _row("a SOAP-backed read at legacy, CPU of the gateway", alone, "itself", 1),
        _row(f"the same in shadow at 10 %: {told}", shadowed, "at legacy", 1 + statistics.median(more) / 100),
    ]


def _interval(values: list[float], times: int = 5_000) -> tuple[float, float]:
    """The median's, 95 %, bootstrapped."""
    dice = random.Random(SEED)
    medians = sorted(statistics.median(dice.choices(values, k=len(values))) for _ in range(times))
    return medians[int(0.025 * times)], medians[int(0.975 * times)]


class _Served:
    """A gateway at a stage."""

    def __init__(self, stage: str, pid: int, port: int, key: str) -> None:
        self.stage, self._pid, self._port, self._key = stage, pid, port, key
        self._idle = 0.0

    def warm(self) -> None:
        """Calls before it counts; then what it uses by itself, a second."""
        self._calls(CALLS)
        time.sleep(1.0)
        began, before = time.monotonic(), self._cpu()
        time.sleep(3.0)
        self._idle = (self._cpu() - before) / (time.monotonic() - began)

    def round(self) -> float:
        """µs of CPU a call."""
        began, before = time.monotonic(), self._cpu()
        self._calls(CALLS)
        time.sleep(0.3)  # what was asked aside ends
        return (self._cpu() - before - self._idle * (time.monotonic() - began)) / CALLS * 1e6

    def _calls(self, count: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            for number in range(count):
                connection.request("GET", f"/customers/C-{10001 + number}", headers={"authorization": self._key})
                response = connection.getresponse()
                body = response.read()
                if response.status != 200 or response.headers["figway-served-by"] not in (None, "legacy"):
                    raise RuntimeError(f"the gateway at {self.stage} answers {response.status}: {body[:500]!r}")

    def _cpu(self) -> float:
        """Seconds of CPU of the process, all its threads."""
        files = Path(f"/proc/{self._pid}/task").glob("*/schedstat")
        return sum(int(file.read_text().split()[0]) for file in files) / 1e9


@contextmanager
def _gateway(folder: Path, stage: str, environment: dict[str, str]) -> Iterator[_Served]:
    folder.mkdir()
    shutil.copy(ROOT / "gateway.yaml", folder)
    for name in ("openapi", "policies"):
        shutil.copytree(ROOT / name, folder / name)
    file = folder / "policies" / "migration.yaml"
    parity = re.search(r"(?m)^    parity:\n(?:(?:      .*)?\n)*", file.read_text())
    file.write_text(STAGED.replace("STAGE", stage) + (parity[0] if parity else ""))
    (folder / "policies" / "limits.yaml").write_text("rules: []\n")
    figway = [sys.executable, "-m", "gateway"]
    command = [*figway, "key", "create", "--principal", "bench", "--role", "platform", "--json"]
    command += ["--workspace", str(folder)]
    found = re.search(r"figway_[A-Za-z0-9_-]+", subprocess.check_output(command, env=environment, text=True))
    assert found is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    serve = [*figway, "serve", "--workspace", str(folder), "--port", str(port)]
    quiet: dict[str, Any] = {"env": {**environment, "FIGWAY_LOG": "warning"}, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(serve, **quiet)
    try:
        _until_ready(process, port)
        yield _Served(stage, process.pid, port, f"Bearer {found[0]}")
    finally:
        process.terminate()
        process.wait(30)


def _until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", "/-/ready")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
        time.sleep(0.1)
    raise RuntimeError("the gateway didn't start")


def _row(name: str, value: float, versus: str, ratio: float | None) -> dict[str, object]:
    return {"name": name, "value": value, "unit": "µs", "versus": versus, "ratio": ratio}
