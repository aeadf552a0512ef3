"""Whether a group's dry runs are proven to have no effect, where only the upstream itself can prove it.

One small file a group and stage of its writes, in the folder of its dry runs: made before the first one is sent, it
then holds how that ended, until writes are at another stage. So of all workers of a host one alone asks without a
proof, and one that is killed meanwhile leaves a group whose dry runs have stopped.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from gateway.migration.model import Group
from gateway.migration.samples import folder_of, nothing_compared, parity_of, tried_of

logger = logging.getLogger("figway")

State: TypeAlias = Literal["asked", "given", "stopped"]
"""Of a proof: it is being asked for, it was given, or it wasn't: then there are no more dry runs."""
_PREFIX = "proof."


class Proofs:
    """Of all groups, each at its stage of writes. `folder` is that of comparisons. For one event loop; files are read
    and written on threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def claim(self, group: Group) -> State | None:
        """How the group's proof stands; None: it is for the caller to ask for, and then to say how that ended."""
        return await asyncio.to_thread(self._claim, self._path(group))

    async def settle(self, group: Group, state: State | None) -> None:
        """Says how asking ended; None: nothing was sent, so that another call asks."""
        await asyncio.to_thread(self._settle, self._path(group), group.name, state)

    def forget(self, groups: Mapping[str, Group]) -> None:
        """Forgets what was proven, or wasn't, at stages at which groups aren't any more. Blocks."""
        for group in groups.values():
            kept = self._path(group)
            for path in kept.parent.glob(f"{_PREFIX}*"):
                if path != kept:
                    path.unlink(missing_ok=True)

    def _path(self, group: Group) -> Path:
        return folder_of(self._folder, tried_of(group.name)) / f"{_PREFIX}{group.stage.writes}"

    @staticmethod
    def _claim(path: Path) -> State | None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return _read(path)
        return None

    @staticmethod
    def _settle(path: Path, group: str, state: State | None) -> None:
        if state is None:
            path.unlink(missing_ok=True)
            return
        if state == "stopped":
            logger.error("%s group %s", STOPPED, group)
        draft = path.with_name(f"draft.{os.getpid()}")
        draft.write_text(state)
        draft.replace(path)


def _read(path: Path) -> State:
    """An empty file is one of which the end isn't known yet."""
    try:
        text = path.read_text()
    except FileNotFoundError:  # given back this very moment
        text = ""
    return next((each for each in get_args(State) if each == text), "asked")


STOPPED = (
    "dry runs have stopped, as the replacement didn't acknowledge one and may have made the change: mend it, then take "
    "writes back to legacy and to dry_run again;"
)


def stopped(folder: Path, group: str) -> str | None:
    """Why there are no more dry runs of a group at the stage dry_run, as a sentence; None: there are. Blocks."""
    path = folder_of(folder, tried_of(group)) / f"{_PREFIX}dry_run"
    return f"{STOPPED} group {group}" if path.exists() and _read(path) != "given" else None


def parity_document(folder: Path, group: str, *, trying: bool) -> dict[str, Any]:
    """What is known of a group's parity, as JSON; `dry_runs` is the same of its dry runs where it is `trying` them,
    with `stopped`, a sentence or null. Blocks."""
    found = parity_of(folder, group) or nothing_compared(group)
    if trying:
        name = tried_of(group)
        found["dry_runs"] = {**(parity_of(folder, name) or nothing_compared(name)), "stopped": stopped(folder, group)}
    return found
