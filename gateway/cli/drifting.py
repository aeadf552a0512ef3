"""What changed at the sources of imported upstreams, for `figway check --drift`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from gateway.importing import replacing
from gateway.importing.drift import Change, Grade
from gateway.importing.ledger import Ledger, imported, read_ledger
from gateway.importing.model import CantImport, Request
from gateway.importing.pipeline import changed
from gateway.importing.readers import chosen, reader
from gateway.routing.folder import read_workspace


@dataclass(frozen=True, slots=True)
class Drifted:
    """What changed at one upstream's source; `unread` says why that isn't known."""

    upstream: str
    changes: tuple[Change, ...] = ()
    unread: str = ""

    @property
    def ok(self) -> bool:
        """Whether callers needn't fear anything."""
        return not self.unread and all(each.grade is not Grade.BREAKING for each in self.changes)


def drifted(workspace: Path) -> list[Drifted]:
    """Every imported upstream, its source read again. Raises `InvalidWorkspace`."""
    files = read_workspace(workspace)
    return [_drifted(workspace, files, upstream) for upstream in imported(files)]


def _drifted(workspace: Path, files: dict[str, bytes], upstream: str) -> Drifted:
    try:
        ledger = read_ledger(files, upstream)
        if ledger is None or not ledger.source:
            raise CantImport(
                "its source isn't remembered, as it holds a secret: import it by a reference (env:NAME), or from a copy"
            )
        with TemporaryDirectory(prefix="figway-check-") as cache:
            request = asked_again(ledger, upstream, workspace, Path(cache))
            if ledger.reader == "openapi":
                changes = replacing.changed(files, request)
            else:
                changes = changed(files, request, reader(ledger.reader)(request))
    except CantImport as error:
        return Drifted(upstream, unread=str(error))
    return Drifted(upstream, tuple(changes))


def asked_again(ledger: Ledger, upstream: str, workspace: Path, cache: Path) -> Request:
    """What was asked for when an upstream was imported."""
    return Request(
        source=_placed(ledger.source, workspace),
        upstream=upstream,
        chosen=chosen(ledger.include, ledger.exclude),
        options={name: _placed(text, workspace) for name, text in ledger.options.items()},
        allowed_hosts=ledger.allowed_hosts,
        cache=cache,
    )


def _placed(text: str, workspace: Path) -> str:
    """A path as it stands from here, where it is one."""
    if urlsplit(text).scheme in ("http", "https", "env", "file"):
        return text
    path = workspace / text
    return str(path) if os.path.exists(path) else text
