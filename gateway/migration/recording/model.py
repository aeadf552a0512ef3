"""A recording: one file of JSON lines, first what it is, then an exchange a line."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from adapters.contract import Json
from gateway.migration.compare.model import Observed
from gateway.routing.parity_schema import Samples

LAYOUT = 1
MOST_EXCHANGES = 100_000
"""Exchanges of a recording, at most."""
MOST_BYTES = 256 * 2**20
"""Bytes of one, at most."""


class BadRecording(Exception):
    """A file that is no recording, or isn't whole; the message says where."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a recording is. `key` hides values; `hash` is of the workspace that served; `begun` in seconds since the
    epoch; `left_out` counts why exchanges weren't recorded."""

    group: str
    key: bytes
    hash: str
    begun: float
    samples: Samples
    left_out: Mapping[str, int] = field(default_factory=dict)

    def line(self) -> bytes:
        """It as the first line."""
        return orjson.dumps(
            {
                "recording": LAYOUT,
                "group": self.group,
                "begun": self.begun,
                "workspace": self.hash,
                "key": b64encode(self.key).decode(),
                "samples": self.samples.model_dump(mode="json"),
                "left_out": dict(self.left_out),
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )

    @classmethod
    def of(cls, line: bytes) -> Head:
        """The head of a first line; raises `BadRecording`."""
        try:
            found = orjson.loads(line)
            if found["recording"] != LAYOUT:
                raise BadRecording("the recording was made by another version: record it anew")
            key = b64decode(found["key"], validate=True)
            samples = Samples.model_validate(found["samples"])
            return cls(found["group"], key, found["workspace"], found["begun"], samples, found["left_out"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadRecording("line 1 isn't the head of a recording") from error


class Exchange(NamedTuple):
    """What was asked, by the contract's names, and what legacy answered, hidden."""

    operation: str
    request: Mapping[str, Json]
    """`path`, `query` and `header`, and `body` where there was one."""
    reply: Observed

    def line(self) -> bytes:
        """It as a line."""
        status, body, problem = self.reply
        told: dict[str, Any] = {"operation": self.operation, "request": self.request, "status": status, "body": body}
        return orjson.dumps(told | ({"problem": problem} if problem else {}), option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def of(cls, line: bytes) -> Exchange:
        """The exchange of a line; raises `ValueError`, `KeyError` or `TypeError`."""
        found = orjson.loads(line)
        request = found["request"]
        if not all(isinstance(request[name], dict) for name in ("path", "query", "header")):
            raise ValueError("a request is objects of parameters")
        return cls(
            str(found["operation"]), request, Observed(int(found["status"]), found["body"], found.get("problem"))
        )


def write(path: Path, head: Head, lines: Iterable[bytes]) -> int:
    """Writes a new file that its owner alone may read, and answers how many exchanges it holds; raises `OSError`,
    also where there is a file already. Blocks."""
    written = size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(head.line())
        for line in lines:
            size += len(line)
            if written == MOST_EXCHANGES or size > MOST_BYTES:
                break
            file.write(line)
            written += 1
    return written


def read(path: Path) -> tuple[Head, Iterator[Exchange]]:
    """A recording; its exchanges are read as they are asked for. Raises `OSError` or `BadRecording`. Blocks."""
    if path.stat().st_size > 2 * MOST_BYTES:
        raise BadRecording(f"a recording has at most {MOST_BYTES // 2**20} MiB")
    with path.open("rb") as file:
        head = Head.of(file.readline())
    return head, _exchanges(path)


def _exchanges(path: Path) -> Iterator[Exchange]:
    with path.open("rb") as file:
        file.readline()
        for number, line in enumerate(file, 2):
            try:
                yield Exchange.of(line)
            except (ValueError, KeyError, TypeError) as error:
                raise BadRecording(f"line {number} isn't an exchange") from error
