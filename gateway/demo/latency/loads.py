"""Waiting for the replicas: what the gateway keeps beside the systems has to be read from them once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

_PATIENCE = 600.0
_LOOK, _TELL = 1.0, 10.0


class LoadsFailed(Exception):
    """Replicas aren't whole; the message says in a sentence which."""


async def until_loaded(platform: httpx.AsyncClient, samples: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Waits until replicas answer, telling how far they are; raises `LoadsFailed`. `platform` may see captures."""
    began = told = time.monotonic()
    whole: set[str] = set()
    before: dict[str, int] = {}
    while True:
        captures = (await platform.get("/-/changes")).raise_for_status().json()["captures"]
        for each in captures:
            # What is fetched meanwhile comes as changes: it is whole when no more of them come.
            settled = each["rows"] and before.get(each["name"]) == each["rows"]
            if each["phase"] == "live" and settled and each["name"] not in whole:
                whole.add(each["name"])
                say(f"  {each['name']}: {each['rows']} rows, whole")
        before = {each["name"]: each["rows"] for each in captures}
        waiting = [each for each in captures if each["name"] not in whole]
        if not waiting and await _answers(platform, f"/invoices/{samples['invoice_number']}"):
            return
        now = time.monotonic()
        if now - began > _PATIENCE:
            raise LoadsFailed(f"not whole after {_PATIENCE:g} s: {', '.join(each['name'] for each in waiting)}")
        if now - told > _TELL:
            told = now
            say("\n".join(f"  {each['name']}: {_far(each)}" for each in waiting))
        await asyncio.sleep(_LOOK)


async def _answers(client: httpx.AsyncClient, path: str) -> bool:
    reply = await client.get(path)
    return reply.is_success and "detail=replica" in reply.headers.get("cache-status", "")


def _far(capture: Mapping[str, Any]) -> str:
    return str(capture["problem"] or f"{capture['loaded']} rows so far")
