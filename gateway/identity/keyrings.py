"""The process's keyrings, followed when another process rotates them."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from gateway.identity.signing import KeyFileError, Keyring
from gateway.store.shared import Shared

logger = logging.getLogger("figway")

_POLL_SECONDS = 0.1


class Keyrings:
    """The rings of one folder, opened when first asked for: who holds one sees its rotation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, Keyring] = {}

    def __getitem__(self, name: str) -> Keyring:
        """The ring of that name; raises `KeyFileError`. Blocks the first time."""
        ring = self._open.get(name)
        if ring is None:
            ring = self._open[name] = Keyring.open(self._folder, name)
        return ring

    def reload(self) -> None:
        """Reads every open ring again; raises `KeyFileError`. Blocks."""
        for ring in tuple(self._open.values()):
            ring.reload()

    async def follow(self, shared: Shared) -> None:
        """Reads the rings again whenever the shared memory says that keys have changed; runs until it's cancelled."""
        seen = -1
        while True:
            generation = shared.keys_generation
            if generation != seen:
                seen = generation
                try:
                    await asyncio.to_thread(self.reload)
                except KeyFileError as error:
                    logger.error("the last good keys stay in use: %s", error)
            await asyncio.sleep(_POLL_SECONDS)
