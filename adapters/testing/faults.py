"""Rules about systems that hang, aren't there, or talk nonsense; each needs a wire."""

from __future__ import annotations

import asyncio
from typing import Any

from adapters.contract import Adapter, Json, Result
from adapters.errors import AdapterError, DoNotRetry, Retry, Unavailable
from adapters.testing.bench import Bench, broken, told
from adapters.testing.subject import SECONDS
from adapters.testing.wire import FLOOD_LIMIT, Fault, Wire

SHORT = 0.2
"""Seconds that a call is given where it can't succeed."""


async def _warm(bench: Bench) -> tuple[Adapter, list[Json]]:
    """An adapter that has answered each read once, and the answers."""
    adapter = bench.build()
    return adapter, [await bench.answer(adapter, sample) for sample in bench.subject.reads]


async def _check_next(bench: Bench, adapter: Adapter, alone: list[Json], after: str) -> None:
    """The next calls get their own answers, the last sample first: it isn't the one that was waited for."""
    for sample, wanted in reversed(list(zip(bench.subject.reads, alone, strict=True))):
        if await bench.answer(adapter, sample) != wanted:
            broken(f"after {after}, the next call gets an answer that isn't its own")


async def deadline(bench: Bench) -> None:
    """Holds the replies to a first call and to a later one; and asks when the time is over."""
    _check_failed(await _past(bench), "a call whose deadline has passed")
    if bench.subject.address is None:
        return
    bench.wire.begin(Fault.HOLD)
    cold = bench.build()
    _check_failed(await bench.call(cold, bench.subject.reads[0], SHORT), "a first call that isn't answered")
    bench.wire.release()
    adapter, alone = await _warm(bench)
    bench.wire.begin(Fault.HOLD)
    outcome = await bench.call(adapter, bench.subject.reads[0], SHORT)
    _check_failed(outcome, "a call that isn't answered")
    bench.wire.release()
    await _check_next(bench, adapter, alone, "a call that was given up")


async def _past(bench: Bench) -> Result | AdapterError:
    adapter, _ = await _warm(bench)
    return await bench.call(adapter, bench.subject.reads[0], -1.0)


def _check_failed(outcome: Result | AdapterError, what: str) -> None:
    if not isinstance(outcome, AdapterError):
        broken(f"{what} has a result")
    if isinstance(outcome, DoNotRetry):
        broken(f"{what} is {told(outcome)}, as if the same call must fail again")


async def unreachable(bench: Bench) -> None:
    """Calls a port on which nobody listens, then lets the system listen there."""
    wire = bench.wire
    adapter = bench.build()
    outcome = await bench.call(adapter, bench.subject.reads[0])
    if not isinstance(outcome, Unavailable | Retry):
        broken(f"a call of a system that isn't there is {_named(outcome)}; it should be Unavailable")
    try:
        async with asyncio.timeout(SECONDS + bench.grace):
            await adapter.open()
    except Unavailable as error:
        bench.let_out.append(error.message)
    except TimeoutError:
        broken("open of a system that isn't there doesn't end")
    wire.listen()
    await adapter.open()
    await bench.answer(adapter, bench.subject.reads[0])


def _named(outcome: Result | AdapterError) -> str:
    return told(outcome) if isinstance(outcome, AdapterError) else "a result"


async def loop(bench: Bench) -> None:
    """Holds a reply, and lets it go from the same loop: who waits on the loop never gets there."""
    wire = bench.wire
    for warm in (False, True):
        adapter = (await _warm(bench))[0] if warm else bench.build()
        wire.begin(Fault.HOLD)
        call = asyncio.ensure_future(bench.call(adapter, bench.subject.reads[0]))
        await _until_held(wire, call)
        if call.done():
            await call
            broken("the call was over before the loop could do anything else: it waits on the event loop")
        wire.release()
        if isinstance(outcome := await call, AdapterError):
            broken(f"a reply that came late, but in time, is {told(outcome)}")


async def _until_held(wire: Wire, call: asyncio.Future[Any]) -> None:
    while not wire.held.is_set() and not call.done():
        await asyncio.wait({call}, timeout=0.01)
    for _ in range(10):  # turns of the loop, in which a call that is over says so
        await asyncio.sleep(0)


async def cancelled(bench: Bench) -> None:
    """Cancels a call whose reply is held, lets the reply go, and calls again."""
    wire = bench.wire
    adapter, alone = await _warm(bench)
    for _ in range(3):
        wire.begin(Fault.HOLD)
        sample = bench.subject.reads[0]
        context = bench.context(adapter, sample, SECONDS)
        call = asyncio.ensure_future(adapter.invoke(sample.operation, sample.input, context))
        await _until_held(wire, call)
        call.cancel()
        await asyncio.wait({call}, timeout=bench.grace)
        if not call.done():
            broken("a cancelled call goes on")
        if not call.cancelled():
            broken("a cancelled call ends otherwise than by CancelledError")
        wire.release()
        await _check_next(bench, adapter, alone, "a call that was cancelled")


async def garbage(bench: Bench) -> None:
    """Puts bytes that mean nothing in a reply's place, at a first call and at a later one."""
    wire = bench.wire
    for warm in (False, True):
        adapter = (await _warm(bench))[0] if warm else bench.build()
        wire.begin(Fault.JUNK)
        outcome = await bench.call(adapter, bench.subject.reads[0], SECONDS / 5)
        if not isinstance(outcome, AdapterError):
            broken("a reply that means nothing becomes a result")
        wire.release()


async def bounded(bench: Bench) -> None:
    """Lets a reply begin as it is and never end, and counts what is taken of it."""
    wire = bench.wire
    adapter, _ = await _warm(bench)
    wire.begin(Fault.FLOOD)
    await bench.call(adapter, bench.subject.reads[0], SECONDS)
    if wire.flooded >= FLOOD_LIMIT:
        broken(f"it takes all of a reply of {FLOOD_LIMIT // 2**20} MiB; bound what is read of one")
