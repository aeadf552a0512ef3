"""A keyring that the operator gives instead of the state folder: for several hosts, or a vault that mounts secrets."""

from __future__ import annotations

from hashlib import sha256
from math import inf
from pathlib import Path

from gateway.identity.signing import Kept, KeyFileError, Keyring, SigningKey
from gateway.routing.rings import ring_secrets


class GivenKeyring(Keyring):
    """The ring called `name`, from a text as `ring_secrets` reads it; raises `KeyFileError`.

    A key has its id from its hash, so that every host calls it the same.
    """

    def __init__(self, name: str, text: str) -> None:
        try:
            secrets = ring_secrets(text)
        except ValueError as error:
            raise KeyFileError(f"keys.{name} in gateway.yaml {error}") from error
        keys = [SigningKey(sha256(secret).hexdigest()[:8], secret) for secret in secrets]
        super().__init__(Path(f"{name}.json"), tuple(Kept(key, inf, None) for key in keys))

    def reload(self) -> None:
        """Nothing: what gateway.yaml gives is read at start."""

    def rotate(self) -> SigningKey:
        """Raises `KeyFileError`: only who gives the key can give another."""
        raise KeyFileError(f"the key '{self.name}' is given by gateway.yaml: put a new one before it where it is kept")
