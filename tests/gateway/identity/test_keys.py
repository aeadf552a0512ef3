"""API keys: their text, and what is stored of them."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.identity.keys import InvalidKey, create, key_id, mac
from gateway.identity.signing import SigningKey
from gateway.store.contract import State

MADE = b"figway_abcdefghij23_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def test_a_key_is_stored_without_its_secret(state: State, pepper: SigningKey, tmp_path: Path) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    roles = ["reader", "agent", "reader"]
    text, key = create(state, pepper, principal="ann", agent="bot", roles=roles, tenant="acme", expires=until)
    assert re.fullmatch(r"figway_[a-z2-7]{12}_[A-Za-z0-9_-]{43}[A-Za-z0-9]{6}", text)
    assert key_id(text.encode()) == key.id
    assert (key.principal, key.agent, key.roles, key.tenant) == ("ann", "bot", ("reader", "agent"), "acme")
    assert (key.expires, key.revoked, key.pepper) == (until, None, pepper.id)
    assert key.mac == mac(pepper, text.encode()).hex()
    assert state.all_keys() == [key]
    secret = text[20:63].encode()
    assert not any(secret in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_no_two_keys_are_alike(state: State, pepper: SigningKey) -> None:
    made = [create(state, pepper, principal="ann") for _ in range(50)]
    assert len({text for text, _ in made}) == len({key.id for _, key in made}) == 50


@pytest.mark.parametrize("name", ["", " ", " ann", "ann ", "a\nb", "a\0", "x" * 257, "\x7f"])
@pytest.mark.parametrize("what", ["principal", "agent", "tenant", "role"])
def test_a_name_that_isnt_one_is_refused(state: State, pepper: SigningKey, what: str, name: str) -> None:
    principal = name if what == "principal" else "ann"
    agent, tenant = (name if what == each else None for each in ("agent", "tenant"))
    roles = [name] if what == "role" else []
    with pytest.raises(InvalidKey, match=f"the {what} "):
        create(state, pepper, principal=principal, agent=agent, tenant=tenant, roles=roles)
    assert state.all_keys() == []


def test_a_key_that_has_expired_already_isnt_made(state: State, pepper: SigningKey) -> None:
    with pytest.raises(InvalidKey, match="expired already"):
        create(state, pepper, principal="ann", expires=datetime.now(UTC) - timedelta(seconds=1))


@settings(deadline=None, max_examples=200, database=None)
@given(at=st.integers(0, 68), character=st.characters(codec="ascii"))
def test_a_mistyped_key_has_no_id(at: int, character: str) -> None:
    good = _checked(MADE)
    typed = good[:at] + character.encode() + good[at + 1 :]
    assert key_id(typed) == ("abcdefghij23" if typed == good else None)


@settings(deadline=None, max_examples=200, database=None)
@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_what_is_no_key_has_no_id(junk: bytes) -> None:
    assert key_id(junk) is None
    assert key_id(_checked(MADE) + junk) in (None, "abcdefghij23" if not junk else None)


def _checked(body: bytes) -> bytes:
    """The body with the CRC-32 check that makes it a key, reckoned another way than the code does."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value, digits = zlib.crc32(body), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = alphabet[digit] + digits
    return body + digits.encode()
