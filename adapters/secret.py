"""References to values kept elsewhere: `env:NAME`, `file:/path`, `vault:path#key`.

The workspace's loader replaces every such string by a `Reference` that holds what it resolved to; a config
model declares `Secret` where a literal must be refused.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr, WithJsonSchema


class Reference(str):
    """A resolved reference: the value as a str, `ref` as written. An unset one is "" with `missing` True."""

    ref: str
    missing: bool

    def __new__(cls, value: str, ref: str, missing: bool = False) -> Reference:
        self = super().__new__(cls, value)
        self.ref = ref
        self.missing = missing
        return self

    def __repr__(self) -> str:
        return f"Reference({self.ref!r})"


_SHORTEST, _MOST_KNOWN = 6, 4096
_known: dict[str, None] = {}


def without_secrets(text: str) -> str:
    """A text that an upstream had a hand in, without the secrets that this process was configured with: a system may
    say in its errors what it was shown."""
    for secret in tuple(_known):
        if secret in text:
            text = text.replace(secret, "…")
    return text


def _remember(secret: str) -> None:
    """Shorter ones stand in any text; of too many, the oldest are forgotten."""
    if len(secret) >= _SHORTEST:
        _known.pop(secret, None)
        if len(_known) >= _MOST_KNOWN:
            del _known[next(iter(_known))]
        _known[secret] = None


def kept(reference: Reference) -> SecretStr:
    """What a reference resolved to, as the secret that it may be."""
    _remember(str.__str__(reference))
    return SecretStr(str.__str__(reference))


def _referenced(value: Any) -> SecretStr:
    if isinstance(value, SecretStr):
        return value
    if isinstance(value, Reference):
        return kept(value)
    raise ValueError("a secret must be a reference (env:NAME, file:/path or vault:path#key), not a literal")


Secret = Annotated[
    SecretStr,
    BeforeValidator(_referenced),
    WithJsonSchema({"type": "string", "pattern": "^(env|file|vault):.+", "description": "A reference to a secret."}),
]
"""A config field that must be given as a reference; `.get_secret_value()` reveals it."""
