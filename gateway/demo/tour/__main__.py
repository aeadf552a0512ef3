"""`python -m gateway.demo.tour DEMO_JSON`: goes the tour once the gateway is ready; exit code 1 where it fails."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import httpx

from gateway.demo.tour.desk import Desk, TourFailed, read_facts, say
from gateway.demo.tour.route import go
from gateway.demo.tour.traffic import Traffic

_READY = 60.0


async def tour(path: Path) -> int:
    """The exit code."""
    facts = read_facts(path)
    desk, traffic, began = Desk(facts), Traffic(), time.monotonic()
    try:
        await _ready(desk.url)
        traffic.read(desk.url, desk.headers("agent"))
        await go(desk, facts["estate"], traffic)
    except (TourFailed, httpx.HTTPError) as failed:
        say(f"The tour failed: {failed or type(failed).__name__}")
        return 1
    finally:
        await traffic.stop()
        await desk.close()
    say(f"  The tour took {time.monotonic() - began:.0f} s.")
    return 0


async def _ready(url: str) -> None:
    until = time.monotonic() + _READY
    async with httpx.AsyncClient(base_url=url) as client:
        while time.monotonic() < until:
            try:
                if (await client.get("/-/ready")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise TourFailed("the gateway isn't ready")


if __name__ == "__main__":
    raise SystemExit(asyncio.run(tour(Path(sys.argv[1]))))
