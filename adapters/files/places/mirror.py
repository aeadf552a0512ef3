"""The copy of a place in a folder of ours, through which it is read like any other folder.

A file is fetched beside its name, given the time that it has at its place, and renamed; what is gone there goes here.
A lock and a small file of state let all workers of a host share one mirror.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from adapters.errors import Unavailable
from adapters.files.alone import alone
from adapters.files.folder import Pattern
from adapters.files.places.place import Place, There

_STATE = ".state"
_ERRAND = 500
"""Files that are fetched at once."""


class Mirror:
    """Methods block. `patterns`: what is mirrored of the place, what belongs to these files included."""

    def __init__(self, place: Place, root: Path, patterns: Sequence[Pattern], every: float, max_bytes: int) -> None:
        self._place = place
        self.root = root
        self._patterns = patterns
        self._every = every
        self._max_bytes = max_bytes
        self._ours: dict[str, tuple[int, float]] = {}
        """What was written from here: its size, and when that had ended."""

    def refresh(self, *, force: bool = False) -> None:
        """Looks at the place where that is due, and fetches what is new; raises `Unavailable`."""
        started = time.time()
        try:
            with alone(self.root, ".lock"):
                state = self._state()
                looked = state.get("looked", 0.0)
                if looked >= started or (not force and 0 <= started - looked < self._every):
                    return
                self._looked(state)
        except OSError as error:
            raise Unavailable("the mirror of the place can't be written", detail=str(error)) from error

    def write(self, path: str, data: bytes, *, over: bool) -> str:
        """Writes a file at the place; answers its path."""
        self._place.write(path, data, over=over)
        # Whoever wrote it reads it at once, also where a job has taken it away before the next look.
        with suppress(OSError):
            self._copied(path, data)
        self._ours[path] = len(data), time.time()
        return path

    def _copied(self, path: str, data: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".written-{secrets.token_hex(8)}.tmp"
        try:
            temporary.write_bytes(data)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def _looked(self, state: dict[str, Any]) -> None:
        began = time.time()
        folders = sorted({"/".join(each.folders) for each in self._patterns})
        found = self._place.files(folders, self._wants)
        there = {path: each for path, each in found.items() if self._wants(path)}
        if sum(each.size for each in there.values()) > self._max_bytes:
            raise Unavailable(f"the place has more than the {self._max_bytes} bytes that may be mirrored")
        listed = {path: [each.size, each.modified, each.tag] for path, each in there.items()}
        before, known = state.get("listed", {}), state.get("have", {})
        # What may still be growing must look the same twice; what we wrote was renamed.
        ours, sure = self._wrote(began), not self._place.settles
        fit = {p: t for p, t in there.items() if sure or before.get(p) == listed[p] or ours.get(p) == t.size}
        # Also what another process wrote, and didn't live to tell of.
        have = {path: known.get(path, []) for path in self._here()}
        have |= self._fetched({path: each for path, each in fit.items() if have.get(path) != listed[path]}, listed)
        # A job publishes what it made and then takes away what it read: that goes here when what came is sure, too.
        missing, waited = have.keys() - there.keys(), set(state.get("gone", []))
        gone = {path for path in missing if path in waited or (sure and path in known)}
        for path in gone:
            (self.root / path).unlink(missing_ok=True)
        have = {path: version for path, version in have.items() if path not in gone}
        # As old as its beginning: whoever wrote meanwhile has to look again.
        self._keep({"looked": began, "listed": listed, "have": have, "gone": sorted(missing - gone)})

    def _wrote(self, began: float) -> dict[str, int]:
        """The sizes of what was written from here; what a look that began then must have seen is forgotten."""
        known = dict(self._ours)
        for path, (_, ended) in known.items():
            if ended < began:
                self._ours.pop(path, None)
        return {path: size for path, (size, _) in known.items()}

    def _here(self) -> set[str]:
        found: set[str] = set()
        for folders in {each.folders for each in self._patterns}:
            with suppress(FileNotFoundError), os.scandir(self.root.joinpath(*folders)) as listed:
                found |= {"/".join((*folders, each.name)) for each in listed if each.is_file(follow_symlinks=False)}
        return {path for path in found if self._wants(path)}

    def _wants(self, path: str) -> bool:
        *folders, name = path.split("/")
        return any(each.folders == tuple(folders) and each.wants(name) for each in self._patterns)

    def _fetched(self, new: Mapping[str, There], listed: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        done: dict[str, list[Any]] = {}
        paths = list(new)
        for first in range(0, len(paths), _ERRAND):
            some = paths[first : first + _ERRAND]
            beside = {path: self._beside(path, number) for number, path in enumerate(some)}
            try:
                for path in self._place.fetch({path: (new[path], beside[path]) for path in some}):
                    os.utime(beside[path], (new[path].modified, new[path].modified))
                    os.replace(beside[path], self.root / path)
                    done[path] = listed[path]
            finally:
                for path in some:
                    beside[path].unlink(missing_ok=True)
        return done

    def _beside(self, path: str, number: int) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.parent / f".fetched-{number}.tmp"

    def _state(self) -> dict[str, Any]:
        try:
            found = json.loads((self.root / _STATE).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _keep(self, state: Mapping[str, Any]) -> None:
        temporary = self.root / f"{_STATE}.tmp"
        temporary.write_text(json.dumps(state))
        os.replace(temporary, self.root / _STATE)
