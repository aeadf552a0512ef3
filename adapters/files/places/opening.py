"""From a place's configuration to the mirror of it; the libraries of each protocol are loaded only when it is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapters.contract import Workspace
from adapters.errors import ConfigError, ConfigProblem
from adapters.files.config import Config
from adapters.files.dataset import Description
from adapters.files.folder import Pattern
from adapters.files.places.config import Place as PlaceConfig
from adapters.files.places.ftp import FtpPlace, trust
from adapters.files.places.mirror import Mirror
from adapters.files.places.place import Place


def mirror_of(config: Config, found: Iterable[Description], workspace: Workspace) -> Mirror | None:
    """The mirror of the upstream's place, None where it is a folder; raises `ConfigError`. No network."""
    if config.place is None:
        return None
    place = config.place
    patterns = [pattern for description in found for pattern in description.patterns]
    reached = _place(place, workspace.files)
    return Mirror(reached, workspace.cache / "mirror", _with_companions(config, patterns), place.every, place.max_bytes)


def _place(config: PlaceConfig, files: Mapping[str, bytes]) -> Place:
    if config.ftp is not None:
        return FtpPlace(config.ftp, trust(config.ftp, files))
    try:
        if config.smb is not None:
            from adapters.files.places.smb import SmbPlace

            return SmbPlace(config.smb)
        if config.sftp is not None:
            from adapters.files.places.sftp import SftpPlace

            return SftpPlace(config.sftp)
        from adapters.files.places.s3 import S3Place

        assert config.s3 is not None
        return S3Place(config.s3)
    except ImportError:
        problem = "files at a place need further packages; install 'figway[remote]'"
        raise ConfigError([ConfigProblem(problem, "/place")]) from None
    except ValueError as error:
        raise ConfigError([ConfigProblem(str(error), "/place")]) from None


def _with_companions(config: Config, patterns: Iterable[Pattern]) -> list[Pattern]:
    """The patterns, and those of the markers and manifests that say that a file is whole."""
    arrivals = [dataset.arrival for dataset in config.datasets.values()]
    suffixes = {suffix for each in arrivals for suffix in (each.marker, each.manifest) if suffix is not None}
    known = list(patterns)
    return [*known, *(Pattern(each.folders, each.name + suffix) for each in known for suffix in sorted(suffixes))]
