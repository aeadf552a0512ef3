"""The development issuer: its tokens count where `--dev` says so, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.call import Principal
from gateway.identity.bearer import CallerVerifier
from gateway.identity.development import ISSUER, NAME, DevelopmentKey, InvalidToken
from gateway.identity.fetching import Fetcher
from gateway.identity.signing import KeyFileError, Keyring
from gateway.identity.verifier import KeyVerifier


@pytest.fixture
def key(tmp_path: Path) -> DevelopmentKey:
    return DevelopmentKey(Keyring.open(tmp_path / "keys", NAME))


def test_the_key_is_made_once_and_only_where_it_may_be(tmp_path: Path, key: DevelopmentKey) -> None:
    assert DevelopmentKey.existing(tmp_path / "keys").id == key.id
    with pytest.raises(KeyFileError, match="figway serve --dev"):
        DevelopmentKey.existing(tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


async def test_a_minted_token_says_all_that_was_asked_for(verifier: KeyVerifier, key: DevelopmentKey) -> None:
    callers = CallerVerifier(verifier, Fetcher(), key)
    text, jti = key.mint(
        "alice", via=["sub-agent", "agent"], roles=["reader"], teams=["support"], tenant="acme", scopes=["read", "x"]
    )
    assert await callers.verify(f"Bearer {text}".encode()) == Principal(
        *("alice", "sub-agent", ("reader",), "acme", f"token:{jti}", ("support",), ("read", "x"), ISSUER),
        delegation=("sub-agent", "agent"),
    )
    bare, _ = key.mint("bob")
    found = await callers.verify(f"Bearer {bare}".encode())
    assert found is not None
    assert (found.agent, found.tenant, found.scopes, found.delegation) == (None, None, None, ())


async def test_without_the_key_its_tokens_prove_nothing(
    accepting: Callable[..., CallerVerifier], key: DevelopmentKey
) -> None:
    text, _ = key.mint("alice")
    assert await accepting().verify(f"Bearer {text}".encode()) is None


async def test_after_a_rotation_old_and_new_tokens_count(verifier: KeyVerifier, tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path / "keys", NAME)
    key = DevelopmentKey(ring)
    callers = CallerVerifier(verifier, Fetcher(), key)
    before, _ = key.mint("alice")
    ring.rotate()
    after, _ = key.mint("alice")
    for text in (before, after):
        assert await callers.verify(f"Bearer {text}".encode()) is not None


async def test_another_workspaces_key_proves_nothing(
    verifier: KeyVerifier, key: DevelopmentKey, tmp_path: Path
) -> None:
    other = DevelopmentKey(Keyring.open(tmp_path / "other", NAME))
    callers = CallerVerifier(verifier, Fetcher(), key)
    assert await callers.verify(f"Bearer {other.mint('alice')[0]}".encode()) is None


async def test_no_issuer_can_speak_for_it(
    accepting: Callable[..., CallerVerifier], issuer: Any, issuing: ModuleType, key: DevelopmentKey
) -> None:
    callers = accepting()
    callers._development = key
    for key_id in ("k1", key.id):
        forged = issuing.token(issuer.claims(iss=ISSUER), "ES256", "k1", {"kid": key_id})
        assert await callers.verify(f"Bearer {forged}".encode()) is None
    assert await callers.verify(issuer.header()) is not None


@pytest.mark.parametrize(
    "asked",
    [
        {"principal": ""},
        {"principal": "ali\u200bce"},
        {"principal": "alice", "via": ["b\n"]},
        {"principal": "alice", "roles": [" "]},
        {"principal": "alice", "seconds": 0},
        {"principal": "alice", "seconds": 31 * 86_400},
        {"principal": "alice", "via": [str(number) for number in range(17)]},
    ],
)
def test_what_would_be_refused_isnt_made(key: DevelopmentKey, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        key.mint(**asked)
