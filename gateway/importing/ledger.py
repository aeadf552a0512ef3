"""`openapi/sources/UPSTREAM/import.json`: what an import remembers, so that the next one keeps names and edits.

Beside it stand what was generated (`contract.json`) and, in `base/`, what was read, as far as people may change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from gateway.importing.model import CantImport

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Ledger:
    """How an upstream was imported, and what came of it."""

    reader: str
    source: str
    """Where to read again, a path relative to the workspace; "" where that would tell a secret."""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    allowed_hosts: tuple[str, ...] = ()
    routes: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    """Route id → method, path, operationId."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Group → which of the contract's files it stands in."""
    writes: tuple[str, ...] = ()
    """The operationIds of the writes."""
    tests: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """What was written below `openapi/sources/UPSTREAM/` → SHA-256."""
    contracts: Mapping[str, str] = field(default_factory=dict)
    """The contract's files → SHA-256, as they were generated."""
    accepted: str = ""
    """SHA-256 of `contract.json`, which has the words that were accepted; empty: an import before there was this."""


def folder(upstream: str) -> str:
    """Where an upstream's sources stand."""
    return f"openapi/sources/{upstream}/"


def ledger_path(upstream: str) -> str:
    """Where an import remembers."""
    return folder(upstream) + "import.json"


def generated_path(upstream: str) -> str:
    """Where the contract stands as it was generated."""
    return folder(upstream) + "contract.json"


def read_ledger(files: Mapping[str, bytes], upstream: str) -> Ledger | None:
    """What the last import of an upstream remembered; None: there was none. Raises `CantImport`."""
    data = files.get(ledger_path(upstream))
    if data is None:
        return None
    try:
        found: dict[str, Any] = orjson.loads(data)
        if found.pop("version") != _VERSION:
            raise CantImport(f"{ledger_path(upstream)} was written by another version of figway: use that one")
        routes = {name: (route[0], route[1], route[2]) for name, route in found.pop("routes").items()}
        found |= {name: tuple(found[name]) for name in ("include", "exclude", "allowed_hosts", "writes")}
        return Ledger(**found, routes=routes)
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError) as error:
        sentence = f"{ledger_path(upstream)} can't be read: restore it, or remove it to import as if for the first time"
        raise CantImport(sentence) from error


def written_ledger(ledger: Ledger) -> bytes:
    """The file's content."""
    whole = {"version": _VERSION, **asdict(ledger)}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def imported(files: Mapping[str, bytes]) -> list[str]:
    """The upstreams that were imported."""
    ends = "/import.json"
    names = (name.removeprefix("openapi/sources/").removesuffix(ends) for name in files if name.endswith(ends))
    return sorted(name for name in names if "/" not in name)
