"""An adapter that does what a test says, and short ways to call an upstream that wraps it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

from adapters.contract import Context, Effect, Json, Operation, Probe, Result
from adapters.errors import AdapterError
from gateway.breaker import BreakerLimits
from gateway.upstream import Limits, Upstream

DONE = Result("done", datetime(2026, 1, 1, tzinfo=UTC))
CALM = BreakerLimits(minimum=1_000_000)
"""A breaker that never opens."""

Script = Callable[[Context], Awaitable[Result]]


class Scripted:
    """An adapter that does what a test says, and notes how many calls it had at once."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.calls = 0
        self.running = 0
        self.most = 0
        self.opens: Script | None = None
        self.closed = False

    name = "scripted"

    def operations(self) -> Mapping[str, Operation]:
        return {}

    async def open(self) -> None:
        if self.opens is not None:
            await self.opens(context())

    async def close(self) -> None:
        self.closed = True

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        self.calls += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await self.script(context)
        finally:
            self.running -= 1

    async def probe(self, context: Context) -> Probe:
        await self.script(context)
        return Probe(True, "up", 0.0)


def context(seconds: float = 60.0) -> Context:
    return Context(time.monotonic() + seconds, "00-trace", "key", "ann", "bot", Effect.IDEMPOTENT_WRITE)


def limits(**given: Any) -> Limits:
    return Limits(**{"breaker": CALM, "retries": 0, **given})


async def answer(_: Context) -> Result:
    return DONE


async def hang(_: Context) -> Result:
    await asyncio.sleep(3600)
    raise AssertionError


def fail(error: AdapterError) -> Script:
    async def script(_: Context) -> Result:
        raise error

    return script


async def read(upstream: Upstream, seconds: float = 60.0) -> Result:
    return await upstream.call("get", {}, effect=Effect.READ, context=context(seconds))


async def write(upstream: Upstream, seconds: float = 60.0) -> Result:
    return await upstream.call("put", {}, effect=Effect.WRITE, context=context(seconds))


async def settled(condition: Callable[[], bool]) -> None:
    """Waits until something is so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - conditions of all kinds, polled by a test
            await asyncio.sleep(0.005)


@pytest.fixture(scope="session")
def lab() -> ModuleType:
    """This module: `Scripted`, its scripts (`answer`, `hang`, `fail`), `limits`, `read`, `write`, `settled`."""
    return sys.modules[__name__]
