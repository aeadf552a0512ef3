"""Who may come in: proved keys at once, revoked and expired ones never, floods without touching the store."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.call import Principal
from gateway.identity import verifier as verifier_module
from gateway.identity.keys import _with_check, create
from gateway.identity.signing import Keyring, SigningKey
from gateway.identity.verifier import KeyVerifier
from gateway.store.contract import State, StoredKey, StoreError
from gateway.store.offload import Offload
from gateway.store.shared import Shared


class Counted:
    """A store that counts how often keys are read from it, and fails on demand."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.reads = 0
        self.down = False

    def all_keys(self) -> list[StoredKey]:
        self.reads += 1
        if self.down:
            raise StoreError("the store failed: disk I/O error")
        time.sleep(0.01)
        return self._state.all_keys()

    def revoked_tokens(self, at: datetime) -> frozenset[str]:
        return self._state.revoked_tokens(at)


@pytest.fixture
def counted(state: State) -> Counted:
    return Counted(state)


@pytest.fixture
def watched(counted: Counted, peppers: Keyring, shared: Shared, offload: Offload) -> KeyVerifier:
    """A verifier whose readings are counted."""
    return KeyVerifier(counted, peppers, shared, offload)  # type: ignore[arg-type]


@pytest.fixture
def made(state: State, pepper: SigningKey, shared: Shared) -> Callable[..., tuple[bytes, StoredKey]]:
    """Makes a key as the command line does; returns its header too."""

    def make(**options: object) -> tuple[bytes, StoredKey]:
        text, key = create(state, pepper, principal="ann", agent="bot", roles=["reader"], **options)  # type: ignore[arg-type]
        shared.bump_keys()
        return f"Bearer {text}".encode(), key

    return make


Made = Callable[..., tuple[bytes, StoredKey]]


async def test_a_key_proves_its_principal(verifier: KeyVerifier, made: Made) -> None:
    header, key = made(tenant="acme")
    principal = Principal("ann", "bot", ("reader",), "acme", f"key:{key.id}", delegation=("bot",))
    assert verifier.cached(header) is None
    assert await verifier.verify(header) == principal
    assert verifier.cached(header) == principal


async def test_the_scheme_is_read_as_rfc_9110_says(verifier: KeyVerifier, made: Made) -> None:
    header, _ = made()
    for form in (header.replace(b"Bearer ", b"bearer "), header.replace(b"Bearer ", b"BEARER   ")):
        assert await verifier.verify(form) is not None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda header: header.removeprefix(b"Bearer "),
        lambda header: header.replace(b"Bearer", b"Basic"),
        lambda header: header.replace(b" ", b""),
        lambda header: header + b"x",
        lambda header: header + b", " + header,
        lambda header: header.upper(),
        lambda header: header[:-1],
        lambda header: header.replace(b"Bearer ", b"Bearer\t"),
        lambda header: b"",
        lambda header: b"Bearer ",
        lambda header: b"Bearer " + b"\xff" * 69,
    ],
)
async def test_what_isnt_a_key_proves_nothing(
    verifier: KeyVerifier, made: Made, spoil: Callable[[bytes], bytes]
) -> None:
    header, _ = made()
    assert await verifier.verify(header) is not None
    assert verifier.cached(spoil(header)) is None
    assert await verifier.verify(spoil(header)) is None


async def test_the_right_id_with_another_secret_proves_nothing(verifier: KeyVerifier, made: Made) -> None:
    _, key = made()
    forged = _with_check(f"figway_{key.id}_{secrets.token_urlsafe(32)}").encode()
    assert await verifier.verify(b"Bearer " + forged) is None


async def test_a_revoked_key_is_refused_by_the_next_call(
    state: State, shared: Shared, verifier: KeyVerifier, made: Made
) -> None:
    header, key = made()
    other, _ = made()
    assert await verifier.verify(header) is not None
    state.revoke_key(key.id, datetime.now(UTC))
    shared.bump_keys()
    assert verifier.cached(header) is None
    assert await verifier.verify(header) is None
    assert await verifier.verify(other) is not None


