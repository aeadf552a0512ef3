"""Reading the audit: does a writer's chain hold, and what does it say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.audit.chain import Head, link
from gateway.audit.file import AuditError, stored


@dataclass(frozen=True, slots=True)
class Verdict:
    """What walking a writer's chain found: its end as far as it holds, and where it breaks (None: it holds)."""

    head: Head
    broken: str | None


def verify(path: Path) -> Verdict:
    """Walks the chain of one writer's file; raises `AuditError` when it can't be read."""
    head = Head.first(path.stem)
    for sequence, body, hash in _read(path):
        expected = head.count + 1
        if sequence != expected:
            return Verdict(head, f"record {expected} is missing")
        if hash != link(head.hash, sequence, body):
            return Verdict(head, f"record {sequence} isn't what was written, or not in its place")
        head = Head(head.writer, sequence, hash)
    return Verdict(head, None)


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Every record of every writer in `folder`, a writer's own in order; raises `AuditError`."""
    for path in sorted(folder.glob("writer-*.db")):
        for _, body, _ in _read(path):
            yield orjson.loads(body)


def _read(path: Path) -> Iterator[tuple[int, bytes, bytes]]:
    try:
        yield from stored(path)
    except sqlite3.Error as error:
        raise AuditError(f"the audit {path} can't be read: {error}") from error
