"""Who waits for the audit's disk on an event loop, woken from the thread that writes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import TypeAlias

from gateway.audit.sink import AuditError

Waiter: TypeAlias = asyncio.Future[None]


def tell(waiters: Iterable[Waiter | None], error: AuditError | None) -> None:
    """Wakes those who wait, on their own event loops."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Waiter]] = {}
    for waiter in waiters:
        if waiter is not None:
            by_loop.setdefault(waiter.get_loop(), []).append(waiter)
    for loop, group in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(settle, group, error)


def settle(waiters: Iterable[Waiter], error: AuditError | None) -> None:
    """Ends the waiting of those who still do; on their event loop."""
    for waiter in waiters:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)
