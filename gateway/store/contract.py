"""What a state store is: numbered snapshots of the workspace, and API keys. SQLite serves it; another database may.

Every method blocks, so callers on the event loop go through `gateway.store.offload`. Methods are safe to call from
several threads and several processes at once.

    StoreError
    ├── Moved               somebody else published first
    ├── NoSuchSnapshot      no snapshot has that number
    └── NewerState          the store was written by a newer figway
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

import orjson

Stages: TypeAlias = Mapping[str, Mapping[str, Any]]
NO_STAGES: Stages = MappingProxyType({})
NO_EVIDENCE: Mapping[str, Any] = MappingProxyType({})
MOST_REVOKED = 100_000
"""Revocations of tokens that are in force at a time: each worker holds them all."""

MOST_STOPS = 10_000
"""Stops that are in force at a time: each worker holds them all."""


class StoreError(Exception):
    """The store can't do what was asked; the message is one sentence for an operator."""


class Moved(StoreError):
    """The active snapshot isn't the one that the publisher started from; `active` is the one that is (None: none)."""

    def __init__(self, expected: int | None, active: int | None) -> None:
        super().__init__(
            f"the active snapshot is {active or 'none'}, not {expected or 'none'}: somebody published first"
        )
        self.active = active


class NoSuchSnapshot(StoreError):
    """No snapshot has that number."""


class NewerState(StoreError):
    """The store was written by a newer version of figway, which may mean things that this one doesn't know."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Which of the workspace's files differ from the snapshot before, by path, sorted."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """Who published a snapshot, when and why. `version` counts from 1; `hash` is `files_hash` of its files,
    `parent_hash` the content's hash of the snapshot before (of its files, where an older version published that)."""

    version: int
    hash: str
    parent_hash: str | None
    author: str
    reason: str
    ticket: str | None
    time: datetime
    difference: Difference = field(default_factory=Difference)
    stages: Stages = field(default_factory=dict)
    """Every route group's stage by the group's name, as `gateway.routing.groups.stage_document` writes it."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What moved the autopilot to it, where it was the one."""
    content_hash: str = ""
    """`content_hash` of it; empty where an older version published it."""

    @property
    def link(self) -> str:
        """What the next snapshot names as its parent's hash."""
        return self.content_hash or self.hash

    def follows(self, before: StoredSnapshot | None) -> bool:
        """Whether it holds what was published, right after `before` (None: nobody knows what was before)."""
        if self.content_hash and self.content_hash != content_hash(self):
            return False
        return before is None or (self.parent_hash == before.link and self.version == before.version + 1)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One API key, without its secret: `mac` is HMAC-SHA256 of the whole key under the pepper called `pepper`, hex.

    Times are aware, UTC; `expires` and `revoked` are None while they don't apply. `scopes` is what the key is narrowed
    to (None: it isn't), `used` when it was last seen, to the minute (None: never).
    """

    id: str
    mac: str
    pepper: str
    principal: str
    agent: str | None
    roles: tuple[str, ...]
    tenant: str | None
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    scopes: tuple[str, ...] | None = None
    used: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredStop:
    """A kill switch that is thrown: calls that are all of what it names are refused. One at least of `agent`, `run`
    and `operation` (an operationId) is named; None means any. `time` is aware, UTC."""

    id: str
    agent: str | None
    run: str | None
    operation: str | None
    reason: str
    author: str
    time: datetime


class State(Protocol):
    """One state store. Snapshots are only ever added: a step back is a new snapshot with an old one's files."""

    def publish(
        self,
        files: Mapping[str, bytes],
        *,
        expected_parent: int | None,
        author: str,
        reason: str,
        ticket: str | None = None,
        stages: Stages = NO_STAGES,
        evidence: Mapping[str, Any] = NO_EVIDENCE,
    ) -> StoredSnapshot:
        """Adds a snapshot and makes it the active one, if `expected_parent` (None: there is none yet) still is.

        Of several that start from the same parent exactly one wins; the others get `Moved`.
        """
        ...

    def active(self) -> int | None:
        """The number of the snapshot published last; None: there is none yet."""
        ...

    def snapshot(self, version: int) -> tuple[StoredSnapshot, dict[str, bytes]]:
        """A snapshot and its files by path; raises `NoSuchSnapshot`."""
        ...

    def active_snapshot(self) -> StoredSnapshot | None:
        """The snapshot published last, without its files; None: there is none yet."""
        ...

    def history(self, limit: int = 50) -> list[StoredSnapshot]:
        """The snapshots published last, newest first."""
        ...

    def add_key(self, key: StoredKey) -> None:
        """Adds an API key; raises `StoreError` when its id is taken."""
        ...

    def all_keys(self) -> list[StoredKey]:
        """Every API key, revoked and expired ones too, oldest first."""
        ...

    def revoke_key(self, id: str, at: datetime) -> bool:
        """Revokes an API key; False: no key has that id. One that is revoked already keeps its first time."""
        ...

    def note_key_uses(self, uses: Mapping[str, datetime]) -> None:
        """Notes when API keys were used last, by id; an earlier time than the one that is known changes nothing."""
        ...

    def revoke_token(self, jti: str, at: datetime, expires: datetime | None) -> None:
        """Revokes an issuer's tokens of that id, until `expires` (None: for good). Revocations that have expired go;
        raises `StoreError` when there are more than `MOST_REVOKED`."""
        ...

    def revoked_tokens(self, at: datetime) -> frozenset[str]:
        """The ids of the tokens whose revocation is in force."""
        ...

    def add_stop(self, stop: StoredStop) -> StoredStop:
        """Adds a stop; the one that names the same already, where there is one. Raises `StoreError` when there are
        `MOST_STOPS`."""
        ...

    def remove_stop(self, id: str) -> StoredStop | None:
        """Takes a stop away, and tells which it was; None: there is none of that id."""
        ...

    def stops(self) -> list[StoredStop]:
        """The stops that are in force, oldest first."""
        ...

    def close(self) -> None: ...


def files_hash(files: Mapping[str, bytes]) -> str:
    """SHA-256, hex, over every file in order of path: the path, a zero byte, the content's SHA-256."""
    whole = hashlib.sha256()
    for path, content in sorted(files.items()):
        whole.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
    return whole.hexdigest()


def content_hash(snapshot: StoredSnapshot) -> str:
    """SHA-256, hex, over a snapshot's files (by their hash), stages and evidence, who published it, when and why, and
    its parent's hash: so that each stands for all before it."""
    names = ("version", "hash", "parent_hash", "author", "reason", "ticket")
    about = [*(getattr(snapshot, name) for name in names), snapshot.time.astimezone(UTC).isoformat()]
    whole = [*about, dict(snapshot.stages), dict(snapshot.evidence)]
    return hashlib.sha256(orjson.dumps(whole, default=dict, option=orjson.OPT_SORT_KEYS)).hexdigest()
