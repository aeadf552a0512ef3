"""A TCP proxy that makes a server far away: every byte of an answer arrives SECONDS late.

python -m gateway.demo.proxy PORT TARGET_PORT SECONDS
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

_CHUNK = 65_536
_QUEUED = 64


async def serve(port: int, target: int, seconds: float) -> None:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`target` until cancelled."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, back, 0.0), _copy(there, writer, seconds))

    async with await asyncio.start_server(forward, "127.0.0.1", port) as server:
        await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Late, not slow: what follows closely arrives as closely."""
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUED)
    loop = asyncio.get_running_loop()

    async def read() -> None:
        data = b"start"
        while data:
            try:
                data = await reader.read(_CHUNK)
            except OSError:
                data = b""
            await queue.put((loop.time() + seconds, data))

    task = asyncio.create_task(read())
    try:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        task.cancel()
        with suppress(OSError):
            writer.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
