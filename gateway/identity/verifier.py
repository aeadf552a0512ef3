"""Proves API keys: `Bearer <API key>` (RFC 6750 §2.1).

Every worker holds all keys that are in force, read anew when the shared memory says that keys have changed. So a
flood of made-up keys costs some microseconds each and never reaches the store, and a revoked key is refused by the
next call on any worker.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from math import inf

from gateway.call import Principal
from gateway.identity.keys import key_id, mac
from gateway.identity.signing import KeyFileError, Keyring, SigningKey
from gateway.store.contract import State, StoredKey, StoreError
from gateway.store.offload import Offload
from gateway.store.shared import Shared

logger = logging.getLogger("figway")

# Headers proved lately. A key may be written in several ways ("bearer", "Bearer"), so it isn't bounded by the keys.
_REMEMBERED = 4096
# Should a process die between changing a key and saying so, its change is seen after this many seconds.
_REREAD_SECONDS = 30.0
_NOTED_SECONDS = 60.0
"""How often the keys' last uses are written down."""


@dataclass(slots=True)
class _Known:
    mac: bytes
    pepper: SigningKey
    principal: Principal
    expires: float
    """Seconds since the epoch."""
    used: float = 0.0
    """When it was proved last, and that isn't written down yet; 0: it wasn't."""


class KeyVerifier:
    """`cached` answers on the spot for a header proved before, `verify` for any. Used on one event loop.

    It also knows, as of the same reading, which issuers' tokens are revoked.
    """

    def __init__(self, state: State, peppers: Keyring, shared: Shared, offload: Offload) -> None:
        self._state = state
        self._peppers = peppers
        self._shared = shared
        self._offload = offload
        self._known: dict[str, _Known] = {}
        self._proved: dict[bytes, _Known] = {}
        self._generation = -1
        self._reread_at = 0.0
        self._reading: asyncio.Task[None] | None = None
        self._uses: dict[str, datetime] = {}
        self.revoked: frozenset[str] = frozenset()
        """The ids of tokens that are revoked."""

    def cached(self, header: bytes) -> Principal | None:
        """Whom the header proves, if it has been proved before and nothing changed since; None: ask `verify`."""
        known = self._proved.get(sha256(header).digest())
        if known is None or known.expires <= (now := time.time()) or not self.current():
            return None
        known.used = now
        return known.principal

    async def verify(self, header: bytes) -> Principal | None:
        """Whom the header proves; None: nobody. Raises `StoreError` when keys have changed and can't be read."""
        key = bearer(header)
        id = key_id(key) if key is not None else None
        if key is None or id is None:
            return None
        await self.refresh()
        known = self._known.get(id)
        if known is None or not hmac.compare_digest(known.mac, mac(known.pepper, key)):
            return None
        if known.expires <= (now := time.time()):
            return None
        known.used = now
        self._remember(sha256(header).digest(), known)
        return known.principal

    def current(self) -> bool:
        """Whether nothing changed since the store was read, as far as is known."""
        return self._generation == self._shared.keys_generation and time.monotonic() < self._reread_at

    async def refresh(self) -> None:
        """Reads the store again if something changed; raises `StoreError` when it can't be read."""
        if not self.current():
            await self._read()

    async def keep_noting(self) -> None:
        """Writes down, once a minute, when which key was used last. For a task in the background."""
        while True:
            await asyncio.sleep(_NOTED_SECONDS)
            await self.note_uses()

    async def note_uses(self) -> None:
        """Writes it down now; what can't be written is tried again the next time."""
        self._gather_uses()
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._offload(self._state.note_key_uses, uses)
        except StoreError as error:
            self._uses = {**uses, **self._uses}
            logger.warning("when API keys were used last can't be written down: %s", error)

    def _gather_uses(self) -> None:
        for id, known in self._known.items():
            if known.used:
                self._uses[id] = datetime.fromtimestamp(known.used, UTC).replace(second=0, microsecond=0)
                known.used = 0.0

    async def _read(self) -> None:
        # One reading for all who wait, so that they also share its failure.
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_keys())
        try:
            await asyncio.shield(self._reading)
        finally:
            if self._reading is not None and self._reading.done():
                self._reading = None

    async def _read_keys(self) -> None:
        # The generation comes first: a change while the keys are being read is then seen as one.
        generation = self._shared.keys_generation
        try:
            keys, revoked = await self._offload(self._stored)
        except StoreError:
            if generation != self._generation:
                raise
        else:
            self._gather_uses()
            self._known = dict(self._in_force(keys))
            self.revoked = revoked
            self._proved.clear()
            self._generation = generation
        self._reread_at = time.monotonic() + _REREAD_SECONDS

    def _in_force(self, keys: Iterable[StoredKey]) -> Iterator[tuple[str, _Known]]:
        for key in keys:
            pepper = self._peppers.by_id(key.pepper)
            if key.revoked is None and pepper is not None:
                yield key.id, _known(key, pepper)

    def _stored(self) -> tuple[list[StoredKey], frozenset[str]]:
        try:
            self._peppers.reload()  # a key may have been made under a pepper that is newer than what is known here
        except KeyFileError as error:
            raise StoreError(str(error)) from error
        return self._state.all_keys(), self._state.revoked_tokens(datetime.now(UTC))

    def _remember(self, digest: bytes, known: _Known) -> None:
        if len(self._proved) >= _REMEMBERED:
            self._proved.pop(next(iter(self._proved)))
        self._proved[digest] = known


def bearer(header: bytes) -> bytes | None:
    """The credential in a header of the scheme Bearer; None: it's of another scheme."""
    scheme, _, credential = header.partition(b" ")
    return credential.strip(b" ") if scheme.lower() == b"bearer" else None


def _known(key: StoredKey, pepper: SigningKey) -> _Known:
    principal = Principal(
        *(key.principal, key.agent, key.roles, key.tenant, f"key:{key.id}"),
        scopes=key.scopes,
        delegation=() if key.agent is None else (key.agent,),
    )
    expires = key.expires.astimezone(UTC).timestamp() if key.expires is not None else inf
    return _Known(bytes.fromhex(key.mac), pepper, principal, expires)
