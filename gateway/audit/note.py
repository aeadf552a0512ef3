"""Signed notes (C2SP signed-note): a text, an empty line, and lines of Ed25519 signatures by named keys."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_ID = 4


class BadNote(Exception):
    """A note that isn't one, or that none of the known keys signed; the message says which."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that notes are verified with. As text it is `NAME+ID+KEY` (signed-note's verifier key)."""

    name: str
    key: bytes

    @property
    def id(self) -> bytes:
        """The first bytes of a signature by this key."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:_ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(_ED25519 + self.key).decode()}"

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """The key of one line; raises `BadNote`."""
        name, _, rest = text.strip().partition("+")
        id, _, encoded = rest.partition("+")
        try:
            raw = b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadNote("a public key is written NAME+ID+KEY") from error
        key = cls(name, raw[1:])
        if raw[:1] != _ED25519 or len(raw) != 33 or not name or key.id.hex() != id:
            raise BadNote("a public key is written NAME+ID+KEY, KEY being 0x01 and 32 bytes, ID made from the others")
        return key

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `text`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


def public_keys(text: str) -> dict[str, PublicKey]:
    """The keys of a file with one a line, by name; empty lines and those that begin with # don't count."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {key.name: key for key in map(PublicKey.parse, lines)}


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs notes with an Ed25519 key."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def of(cls, id: str, secret: bytes) -> Signer:
        """The signer whose key has this id and these 32 secret bytes."""
        return cls(f"figway-audit-{id}", Ed25519PrivateKey.from_private_bytes(secret))

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> bytes:
        """The signed note of a text that ends with a line feed and holds no empty line."""
        raw = text.encode()
        signature = b64encode(self.public.id + self.private.sign(raw)).decode()
        return raw + f"\n— {self.name} {signature}\n".encode()


def opened(note: bytes, keys: Mapping[str, PublicKey]) -> str:
    """The text of a note that one of `keys` signed; raises `BadNote`."""
    text, gap, signatures = note.partition(b"\n\n")
    try:
        lines = signatures.decode().splitlines()
        told = (text + b"\n").decode()
    except UnicodeDecodeError as error:
        raise BadNote("isn't a signed note") from error
    if not gap or not lines or not signatures.endswith(b"\n"):
        raise BadNote("isn't a signed note")
    known = False
    for name, id, signature in map(_signature, lines):
        key = keys.get(name)
        if key is None or key.id != id:
            continue
        if not key.signed(text + b"\n", signature):
            raise BadNote(f"isn't what {name} signed")
        known = True
    if not known:
        raise BadNote("isn't signed by a key that is known")
    return told


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    try:
        raw = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNote("has a signature that can't be read") from error
    # One spelling only: the last digit may hold bits that stand for nothing.
    if dash != "—" or len(raw) <= _ID or b64encode(raw).decode() != encoded:
        raise BadNote("has a signature that can't be read")
    return name, raw[:_ID], raw[_ID:]


def split(text: bytes) -> Iterator[bytes]:
    """The notes of a file that holds one behind another, an empty line between; raises `BadNote`."""
    blocks = [block for block in text.replace(b"\r\n", b"\n").strip(b"\n").split(b"\n\n") if block.strip(b"\n")]
    if len(blocks) % 2:
        raise BadNote("holds a note without a signature")
    for at in range(0, len(blocks), 2):
        yield blocks[at] + b"\n\n" + blocks[at + 1] + b"\n"


def joined(notes: Iterable[bytes]) -> bytes:
    """Notes one behind another, as `split` reads them."""
    return b"".join(note + b"\n" for note in notes)
