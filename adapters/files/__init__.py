"""Kind `files`: records in files that batch jobs and uploads leave in a folder."""

from __future__ import annotations

from adapters.contract import Kind, Workspace
from adapters.files.adapter import FilesAdapter
from adapters.files.compile import descriptions
from adapters.files.config import Config


def build(name: str, config: Config, workspace: Workspace) -> FilesAdapter:
    """The adapter; parses the copybooks. Raises `ConfigError`."""
    return FilesAdapter(name, config, descriptions(config, workspace.files), workspace)


KIND = Kind("files", Config, build)
