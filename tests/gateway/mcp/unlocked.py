"""A gateway whose every caller is the one that a key names: the suite has no credentials to send.

usage: unlocked.py WORKSPACE PORT AUTHORIZATION [everything]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import uvicorn

import gateway.app
from gateway.settings import Settings


class Unlocked:
    """An ASGI application that adds a credential to each request."""

    def __init__(self, application: Any, authorization: bytes) -> None:
        self._application, self._authorization = application, authorization

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["headers"] = [*scope["headers"], (b"authorization", self._authorization)]
        await self._application(scope, receive, send)


if __name__ == "__main__":
    folder, port, authorization, *more = sys.argv[1:]
    if more:
        from everything import Everything

        gateway.app.Sdk = Everything  # type: ignore[misc]
    application = Unlocked(gateway.app.Application(Path(folder), Settings()), authorization.encode())
    uvicorn.run(application, host="127.0.0.1", port=int(port), log_level="warning")
