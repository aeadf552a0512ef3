"""The gateway's own secret keys: a keyring each in the state folder, made when first asked for.

A ring's newest key signs. After a rotation the older ones still verify, until what they signed is over; a ring that
names no such time keeps them for good.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, Self

from gateway.store.durable import sync

_BYTES = 32
LIVES: Mapping[str, float] = {"cursor": 86_400.0, "plan": 86_400.0}
"""Ring → how many seconds a key still verifies after its rotation; for a ring that isn't here: for good."""


class KeyFileError(Exception):
    """A key's file can't be used; the message is one sentence that names it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret key of 256 bits, and the id by which what it signed names it."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """A key of a ring, and until when it verifies."""

    key: SigningKey
    until: float
    """Seconds since the epoch from which it verifies no more."""
    retired: float | None


class Keyring:
    """The keys of one name, kept in `<folder>/<name>.json` as `{"keys": [{"id", "key", "retired"}]}`, newest first.

    A file that holds one key, `{"id", "key"}`, is read too, and written anew in this form.
    """

    def __init__(self, path: Path, kept: tuple[Kept, ...]) -> None:
        self._path = path
        self._set(kept)

    @classmethod
    def open(cls, folder: Path, name: str) -> Self:
        """The ring called `name`, with a first key where there was none; raises `KeyFileError`. Blocks.

        Of several processes that find none, one makes it and all use that one.
        """
        path = folder / f"{name}.json"
        with _described(path):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                _create(path)
            kept, old = _read(path)
            if old:
                with _locked(folder):
                    kept, old = _read(path)
                    if old:
                        _write(path, kept)
        return cls(path, kept)

    @property
    def name(self) -> str:
        return self._path.stem

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self._current

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """Every key that still verifies, the current one first."""
        now = time.time()
        return tuple(each.key for each in self._kept.values() if each.until > now)

    def by_id(self, id: str) -> SigningKey | None:
        """The key of that id, None when there is none that still verifies."""
        kept = self._kept.get(id)
        return kept.key if kept is not None and kept.until > time.time() else None

    def reload(self) -> None:
        """Reads the ring again, since another process may have rotated it; raises `KeyFileError`. Blocks."""
        with _described(self._path):
            self._set(_read(self._path)[0])

    def rotate(self) -> SigningKey:
        """Makes a new key, which signs from now on, and drops those whose time is over; raises `KeyFileError`.
        Blocks. The other processes learn of it by `reload`."""
        now = time.time()
        with _described(self._path), _locked(self._path.parent):
            newest, *older = _read(self._path)[0]
            life = LIVES.get(self.name, inf)
            retired = Kept(newest.key, now + life, now)
            kept = (_fresh(), retired, *(each for each in older if each.until > now))
            _write(self._path, kept)
        self._set(kept)
        return self._current

    def _set(self, kept: tuple[Kept, ...]) -> None:
        self._kept = {each.key.id: each for each in kept}
        self._current = kept[0].key


def ring_names(folder: Path) -> list[str]:
    """The rings that there are, by name. Blocks."""
    return sorted(path.stem for path in folder.glob("[a-z]*.json"))


def _fresh() -> Kept:
    return Kept(SigningKey(secrets.token_hex(4), secrets.token_bytes(_BYTES)), inf, None)


def _create(path: Path) -> None:
    draft = _draft(path, (_fresh(),))
    try:
        # A link, unlike a rename, never replaces a key that another process made meanwhile.
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
    sync(path.parent)


def _write(path: Path, kept: tuple[Kept, ...]) -> None:
    """Replaces a ring's file at once: who reads meanwhile sees the old one or the new."""
    _draft(path, kept).replace(path)
    sync(path.parent)


def _draft(path: Path, kept: tuple[Kept, ...]) -> Path:
    keys = [
        {"id": each.key.id, "key": urlsafe_b64encode(each.key.secret).decode(), "retired": each.retired}
        for each in kept
    ]
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"keys": keys}, file)
        file.flush()
        os.fsync(file.fileno())
    return draft


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from changing the folder's rings: the lock is on the folder itself."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _described(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyFileError(f"the key {path} can't be read or made: {error.strerror}") from error


def _read(path: Path) -> tuple[tuple[Kept, ...], bool]:
    """A ring's keys, and whether its file has the form with one key."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyFileError(f"{path} may be read by others: run 'chmod 600 {path}'")
    try:
        document = json.loads(path.read_text())
        old = "keys" not in document
        kept = tuple(_parsed(path, each) for each in ([document] if old else document["keys"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeyFileError(f'{path} doesn\'t hold a key: it must be {{"keys": [{{"id": …, "key": …}}]}}') from error
    if not kept:
        raise KeyFileError(f"{path} doesn't hold a key")
    return kept, old


def _parsed(path: Path, member: Mapping[str, Any]) -> Kept:
    key = SigningKey(str(member["id"]), urlsafe_b64decode(member["key"]))
    if len(key.secret) != _BYTES:
        raise KeyFileError(f"{path} holds a key of {len(key.secret)} bytes; it must be {_BYTES}")
    retired = member.get("retired")
    until = inf if retired is None else float(retired) + LIVES.get(path.stem, inf)
    return Kept(key, until, retired)
