"""The mappings of snapshots, old ones too: compiled again from the files that the store keeps, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from adapters.capabilities import SupportsElements
from adapters.contract import Adapter, Json
from gateway.lineage.answer import May, Record, told, told_without_snapshot
from gateway.lineage.origins import Origins
from gateway.routing.groups import stages_of
from gateway.routing.load import compile_workspace
from gateway.routing.model import Compiled, InvalidWorkspace
from gateway.store.contract import NoSuchSnapshot, State

_KEPT = 4
"""Snapshots that are kept compiled."""


@dataclass(frozen=True, slots=True)
class Mappings:
    """One snapshot, as lineage needs it."""

    compiled: Compiled
    origins: Origins
    adapters: Mapping[str, Adapter]

    @classmethod
    def of(cls, compiled: Compiled, adapters: Mapping[str, Adapter]) -> Mappings:
        """The mappings of a snapshot and its adapters, which needn't be open."""
        return cls(compiled, Origins(compiled), adapters)

    def element(self, upstream: str, operation: str, pointer: str) -> str | None:
        """The upstream's own name for a part of what its operation answers; None where it has none."""
        adapter = self.adapters.get(upstream)
        return adapter.element(operation, pointer) if isinstance(adapter, SupportsElements) else None


class Snapshots:
    """Those that were asked for last. Safe for several threads; compiling blocks, up to seconds, one at a time."""

    def __init__(self, load: Callable[[int], Mappings]) -> None:
        self._load = load
        self._kept: dict[int, Mappings] = {}
        self._lock = Lock()

    def get(self, version: int, served: Callable[[], Mappings | None] = lambda: None) -> Mappings:
        """The snapshot of that number, taken from `served` where that has it; raises what loading does."""
        with self._lock:
            found = self._kept.pop(version, None) or served() or self._load(version)
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[version] = found
            return found


def stored(state: State, cache: Path, environment: Mapping[str, str]) -> Snapshots:
    """The snapshots of a store; `cache` is a folder for what adapters derive from files. Loading raises `StoreError`
    or `InvalidWorkspace`."""

    def load(version: int) -> Mappings:
        stored, files = state.snapshot(version)
        stages = stages_of(stored.stages)
        loaded = compile_workspace(files, cache=cache, environment=environment, strict_secrets=False, stages=stages)
        return Mappings.of(loaded.compiled, loaded.adapters)

    return Snapshots(load)


def explained(
    record: Record, snapshots: Snapshots, served: Callable[[], Mappings | None], may: May = lambda _: True
) -> dict[str, Json]:
    """What is told of the call of a record; without its fields when its snapshot can't be had any more, and without the
    parts of routes that whoever asks may not call. Blocks."""
    try:
        found = snapshots.get(record["snapshot"], served)
    except (NoSuchSnapshot, InvalidWorkspace):
        return {**told_without_snapshot(record), "note": "The snapshot that served the call can't be loaded."}
    return told(record, found.compiled, found.origins, found.element, may)


def call_of(records: Iterable[Record]) -> Record | None:
    """Of all that is written of one id, how the call ended; None where that isn't written (yet)."""
    return next((each for each in records if each.get("kind", "call") == "call"), None)
