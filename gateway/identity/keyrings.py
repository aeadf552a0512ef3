"""The process's keyrings, followed when another process rotates them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from gateway.identity.given import GivenKeyring
from gateway.identity.signing import KeyFileError, Keyring, ring_names
from gateway.store.shared import Shared

logger = logging.getLogger("figway")

_POLL_SECONDS = 0.1


class Keyrings:
    """The rings of one folder, opened when first asked for: who holds one sees its rotation. Those that are `given`, by
    name, are used instead of the folder's."""

    def __init__(self, folder: Path, given: Mapping[str, str] = MappingProxyType({})) -> None:
        self._folder, self.given = folder, given
        self._open: dict[str, Keyring] = {}

    def __getitem__(self, name: str) -> Keyring:
        """The ring of that name; raises `KeyFileError`. Blocks the first time."""
        ring = self._open.get(name)
        if ring is None:
            text = self.given.get(name)
            ring = Keyring.open(self._folder, name) if text is None else GivenKeyring(name, text)
            self._open[name] = ring
        return ring

    def own(self) -> list[str]:
        """The rings that are the folder's, by name. Blocks."""
        return sorted({*ring_names(self._folder)} - self.given.keys())

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
