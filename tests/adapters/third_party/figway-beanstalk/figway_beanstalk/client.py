"""Exchanges with beanstalkd, in its own protocol (doc/protocol.txt, 1.12), each on a connection of its own.

What fails before a command has left is `Unavailable`; what fails after it is `UnknownOutcome`. Nothing is sent twice.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from adapters.errors import AdapterError, BadReply, DoNotRetry, Invalid, NotFound, Retry, Unavailable, UnknownOutcome
from figway_beanstalk.config import Config

_LONGEST_LINE = 4096
_WITH_DATA = frozenset({"FOUND", "OK"})
_FAILURES: dict[str, AdapterError] = {
    "NOT_FOUND": NotFound("There is no such job."),
    "JOB_TOO_BIG": Invalid("The job is larger than the queue takes."),
    "DRAINING": Retry("The queue takes no new jobs for now."),
    "OUT_OF_MEMORY": Retry("The queue has no memory left."),
    "BURIED": UnknownOutcome("The queue kept the job, but hands it to nobody, as it has no memory left."),
}


class Reply(NamedTuple):
    """A reply: its words, and the data behind it, empty where it has none."""

    words: list[str]
    data: bytes


class Client:
    """Speaks with one server, on so many connections at most."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._turns = asyncio.Semaphore(config.concurrency)

    async def ask(self, commands: list[bytes], seconds: float) -> Reply:
        """The reply to the last of the commands, within so many seconds; raises what `adapters.errors` defines."""
        sent = False
        try:
            async with asyncio.timeout(seconds), self._turns:
                config = self._config
                reader, writer = await asyncio.open_connection(config.host, config.port, limit=_LONGEST_LINE)
                try:
                    sent = True
                    writer.write(b"".join(commands))
                    await writer.drain()
                    replies = [await self._reply(reader) for _ in commands]
                finally:
                    writer.close()
        except (OSError, EOFError) as error:  # TimeoutError is an OSError
            detail = f"{type(error).__name__}: {error}"
            if not sent:
                raise Unavailable("The queue can't be reached; nothing was sent.", detail=detail) from error
            raise UnknownOutcome("The queue gave no answer.", detail=detail) from error
        except ValueError as error:
            raise BadReply("The queue's answer can't be understood.", detail=str(error)) from error
        for reply in replies:
            _check(reply)
        return replies[-1]

    async def _reply(self, reader: asyncio.StreamReader) -> Reply:
        try:
            words = (await reader.readuntil(b"\r\n")).decode("ascii").split()
        except asyncio.LimitOverrunError as error:
            raise ValueError("a line without an end") from error
        if not words:
            raise ValueError("an empty line")
        if words[0] not in _WITH_DATA:
            return Reply(words, b"")
        size = int(words[-1])
        if not 0 <= size <= self._config.max_body:
            raise ValueError(f"{size} bytes of data")
        data = await reader.readexactly(size + 2)
        return Reply(words, data[:-2])


def _check(reply: Reply) -> None:
    """Raises what a reply means that isn't a success."""
    word = reply.words[0]
    if word in ("USING", "INSERTED", "FOUND", "DELETED", "OK"):
        return
    failure = _FAILURES.get(word)
    if failure is None:
        raise DoNotRetry("The queue refuses the command.", detail=" ".join(reply.words))
    raise type(failure)(failure.message)
