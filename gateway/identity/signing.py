"""The gateway's own secret keys: one file each in the state folder, made when first asked for."""

from __future__ import annotations

import json
import os
import secrets
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path

_BYTES = 32


class KeyFileError(Exception):
    """A key's file can't be used; the message is one sentence that names it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret key of 256 bits, and the id by which what it signed names it."""

    id: str
    secret: bytes = field(repr=False)


def load_or_create(folder: Path, name: str) -> SigningKey:
    """The key called `name`, kept in `<folder>/<name>.json` as `{"id", "key"}`; raises `KeyFileError`.

    Of several processes that find none, one makes it and all use that one. Blocks.
    """
    path = folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _create(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeyFileError(f"{path} may be read by others: run 'chmod 600 {path}'")
        return _parsed(path)
    except OSError as error:
        raise KeyFileError(f"the key {path} can't be read or made: {error.strerror}") from error


def _create(path: Path) -> None:
    document = {"id": secrets.token_hex(4), "key": urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()}
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, never replaces a key that another process made meanwhile.
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parsed(path: Path) -> SigningKey:
    try:
        document = json.loads(path.read_text())
        key = SigningKey(str(document["id"]), urlsafe_b64decode(document["key"]))
    except (ValueError, KeyError, TypeError) as error:
        raise KeyFileError(f'{path} doesn\'t hold a key: it must be {{"id": …, "key": …}}') from error
    if len(key.secret) != _BYTES:
        raise KeyFileError(f"{path} holds a key of {len(key.secret)} bytes; it must be {_BYTES}")
    return key
