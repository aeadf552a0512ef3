"""Places in the log as texts that their holder can't read: numbers would tell how much happens that it may not see."""

from __future__ import annotations

import os
from hashlib import sha512

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from gateway.identity.signing import Keyring, SigningKey

_CHANCE, _SEALED = 8, 24
_LONGEST = 128


class BadPosition(ValueError):
    """A text that isn't a place in the log, or was given too long ago."""


class Positions:
    """Seals the numbers of events (RFC 5297, AES-SIV: the same number is the same text)."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys

    def of_event(self, sequence: int) -> str:
        """An event's id, always the same one; also the place behind it."""
        return self._sealed(sequence, b"")

    def place(self, sequence: int) -> str:
        """The place behind an event, another text each time: nobody learns whether something happened since."""
        return self._sealed(sequence, os.urandom(_CHANCE))

    def opened(self, text: str) -> int:
        """The number of the event that the place is behind; raises `BadPosition`."""
        id, _, written = text[:_LONGEST].partition(".")
        try:
            key, raw = self._keys.by_id(id), bytes.fromhex(written)
            if key is None or len(raw) not in (_SEALED, _SEALED + _CHANCE):
                raise BadPosition("no such place")
            chance, sealed = raw[:-_SEALED], raw[-_SEALED:]
            return int.from_bytes(_cipher(key).decrypt(sealed, [chance]), "big")
        except (ValueError, InvalidTag) as error:
            raise BadPosition("no such place") from error

    def _sealed(self, sequence: int, chance: bytes) -> str:
        key = self._keys.current
        return f"{key.id}.{(chance + _cipher(key).encrypt(sequence.to_bytes(8, 'big'), [chance])).hex()}"


def _cipher(key: SigningKey) -> AESSIV:
    return AESSIV(sha512(b"events\0" + key.secret).digest())
