"""Where the demo's files lie: in the repository, or in the installed package."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent


def workspace_dir() -> Path:
    """The demo's workspace: the copy that an installed package carries, else the repository's root.

    Raises FileNotFoundError where neither has a `gateway.yaml`.
    """
    for folder in (HERE / "workspace", HERE.parent.parent):
        if (folder / "gateway.yaml").is_file() and (folder / "openapi" / "sources").is_dir():
            return folder
    raise FileNotFoundError(f"the demo's workspace is missing: neither {HERE}/workspace nor the repository's root")


def sources(name: str) -> Path:
    """The folder `openapi/sources/NAME` of the demo's workspace."""
    return workspace_dir() / "openapi" / "sources" / name
