"""What whoever was killed while publishing leaves behind is put right: writes don't stand still for good, and every
process is told of what was published."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from gateway.migration.changes import ACKNOWLEDGED, FROZEN, About, Changes
from gateway.store.contract import StoreError
from gateway.store.shared import started

logger = logging.getLogger("figway")

_LOOKS = 0.5
_LONGEST = ACKNOWLEDGED + 2 * FROZEN
"""Seconds after which a freeze is nobody's any more, though its process lives (or lives on another host)."""


async def keep_thawed(changes: Changes) -> None:
    """Lets go of what is frozen by a process that died, or for too long; until it is cancelled."""
    seen = -1
    while True:
        await asyncio.sleep(_LOOKS)
        generation = changes.shared.generation
        if generation != seen and not await thaw(changes):
            seen = generation


async def keep_told(changes: Changes, served: Callable[[], int]) -> None:
    """Has every process look at the store, if its publisher was killed before it could; until it is cancelled.
    `served` is what this process serves."""
    seen = tried = None
    while True:
        await asyncio.sleep(_LOOKS)
        with suppress(StoreError):  # a store that fails is told by whoever needs it; the next look is soon
            active = await changes.offload(changes.state.active)
            # What was just published is being loaded; one that can't be loaded isn't told of again and again.
            if active not in (served(), tried) and active == seen:
                logger.warning("snapshot %s was published, but nobody was told of it", active)
                changes.shared.bump()
                tried = active
            seen = active


async def thaw(changes: Changes) -> bool:
    """One look; whether anything is frozen still."""
    active = await changes.offload(changes.state.active_snapshot)
    frozen = {} if active is None else {name: each for name, each in active.stages.items() if each.get("frozen")}
    for name, document in frozen.items():
        assert active is not None
        by = document.get("frozen_by")
        age = (datetime.now(UTC) - active.time).total_seconds()
        if age < _LONGEST and by is not None and started(by[0]) == by[1]:
            continue
        about = About("host", f"the writes of {name} go on: whoever let them stand still is gone")
        try:
            await changes.let_go(name, about, by)
        except StoreError as error:
            logger.error("%s", error)
    return bool(frozen)