async def test_a_key_revoked_by_another_process_is_refused(verifier: KeyVerifier, made: Made, tmp_path: Path) -> None:
    header, key = made()
    assert await verifier.verify(header) is not None
    code = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from gateway.store.shared import Shared
from gateway.store.sqlite import SqliteState
SqliteState(Path("state.db")).revoke_key(sys.argv[1], datetime.now(UTC))
Shared.open(Path("shared")).bump_keys()
"""
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, key.id], cwd=tmp_path, check=True)
    assert verifier.cached(header) is None
    assert await verifier.verify(header) is None


async def test_a_key_expires_to_the_second(verifier: KeyVerifier, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    header, _ = made(expires=until)
    assert await verifier.verify(header) is not None
    monkeypatch.setattr(verifier_module.time, "time", lambda: until.timestamp() - 0.001)
    assert verifier.cached(header) is not None
    monkeypatch.setattr(verifier_module.time, "time", until.timestamp)
    assert verifier.cached(header) is None
    assert await verifier.verify(header) is None


async def test_a_key_under_another_pepper_proves_nothing(
    state: State, verifier: KeyVerifier, made: Made, tmp_path: Path
) -> None:
    text, _ = create(state, Keyring.open(tmp_path / "other", "pepper").current, principal="ann")
    assert await verifier.verify(f"Bearer {text}".encode()) is None


async def test_a_flood_of_bad_keys_never_reaches_the_store(counted: Counted, watched: KeyVerifier, made: Made) -> None:
    header, key = made()
    assert await watched.verify(header) is not None
    for number in range(3000):
        id = key.id if number % 2 else "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(12))
        bad = _with_check(f"figway_{id}_{secrets.token_urlsafe(32)}").encode()
        assert await watched.verify(b"Bearer " + bad) is None
    assert counted.reads == 1
    assert watched.cached(header) is not None
    assert len(watched._proved) == 1


async def test_what_is_remembered_is_bounded(watched: KeyVerifier, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier_module, "_REMEMBERED", 10)
    header, _ = made()
    for spaces in range(1, 40):
        assert await watched.verify(header.replace(b" ", b" " * spaces)) is not None
    assert len(watched._proved) == 10


async def test_callers_that_come_at_once_share_one_reading(counted: Counted, watched: KeyVerifier, made: Made) -> None:
    header, _ = made()
    found = await asyncio.gather(*(watched.verify(header) for _ in range(100)))
    assert None not in found
    assert counted.reads == 1


async def test_a_caller_that_leaves_doesnt_spoil_the_reading(
    counted: Counted, watched: KeyVerifier, made: Made
) -> None:
    header, _ = made()
    left, stays = (asyncio.create_task(watched.verify(header)) for _ in range(2))
    await asyncio.sleep(0)
    left.cancel()
    assert await stays is not None
    assert counted.reads == 1


async def test_keys_that_changed_and_cant_be_read_let_nobody_in(
    counted: Counted, watched: KeyVerifier, shared: Shared, made: Made
) -> None:
    header, _ = made()
    assert await watched.verify(header) is not None
    counted.down = True
    shared.bump_keys()
    assert watched.cached(header) is None
    with pytest.raises(StoreError):
        await watched.verify(header)
    counted.down = False
    assert await watched.verify(header) is not None


async def test_keys_that_didnt_change_outlive_a_store_that_is_down(
    counted: Counted, watched: KeyVerifier, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, _ = made()
    monkeypatch.setattr(verifier_module, "_REREAD_SECONDS", 0.0)
    assert await watched.verify(header) is not None
    counted.down = True
    assert watched.cached(header) is None
    assert await watched.verify(header) is not None
    assert counted.reads == 2


async def test_a_change_that_nobody_announced_is_seen_in_time(
    state: State, verifier: KeyVerifier, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, key = made()
    assert await verifier.verify(header) is not None
    state.revoke_key(key.id, datetime.now(UTC))
    assert await verifier.verify(header) is not None
    later = time.monotonic() + verifier_module._REREAD_SECONDS
    monkeypatch.setattr(verifier_module.time, "monotonic", lambda: later)
    assert verifier.cached(header) is None
    assert await verifier.verify(header) is None
