"""What came of comparisons, kept for people: a summary and the last redacted samples of each group.

Each worker writes its own file, `parity/GROUP/SLOT.json` in the state folder, readable by its owner only; whoever asks
adds up those of one epoch. An epoch ends when the group's stage or its rules of parity change: what was compared by
other rules says nothing any more.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from adapters.contract import Json
from gateway.audit.arguments import canonical
from gateway.migration.compare.model import Comparison
from gateway.migration.compare.redact import Redactor
from gateway.migration.compare.summary import Summary
from gateway.migration.model import Group
from gateway.routing.parity_schema import ParityModel

logger = logging.getLogger("figway")

_PULSE = 0.5
"""Seconds between looks at what has to be written."""
KEPT = 50
"""Samples that a worker keeps of a group, the newest."""


@dataclass(slots=True)
class Kept:
    """What one worker keeps of a group since its epoch began (`since`: seconds since the epoch)."""

    epoch: str
    stage: str
    since: float
    summary: Summary = field(default_factory=Summary)
    samples: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))
    left_out: Counter[str] = field(default_factory=Counter)
    """Why sampled calls weren't compared, and how many: all full (`dropped`), no token (`no budget`), and so on."""
    written: bool = False

    def to_json(self) -> dict[str, Any]:
        """The file's document."""
        head = {"epoch": self.epoch, "stage": self.stage, "since": self.since}
        kept = {"samples": list(self.samples), "left_out": dict(self.left_out)}
        return {**head, "summary": self.summary.to_json(), **kept}

    @classmethod
    def read(cls, path: Path) -> Kept | None:
        """What a file holds; None: there is none, or none that can be read."""
        try:
            found = orjson.loads(path.read_bytes())
            summary, samples = Summary.from_json(found["summary"]), deque(found["samples"], KEPT)
            left_out = Counter(found["left_out"])
            return cls(found["epoch"], found["stage"], found["since"], summary, samples, left_out, written=True)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


class Keeping:
    """Keeps what comes of one group's comparisons in this epoch."""

    def __init__(self, kept: Callable[[], Kept], redactor: Redactor) -> None:
        self._kept, self._redactor = kept, redactor

    def __call__(self, operation: str, comparison: Comparison) -> None:
        """Keeps what came of one comparison, by the operation that was called."""
        kept = self._kept()
        kept.written = False
        kept.summary.add(comparison, self._redactor)
        if comparison.verdict not in ("match", "tolerated"):
            sample = self._redactor.comparison(comparison)
            kept.samples.append({"operation": operation, "time": round(time.time(), 3), **sample})

    def left_out(self, why: str) -> None:
        """Counts a call of which the other side wasn't asked, or that couldn't be compared."""
        kept = self._kept()
        kept.written = False
        kept.left_out[why] += 1


class Samples:
    """One worker's. `slot` is its number on this host; `secret` keys the hashes of values. For one event loop."""

    def __init__(self, folder: Path, slot: int, secret: bytes) -> None:
        self._folder, self._slot, self._secret = folder, slot, secret
        self._kept: dict[str, Kept] = {}

    def keeping(self, group: Group, parity: ParityModel) -> Keeping:
        """What keeps what comes of a group's comparisons, by these rules."""
        epoch, stage = epoch_of(group, parity), group.stage.reads
        return Keeping(lambda: self._of(group.name, epoch, stage), self.redactor(parity))

    def trying(self, group: Group, parity: ParityModel, generation: Callable[[str], int]) -> Keeping:
        """What keeps what comes of a group's dry runs since it is at its stage, which `generation` tells."""
        name, rules = tried_of(group.name), parity.model_dump_json()

        def kept() -> Kept:
            epoch = sha256(f"{generation(group.name)}|{rules}".encode()).hexdigest()[:16]
            return self._of(name, epoch, group.stage.writes)

        return Keeping(kept, self.redactor(parity))

    def redactor(self, parity: ParityModel) -> Redactor:
        """What makes of values that differ what may be kept of them."""
        return Redactor(parity.samples, self._hashed)

    def _of(self, group: str, epoch: str, stage: str) -> Kept:
        kept = self._kept.get(group)
        if kept is None:  # a worker that starts anew goes on where the last one of its slot ended
            kept = Kept.read(self._path(group))
        if kept is None or kept.epoch != epoch:
            kept = Kept(epoch, stage, time.time())
        self._kept[group] = kept
        return kept

    async def pulse(self) -> None:
        """Writes what has changed, twice a second; runs until it's cancelled."""
        while True:
            await asyncio.sleep(_PULSE)
            for name, kept in tuple(self._kept.items()):
                if not kept.written:
                    kept.written = True
                    document = orjson.dumps(kept.to_json(), default=str)
                    await asyncio.to_thread(self._write, name, document)

    def close(self) -> None:
        """Writes what isn't written yet; blocks."""
        for name, kept in self._kept.items():
            if not kept.written:
                self._write(name, orjson.dumps(kept.to_json(), default=str))

    def _write(self, group: str, document: bytes) -> None:
        path = self._path(group)
        draft = path.with_suffix(".draft")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(document)
            draft.replace(path)
        except OSError as error:
            logger.error("the parity of group %s can't be written: %s", group, error)

    def _path(self, group: str) -> Path:
        return folder_of(self._folder, group) / f"{self._slot}.json"

    def _hashed(self, value: Json) -> str:
        return hmac.digest(self._secret, canonical(value), "sha256").hex()[:16]


def epoch_of(group: Group, parity: ParityModel) -> str:
    """Changes with the stage of the group's reads, and with its rules."""
    return sha256(f"{group.stage.reads}|{parity.model_dump_json()}".encode()).hexdigest()[:16]


def tried_of(group: str) -> str:
    """The name under which a group's dry runs are kept, beside the group's own."""
    return f"{group}.writes"


def folder_of(folder: Path, group: str) -> Path:
    """Where the files of a group are, below the state folder's `parity`."""
    return folder / quote(group, safe="").replace(".", "%2E")


def parity_of(folder: Path, group: str) -> dict[str, Any] | None:
    """What all workers of the host keep of a group, as JSON; None: nothing was compared. Blocks.

    Of several epochs the newest counts. `worst` are the places in which the sides differ most, `samples` the newest.
    """
    found = [kept for path in _files(folder_of(folder, group)) if (kept := Kept.read(path)) is not None]
    if not found:
        return None
    newest = max(found, key=lambda kept: kept.since)
    mine = [kept for kept in found if kept.epoch == newest.epoch]
    summary = Summary()
    left_out: Counter[str] = Counter()
    for kept in mine:
        summary.merge(kept.summary)
        left_out += kept.left_out
    samples = sorted((each for kept in mine for each in kept.samples), key=lambda each: -each["time"])
    worst = [{"at": at, "kind": kind, **place.to_json()} for at, kind, place in summary.worst()]
    return {
        "group": group,
        "stage": newest.stage,
        "since": min(kept.since for kept in mine),
        **summary.to_json(),
        "left_out": dict(left_out),
        "worst": worst,
        "samples": samples[:KEPT],
    }


def nothing_compared(group: str) -> dict[str, Any]:
    """The same where nothing was compared."""
    return {
        "group": group,
        "stage": None,
        "since": None,
        **Summary().to_json(),
        "left_out": {},
        "worst": [],
        "samples": [],
    }


def _files(folder: Path) -> Iterable[Path]:
    return sorted(folder.glob("*.json"))
