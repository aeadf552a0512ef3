"""Waiting for the gateway that the demo starts."""

from __future__ import annotations

import asyncio
import time

import httpx

_READY = 60.0


class NotReady(Exception):
    """The gateway didn't become ready."""


async def until_ready(url: str) -> None:
    """Waits until the gateway serves; raises `NotReady`."""
    until = time.monotonic() + _READY
    async with httpx.AsyncClient(base_url=url) as client:
        while time.monotonic() < until:
            try:
                if (await client.get("/-/ready")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise NotReady("the gateway isn't ready")
