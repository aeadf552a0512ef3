"""An upstream that accepts and never answers: its own callers get a clear 504, nobody else notices."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
SECONDS = 20 if SLOW else 2

CONTRACT = """
openapi: 3.1.0
info: {title: Lab, version: "1"}
paths:
  /items/{sku}:
    get:
      operationId: get_item
      tags: [items]
      summary: One item
      parameters: [{name: sku, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: The item.}}
      x-gateway: {effect: read, legacy: {upstream: lab, operation: item.get, input: {sku: path.sku}}}
  /hung/{id}:
    get:
      operationId: get_hung
      tags: [hung]
      summary: Never
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: Never.}}
      x-gateway:
        effect: read
        legacy: {upstream: hung, operation: "GET /{id}", input: {id: path.id}}
"""


async def _never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.read(4096):
            pass
    finally:
        writer.close()


async def _ask(session: aiohttp.ClientSession, path: str) -> tuple[int, float, str]:
    started = time.monotonic()
    async with session.get(path) as response:
        text = await response.text()
        return response.status, time.monotonic() - started, text


async def _healthy(session: aiohttp.ClientSession, seconds: float) -> list[float]:
    until, times = time.monotonic() + seconds, []
    while time.monotonic() < until:
        status, took, text = await _ask(session, "/items/A")
        assert status == 200, text
        times.append(took)
    return times


async def _hanging(session: aiohttp.ClientSession, seconds: float) -> list[tuple[int, float, str]]:
    until, answers = time.monotonic() + seconds, []
    while time.monotonic() < until:
        answers.append(await _ask(session, "/hung/1"))
    return answers


async def _scenario(gateway: Any) -> tuple[list[float], list[float], list[tuple[int, float, str]]]:
    headers = {"authorization": gateway.reader}
    async with aiohttp.ClientSession(gateway.url, headers=headers) as session:
        before = await _healthy(session, SECONDS / 2)
        async with asyncio.TaskGroup() as group:
            hanging = [group.create_task(_hanging(session, SECONDS)) for _ in range(16)]
            during = group.create_task(_healthy(session, SECONDS))
        return before, during.result(), [answer for task in hanging for answer in task.result()]


async def test_one_hung_upstream_hurts_only_its_own_callers(running: ModuleType, tmp_path: Path) -> None:
    server = await asyncio.start_server(_never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    upstreams = f"  hung: {{kind: http, base_url: 'http://127.0.0.1:{port}', deadline: 1s, concurrency: 8}}\n"
    files = {"gateway.yaml": f"upstreams:\n  lab: {{kind: lab}}\n{upstreams}", "openapi/lab.yaml": CONTRACT}
    running.write_workspace(tmp_path, files)
    async with server:
        with running.serving(tmp_path) as gateway:
            before, during, hung = await _scenario(gateway)
    assert {status for status, _, _ in hung} <= {503, 504}, "504 at the deadline, 503 once the breaker is open"
    late = [took for status, took, _ in hung if status == 504]
    assert len(late) >= 8
    assert all(0.9 < took < 8 for took in late), "the answer comes at the deadline, not when the upstream does"
    assert all("deadline-exceeded" in text for status, _, text in hung if status == 504)
    usual = statistics.quantiles(before, n=100)[98]
    as_fast = sum(took <= max(usual * 2, 0.05) for took in during) / len(during)
    figures = f"p50 {statistics.median(before) * 1e3:.2f} → {statistics.median(during) * 1e3:.2f} ms"
    print(f"calls to the other upstream: {figures}, {as_fast:.1%} within twice the usual p99 (or 50 ms)")
    # How fast a busy machine is decides nothing in the quick lane.
    assert as_fast >= (0.99 if SLOW else 0.5)
