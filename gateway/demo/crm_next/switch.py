"""The switch by which a demonstration makes the replacement slow, deaf or broken, as the CRM's does."""

from __future__ import annotations

import asyncio
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Misbehaviour(BaseModel):
    """What is set: seconds before each answer, whether calls hang, how they fail (500, an HTML page with 503), and
    whether amounts are answered in cents, as a release that went wrong does."""

    model_config = ConfigDict(extra="forbid")
    latency: float = Field(default=0, ge=0, le=600)
    hang: bool = False
    fail: Literal["500", "html"] | None = None
    cents: bool = False


class Switch:
    """The state; a change holds for calls that hang already. Used on the event loop alone."""

    def __init__(self) -> None:
        self.state = Misbehaviour()
        self._answering = asyncio.Event()
        self._answering.set()

    def set(self, changes: Misbehaviour) -> None:
        """Takes over the members that were given; the others stay."""
        self.state = self.state.model_copy(update=changes.model_dump(exclude_unset=True))
        if self.state.hang:
            self._answering.clear()
        else:
            self._answering.set()

    async def suffer(self) -> str | None:
        """Waits as the switch says; answers how to fail."""
        await self._answering.wait()
        await asyncio.sleep(self.state.latency)
        return self.state.fail
