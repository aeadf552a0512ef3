"""What is kept of captures: events, and how far each capture is."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from adapters.contract import Json
from gateway.instants import spelt_of
from gateway.store.contract import StoreError

LOADED = "loaded"
"""What an event says that a replica is whole, and current from there on; its `after` is `{"rows": count}`."""


class Trimmed(StoreError):
    """Events behind that position are gone: read the replica, and go on from the log's end."""


class Phase(StrEnum):
    """How far a capture is."""

    NEW = "new"
    LOADING = "loading"
    LIVE = "live"


class Standing(NamedTuple):
    """One capture as the file has it. Times are seconds since 1970, 0: never."""

    number: int
    name: str
    """`UPSTREAM.CAPTURE`."""
    digest: str
    phase: Phase
    position: str
    cursor: bytes
    """JSON: where the load goes on."""
    load: int
    """The number of the load that is under way, or was the last."""
    loaded: int
    """How many rows that load has read."""
    truncates: int
    rows: int
    """How many the replica has."""
    current: float
    """The replica has all that was committed by then."""
    note: str
    """What keeps it from going on, in a sentence."""
    alarm: str
    """What somebody should look at, though it goes on."""
    wanted: str
    """What somebody asked for: `load`, `accept` (deletes that were refused) or nothing."""
    as_of: float = 0.0
    """When what it has was true, where that was before `current`: of files, their delivery."""
    replica: int = 0
    """The number by which its rows are kept."""
    former: float | None = None
    """`current` of the replica of another shape that answers until this one is whole; None: there is none."""
    compared: float = 0.0
    """When it was last held against its source as a whole, beside changes."""
    differed: int = 0
    """How many rows differed then."""
    whole: int = 0
    """1 once a load of this replica has ended, though `current` may be unknown."""

    @property
    def true(self) -> float:
        """When all that the replica has was true."""
        return min(self.current, self.as_of) if self.as_of else self.current


class Former(NamedTuple):
    """A replica whose rows have another shape than the capture's have now; see `Standing`."""

    replica: int
    digest: str
    rows: int
    current: float
    as_of: float


class Event(NamedTuple):
    """One change as the log has it."""

    sequence: int
    capture: str
    id: str
    what: str
    key: str
    """JSON: the key's values; empty where it has none."""
    before: bytes | None
    after: bytes | None
    at: float | None
    """When it was committed at the source, where that tells."""
    captured: float

    def document(self) -> dict[str, Json]:
        """As CloudEvents 1.0 has it, in its JSON format."""
        made: dict[str, Json] = {
            "specversion": "1.0",
            "id": self.id,
            "source": f"/changes/{self.capture.replace('.', '/')}",
            "type": f"figway.change.{self.what}",
            "time": spelt_of(self.captured if self.at is None else self.at, "auto"),
            "datacontenttype": "application/json",
            # CloudEvents' own extension `sequence`: positions of one log, in their order as texts.
            "sequence": f"{self.sequence:020d}",
            "capturedtime": spelt_of(self.captured, "auto"),
            "data": {"before": _json(self.before), "after": _json(self.after)},
        }
        if self.key:
            made["subject"] = self.key
        return made


class Row(NamedTuple):
    """One row of a replica; `sequence` is the event that last changed it (0: it was loaded)."""

    key: str
    row: Mapping[str, Any]
    sequence: int


def key_text(values: tuple[Json, ...]) -> str:
    """A key as it is kept, such as `["A-1",7]`."""
    return orjson.dumps(values).decode()


def row_bytes(row: Mapping[str, Json]) -> bytes:
    """A row as it is kept: equal rows have equal bytes."""
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


def _json(data: bytes | None) -> Json:
    return None if data is None else orjson.loads(data)
