"""Callers that write through a gateway as fast as it answers, and note what they were told.

Plain sockets, since an HTTP client would be slower than the gateway."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass, field

_ID = re.compile(rb"\r\nfigway-lineage: (\S+)\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass
class Told:
    """What callers were told: the ids of calls that were answered, by status, and the items they asked to put."""

    by_status: dict[int, list[str]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    @property
    def ids(self) -> set[str]:
        return {id for ids in self.by_status.values() for id in ids}

    @property
    def counts(self) -> Counter[int]:
        return Counter({status: len(ids) for status, ids in self.by_status.items()})


async def write(port: int, key: str, told: Told, *, callers: int, prefix: str, until: asyncio.Event) -> None:
    """Puts items until told to stop, or until the gateway is gone."""

    async def caller(name: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            number = 0
            while not until.is_set():
                number += 1
                sku = f"{name}-{number}"
                told.asked.add(sku)
                status, id = await _put(reader, writer, key, sku)
                told.by_status.setdefault(status, []).append(id)
        finally:
            writer.close()

    names = [f"{prefix}.{each}" for each in range(callers)]
    gone = (OSError, asyncio.IncompleteReadError)
    for outcome in await asyncio.gather(*(caller(name) for name in names), return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, gone):
            raise outcome


async def _put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str, sku: str) -> tuple[int, str]:
    body = json.dumps({"sku": sku}).encode()
    head = f"POST /items HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    id, length = _ID.search(answer), _LENGTH.search(answer)
    assert id is not None
    assert length is not None
    await reader.readexactly(int(length[1]))
    return int(answer[9:12]), id[1].decode()
