"""Kind `files`: records in files that batch jobs and uploads leave in a folder."""

from __future__ import annotations

from adapters.contract import Kind, Workspace
from adapters.errors import ConfigError
from adapters.files.adapter import FilesAdapter, LookupFilesAdapter
from adapters.files.compile import descriptions
from adapters.files.config import Config
from adapters.files.exchanges import faults


def build(name: str, config: Config, workspace: Workspace) -> FilesAdapter:
    """The adapter; parses the copybooks. Raises `ConfigError`."""
    found = descriptions(config, workspace.files)
    problems = list(faults(config, found))
    if problems:
        raise ConfigError(problems)
    tells = config.exchanges or any(dataset.claim is not None for dataset in config.datasets.values())
    kind = LookupFilesAdapter if tells else FilesAdapter
    return kind(name, config, found, workspace)


KIND = Kind("files", Config, build)
