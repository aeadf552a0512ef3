"""The test's end of `tests/plugin/fuse/sitecustomize.py`: lights the fuse, and sees whom it killed."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

_PLUGIN = Path(__file__).with_name("plugin")


class Fuse:
    """Shared by the processes that are started with `environment`."""

    def __init__(self, path: Path, files: tuple[str, ...], quiet: tuple[str, ...] = ()) -> None:
        path.write_bytes(bytes(16))
        with path.open("r+b") as file:
            self._words = memoryview(mmap.mmap(file.fileno(), 16)).cast("q")
        named = {"FIGWAY_FUSE": str(path), "FIGWAY_FUSE_FILES": ",".join(files), "FIGWAY_FUSE_QUIET": ",".join(quiet)}
        self.environment = {**named, "PYTHONPATH": os.pathsep.join([str(_PLUGIN / "fuse"), str(_PLUGIN)])}

    def light(self, steps: int) -> None:
        """Kills whoever takes the last of so many steps."""
        self._words[1] = 0
        self._words[0] = steps

    def put_out(self) -> int:
        """Kills nobody any more; returns how many steps were left."""
        left, self._words[0] = self._words[0], 0
        return left

    @property
    def killed(self) -> int:
        """The process that was killed; 0: none yet."""
        return self._words[1]
