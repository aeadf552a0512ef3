"""Letting go of kept answers from this host, beside its gateway or without one."""

from __future__ import annotations

from pathlib import Path

from gateway.cache.cache import Cache, far_of
from gateway.cache.marks import Marks
from gateway.cli.recording import rings_of
from gateway.routing.stores import stores_of
from gateway.store.place import StateFolder


async def let_go(marks: Marks, places: tuple[int, ...] | None, workspace: Path, folder: StateFolder) -> bool:
    """Lets go of what depends on these places (None: of all); False: the other hosts of the fleet don't know it."""
    far = far_of(stores_of(workspace).cache, rings_of(workspace, folder)["cursor"])
    cache = Cache(marks, lambda *_: None, far)
    try:
        return await cache.let_go(places)
    finally:
        await cache.close()
