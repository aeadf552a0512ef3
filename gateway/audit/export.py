"""Handing the audit over, a line a record: streamed, so that any amount needs as much memory as a few segments.

`ndjson` is the records as they are stored, byte for byte, those of one writer in their order: what was pruned later can
be proven whole from it. The other formats are made of opened records.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import orjson

from gateway.audit.archive import Archive, Readable
from gateway.audit.export_cloudevents import cloudevent
from gateway.audit.export_ocsf import ocsf
from gateway.audit.question import NO_RECORD, Question, microseconds

Unseal: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

FORMATS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]] | None] = {
    "ndjson": None,
    "cloudevents": cloudevent,
    "ocsf": ocsf,
}
"""Name → what it makes of a record; None: the line as it is stored."""


def export(archive: Archive, question: Question, format: str, unseal: Unseal) -> Iterator[bytes]:
    """Each record that the question means as a line, oldest first; raises `AuditError`.

    The writers' records are merged by time; those of one writer stay in the order in which they were written.
    """
    make = FORMATS[format]
    streams = (_timed(source, question.since) for source in archive)
    for _, line, record in heapq.merge(*streams, key=lambda each: each[0]):
        opened = unseal(record)
        with suppress(*NO_RECORD):
            if question.matches(opened):
                yield (line if make is None else orjson.dumps(make(opened))) + b"\n"


def _timed(source: Readable, since: int | None) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    """A writer's records since then, and some before, in order, with their time."""
    for segment in source.segments():
        # Calls begin before they are written.
        if since is not None and segment.time < since:
            continue
        for line in segment.body.split(b"\n")[:-1]:
            # A line that is no record is for `verify` to tell.
            with suppress(*NO_RECORD):
                record = orjson.loads(line)
                yield microseconds(record["time"]), line, record
