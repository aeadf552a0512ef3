"""`python -m gateway.demo.tour DEMO_JSON`: goes the tour once the gateway is ready; exit code 1 where it fails."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import httpx

from gateway.demo.ready import NotReady, until_ready
from gateway.demo.tour.desk import Desk, TourFailed, read_facts, say
from gateway.demo.tour.route import go
from gateway.demo.tour.traffic import Traffic


async def tour(path: Path) -> int:
    """The exit code."""
    facts = read_facts(path)
    desk, traffic, began = Desk(facts), Traffic(), time.monotonic()
    try:
        await until_ready(desk.url)
        traffic.read(desk.url, desk.headers("agent"))
        await go(desk, facts["estate"], traffic)
    except (TourFailed, NotReady, httpx.HTTPError) as failed:
        say(f"The tour failed: {failed or type(failed).__name__}")
        return 1
    finally:
        await traffic.stop()
        await desk.close()
    say(f"  The tour took {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(tour(Path(sys.argv[1]))))
