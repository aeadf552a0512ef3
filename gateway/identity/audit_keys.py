"""The audit's keys in the state folder: what signs its checkpoints, and what hashes the arguments of calls."""

from __future__ import annotations

from gateway.audit.arguments import Hasher
from gateway.audit.keys import AuditKeys
from gateway.identity.keyrings import Keyrings


def audit_keys(rings: Keyrings) -> AuditKeys:
    """The keys of a folder's rings `audit`, which may be rotated while it signs, and `arguments`, of which the key at
    the start is used to the end; raises `KeyFileError`. Blocks."""
    signing, hashing = rings["audit"], rings["arguments"].current
    return AuditKeys(lambda: (signing.current.id, signing.current.secret), Hasher(hashing.id, hashing.secret))
