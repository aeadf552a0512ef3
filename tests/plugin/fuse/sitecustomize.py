"""Kills a process of a test's at a step that was counted out beforehand: at any call of, or return to, some files.

`FIGWAY_FUSE` names a file of two 64-bit words: how many steps are left (0: the fuse isn't lit), and whom it killed.
`FIGWAY_FUSE_FILES` are the ends of the files' names, `FIGWAY_FUSE_QUIET` functions that don't count. All processes that
find this module on their path share the fuse, in every thread.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

_PATH = os.environ.get("FIGWAY_FUSE")
_FILES = tuple(os.environ.get("FIGWAY_FUSE_FILES", "").split(","))
_QUIET = frozenset(os.environ.get("FIGWAY_FUSE_QUIET", "").split(","))


def _light(path: str) -> None:
    with open(path, "r+b") as file:
        words = memoryview(mmap.mmap(file.fileno(), 16)).cast("q")

    def burn(frame: FrameType, _: str, __: Any) -> None:
        left = words[0]
        code = frame.f_code
        if left <= 0 or not code.co_filename.endswith(_FILES) or code.co_name in _QUIET:
            return
        words[0] = left - 1
        if left == 1:
            words[1] = os.getpid()
            os.kill(os.getpid(), signal.SIGKILL)

    def run(runner: asyncio.Runner, *arguments: Any, **named: Any) -> Any:
        sys.setprofile(burn)
        return begin(runner, *arguments, **named)

    threading.setprofile(burn)
    # Not before: importing everything under a profile takes thrice as long.
    begin = asyncio.Runner.run
    asyncio.Runner.run = run  # type: ignore[method-assign,assignment]


if _PATH:
    _light(_PATH)
