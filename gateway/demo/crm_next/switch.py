"""The switch by which a demonstration makes the replacement slow, deaf or unreliable; plain ASGI around the API."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_TICK = 0.1


class State(BaseModel):
    """What is set: seconds of delay, whether calls hang, the share of calls (0 to 1) that fail with a 503."""

    model_config = ConfigDict(extra="forbid")

    latency: float = Field(0, ge=0, le=600)
    hang: bool = False
    fail: float = Field(0, ge=0, le=1)


class Switch:
    """Holds the state and counts; every call under /v2 suffers it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.state = State()
        self.calls = 0
        self.writes = 0
        self._due = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith("/v2/"):
            await self._app(scope, receive, send)
            return
        self.calls += 1
        while self.state.hang:
            await asyncio.sleep(_TICK)
        await asyncio.sleep(self.state.latency)
        if self._fails():
            await JSONResponse({"error": "failed on purpose"}, 503)(scope, receive, send)
            return
        self.writes += scope["method"] == "PATCH"
        await self._app(scope, receive, send)

    def _fails(self) -> bool:
        """Evenly spread rather than by chance: a share of 0.25 fails every fourth call."""
        self._due += self.state.fail
        if self._due < 1:
            return False
        self._due -= 1
        return True

    def facts(self) -> dict[str, Any]:
        """What is set, and how many calls and writes there were."""
        return {**self.state.model_dump(), "calls": self.calls, "writes": self.writes}
