"""A workspace's folder is read once, as bytes: `gateway.yaml`, `openapi/` and `policies/`, bounded, never outside."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from gateway.routing.model import Finding, InvalidWorkspace

Stamp: TypeAlias = tuple[tuple[str, int, int, int], ...]

_MAX_FILE = 8 * 2**20
_MAX_SOURCE = 32 * 2**20
"""Bytes of a file below `openapi/sources/`, which holds what upstreams say of themselves."""
_MAX_TOTAL = 64 * 2**20
_MAX_FILES = 5_000
INTERRUPTED = ".figway/import/decided.json"
"""Is there while `figway import` puts its files in place: until then they don't fit together."""


def read_workspace(directory: Path) -> dict[str, bytes]:
    """The workspace's files by POSIX path relative to `directory`; hidden files are left out.

    Raises `InvalidWorkspace` when there is no `gateway.yaml`, an import was interrupted, a link leads outside, or a
    bound is passed (8 MiB a file, 32 MiB below `openapi/sources/`, 64 MiB and 5,000 files in all). Blocks: call
    it on a thread.
    """
    root = directory.resolve()
    if not (root / "gateway.yaml").is_file():
        sentence = f"there is no gateway.yaml in {directory}: 'figway init' makes one"
        raise InvalidWorkspace((Finding("gateway.yaml", 0, "", sentence),))
    if (root / INTERRUPTED).exists():
        sentence = "an import was interrupted: run 'figway import' once more, it completes what it began"
        raise InvalidWorkspace((Finding("gateway.yaml", 0, "", sentence),))
    files: dict[str, bytes] = {}
    findings: list[Finding] = []
    total = 0
    for path in _paths(root):
        name = path.relative_to(root).as_posix()
        content = _content(path, root, name, findings)
        total += len(content)
        if len(files) == _MAX_FILES or total > _MAX_TOTAL:
            sentence = f"the workspace holds more than {_MAX_FILES} files or {_MAX_TOTAL} bytes: move data elsewhere"
            raise InvalidWorkspace((*findings, Finding(name, 0, "", sentence)))
        files[name] = content
    if findings:
        raise InvalidWorkspace(tuple(findings))
    return files


def stamp_workspace(directory: Path) -> Stamp:
    """What changes whenever one of the workspace's files does, without reading them. Blocks: call it on a thread."""
    stats = []
    for path in _paths(directory.resolve()):
        with suppress(OSError):  # gone meanwhile: the next look tells
            stat = path.stat()
            stats.append((str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(stats)


def unfit(files: Mapping[str, bytes]) -> str | None:
    """Why `read_workspace` would refuse a workspace of those files, a sentence; None: it wouldn't."""
    big = next((name for name, content in files.items() if len(content) > _most(name)), None)
    if big is not None:
        return f"{big} would be larger than {_most(big) >> 20} MiB"
    if len(files) > _MAX_FILES or sum(map(len, files.values())) > _MAX_TOTAL:
        return f"the workspace would hold more than {_MAX_FILES:,} files or {_MAX_TOTAL >> 20} MiB"
    return None


def _most(name: str) -> int:
    return _MAX_SOURCE if name.startswith("openapi/sources/") else _MAX_FILE


def _paths(root: Path) -> Iterator[Path]:
    yield root / "gateway.yaml"
    for top in ("openapi", "policies"):
        for folder, folders, names in os.walk(root / top):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _content(path: Path, root: Path, name: str, findings: list[Finding]) -> bytes:
    try:
        target = path.resolve(strict=True)
        if not target.is_relative_to(root) or not target.is_file():
            findings.append(Finding(name, 0, "", "this isn't a file within the workspace: put the file itself here"))
            return b""
        with target.open("rb") as stream:
            content = stream.read(_most(name) + 1)
    except OSError as error:
        findings.append(Finding(name, 0, "", f"the file can't be read: {error.strerror}"))
        return b""
    if len(content) > _most(name):
        findings.append(Finding(name, 0, "", f"the file is larger than {_most(name)} bytes: split it"))
        return b""
    return content
