"""The demo's workspace as it is when the files are far away: the same, but that they are at an SFTP server."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from gateway.demo.place import workspace_dir

_ROOT = "    root: env:DROP_DIR\n"
_FEW = 1.0
_DEADLINE = re.compile(r"^( +deadline: )([0-9]+)s$", re.MULTILINE)
_LATE, _LEAST = 8, 25
"""What writes, looks and fetches one after another is late so many times; seconds that deadlines grow at least."""


def far_workspace(folder: Path, sftp: Mapping[str, object], latency: float) -> Path:
    """Writes the workspace into `folder`, made anew, and answers it.

    `sftp` is the place as `gateway.yaml` has it; `latency` in seconds. Raises ValueError where the demo's workspace
    doesn't name the folder of files any more.
    """
    shutil.rmtree(folder, ignore_errors=True)
    home = workspace_dir()
    for name in ("openapi", "policies"):
        shutil.copytree(home / name, folder / name)
    text = (home / "gateway.yaml").read_text()
    if _ROOT not in text:
        raise ValueError(f"{home / 'gateway.yaml'} has no '{_ROOT.strip()}'")
    place = {"sftp": dict(sftp), "every": f"{max(_FEW, 2 * latency):g}s"}
    text = text.replace(_ROOT, f"    place: {json.dumps(place)}\n")
    more = max(_LEAST, math.ceil(_LATE * latency))
    text = _DEADLINE.sub(lambda found: f"{found[1]}{int(found[2]) + more}s", text)
    (folder / "gateway.yaml").write_text(text)
    return folder
