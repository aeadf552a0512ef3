"""A TCP proxy that makes a server slow: no call is answered sooner than SECONDS after it began.

    python -m gateway.demo.proxy PORT TARGET_PORT SECONDS [SILENCE]

A call is several round trips: logging in, preparing, executing; or logging in, opening a file, reading it. They follow
each other at once, so a call is what follows a silence of so many seconds, and only its first answer is late. On a
connection that is never silent another one begins when answers have come for as long as the first was late, a second
at least.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

Step = Callable[[], Awaitable[None]]

_CHUNK = 65_536
_SILENCE = 0.05
_LONGEST = 1.0


async def serve(port: int, target: int, seconds: float, silence: float = _SILENCE) -> None:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`target` until cancelled."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        line = _Line(seconds, silence)
        await asyncio.gather(_copy(reader, back, line.asked), _copy(there, writer, line.answers))

    async with await asyncio.start_server(forward, "127.0.0.1", port) as server:
        await server.serve_forever()


class _Line:
    """When one connection may answer."""

    def __init__(self, seconds: float, silence: float) -> None:
        self._seconds, self._silence = seconds, silence
        self._longest = max(_LONGEST, seconds)
        self._opens = self._last = float("-inf")

    async def asked(self) -> None:
        """Something was asked; it begins a call unless one is being answered."""
        now = asyncio.get_running_loop().time()
        if now > max(self._opens, self._last) + self._silence or now > self._opens + self._longest:
            self._opens = now + self._seconds

    async def answers(self) -> None:
        """Waits until the call may be answered."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._opens - loop.time()))
        self._last = loop.time()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, step: Step) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            await step()
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:])))
