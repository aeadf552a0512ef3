"""Real servers of NATS with JetStream, on a free port, ended by process id; what they keep outlives them."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig

_PATIENCE = 20.0


class Hub:
    """One server; it may be killed and begun again."""

    def __init__(self, folder: Path, port: int, config: str = "") -> None:
        self.folder, self.port = folder, port
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config").write_text(f'jetstream {{store_dir: "{folder}/store"}}\n{config}')
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-c", str(self.folder / "config")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"nats-server doesn't start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """At once, with no chance to tidy up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False

    @asynccontextmanager
    async def jetstream(self, **options: Any) -> AsyncIterator[Any]:
        """A client of the tests' own."""
        client = await nats.connect(self.url, **options)
        try:
            yield client.jetstream()
        finally:
            await client.close()

    async def add(self, name: str, **options: Any) -> None:
        """Makes a stream of the subjects below its own name in small letters."""
        async with self.jetstream() as stream:
            await stream.add_stream(StreamConfig(name=name, subjects=[f"{name.lower()}.>"], **options))

    async def messages(self, name: str, **options: Any) -> list[Any]:
        """All that the stream has, in its order."""
        async with self.jetstream(**options) as stream:
            count = (await stream.stream_info(name)).state.messages
            if not count:
                return []
            reading = ConsumerConfig(ack_policy=AckPolicy.NONE)
            subscription = await stream.pull_subscribe(f"{name.lower()}.>", stream=name, config=reading)
            found: list[Any] = []
            while len(found) < count:
                found += await subscription.fetch(min(500, count - len(found)), timeout=_PATIENCE)
            return found

    async def count(self, name: str) -> int:
        async with self.jetstream() as stream:
            return int((await stream.stream_info(name)).state.messages)

    async def until(self, name: str, count: int) -> None:
        """Waits until the stream has so many messages."""
        async with asyncio.timeout(60), self.jetstream() as stream:
            while (await stream.stream_info(name)).state.messages < count:  # noqa: ASYNC110 - a test waits
                await asyncio.sleep(0.02)
