"""The demo's workspace as it is when the files are far away: the same, but that they are at an SFTP server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from gateway.demo.place import workspace_dir

_ROOT = "    root: env:DROP_DIR\n"
_FEW = 1.0
# What writes, looks and fetches one after another takes that long, each of them late.
_DEADLINES = {"    deadline: 5s\n": "    deadline: 30s\n", "  deadline: 10s\n": "  deadline: 40s\n"}


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
    for near, far in _DEADLINES.items():
        text = text.replace(near, far)
    (folder / "gateway.yaml").write_text(text)
    return folder
