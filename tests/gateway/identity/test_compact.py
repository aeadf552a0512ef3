"""A token is taken apart or refused, whatever its bytes; and the public test vectors for signatures."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.identity.claims import check_times
from gateway.identity.compact import Compact, Refused, read_object, take_apart
from gateway.identity.keyset import read_keys, signed_by

# How fast a busy machine is decides no test.
UNHURRIED = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])

# What isn't accepted here although it is valid, by what it would need.
_NOT_OURS = {
    "HS256": "a shared secret is no issuer's key",
    "RS384": "not of the list",
    "RS512": "not of the list",
    "PS256": "not of the list",
    "PS384": "not of the list",
    "PS512": "not of the list",
    "ES512": "not of the list",
}


@UNHURRIED
@given(st.binary(max_size=300))
@example(b"..")
@example(b"e30.e30.e30")
@example(b"AA.AA.AA")
@example(b"\xff" * 20)
def test_any_bytes_are_taken_apart_or_refused(token: bytes) -> None:
    with pytest.raises(Refused):
        take_apart(token)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "jku", "x5c", "b64", "cty", "other"])


@UNHURRIED
@given(
    st.dictionaries(MEMBERS, JSON | st.sampled_from(["ES256", "JWT", "k1"])),
    st.binary(max_size=40),
    st.binary(min_size=1),
)
def test_any_header_is_understood_or_refused(header: dict[str, Any], payload: bytes, signature: bytes) -> None:
    from_issuer = ".".join(_encoded(part) for part in (json.dumps(header).encode(), payload, signature)).encode()
    try:
        compact = take_apart(from_issuer)
    except Refused:
        return
    assert header.keys() <= {"alg", "kid", "typ", "other"}
    assert compact == Compact(header["alg"], header["kid"], payload, from_issuer.rpartition(b".")[0], signature)


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


@UNHURRIED
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_payload_is_read_or_refused(payload: bytes) -> None:
    try:
        claims = read_object(payload)
    except Refused:
        return
    assert claims == json.loads(payload)


@UNHURRIED
@given(st.dictionaries(st.sampled_from(["exp", "nbf", "iat"]), JSON))
def test_any_times_are_judged_or_refused(claims: dict[str, Any]) -> None:
    try:
        expires = check_times(claims, 1_000.0, 0.0)
    except Refused:
        return
    assert expires == claims["exp"] > 1_000.0
    assert not claims.get("nbf", 0) > 1_000.0


@UNHURRIED
@given(JSON)
def test_any_key_set_is_read_or_refused(document: Any) -> None:
    try:
        assert read_keys({"keys": document}) == {}
    except Refused:
        assert not isinstance(document, list)


KEYS: dict[str, dict[str, Any]] = {
    "no id": {"kid": None},
    "for encryption": {"use": "enc"},
    "for another algorithm": {"alg": "ES384"},
    "for signing only": {"key_ops": ["sign"]},
    "operations that aren't a list": {"key_ops": "verify"},
    "with its private half": {"d": "AQAB"},
    "off its curve": {"x": "AA"},
    "of another curve": {"crv": "P-384"},
    "of a curve that isn't a text": {"crv": ["P-256"]},
    "of an unknown type": {"kty": "oct", "k": "c2VjcmV0"},
    "of a type that isn't a text": {"kty": ["EC"]},
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_cant_be_used_is_passed_over(issuing: ModuleType, name: str) -> None:
    good, bad = issuing.public("ES256", "k1"), {**issuing.public("ES256", "k2"), **KEYS[name]}
    assert set(read_keys({"keys": [bad, good, "text", 5]})) == {("k1", "ES256")}


def test_a_short_rsa_key_is_passed_over(issuing: ModuleType) -> None:
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    modulus = numbers.n.to_bytes(128)
    short = {"kty": "RSA", "kid": "short", "e": "AQAB", "n": issuing.encoded(modulus)}
    padded = {**short, "n": issuing.encoded(bytes(256) + modulus)}
    huge = {**short, "n": issuing.encoded(b"\xff" * 4096)}
    odd = {**short, "e": issuing.encoded(b"\xff" * 200)}
    document = {"keys": [short, padded, huge, odd, {**short, "n": 5}, issuing.public("RS256", "r1")]}
    assert set(read_keys(document)) == {("r1", "RS256")}


def test_an_id_that_several_keys_share_names_none(issuing: ModuleType) -> None:
    first, second, third = (issuing.public("ES256", each) for each in ("k1", "k2", "k3"))
    assert set(read_keys({"keys": [first, {**second, "kid": "k1"}, third]})) == {("k3", "ES256")}


def _vectors() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    corpus = os.environ.get("FIGWAY_CORPUS")
    path = Path(corpus or "absent") / "wycheproof" / "json_web_signature_test.json"
    if not path.exists():
        pytest.skip("FIGWAY_CORPUS names no folder with wycheproof/json_web_signature_test.json")
    for group in json.loads(path.read_text())["testGroups"]:
        key = group.get("public") or group["private"]
        for test in group["tests"]:
            yield f"{test['tcId']} {test['comment']}", key, test


def _accepted(key: dict[str, Any], jws: Any) -> bool:
    """As a caller's token is judged, its claims aside: the vectors sign no claims."""
    private = {"d", "p", "q", "dp", "dq", "qi"}
    keys = read_keys({"keys": [{name: value for name, value in key.items() if name not in private}]})
    try:
        compact = take_apart(jws.encode() if isinstance(jws, str) else json.dumps(jws).encode())
    except Refused:
        return False
    found = keys.get((compact.key_id, compact.algorithm))
    return found is not None and signed_by(found, compact)


def test_every_invalid_signature_of_the_public_vectors_is_refused() -> None:
    invalid = [(name, key, test["jws"]) for name, key, test in _vectors() if test["result"] == "invalid"]
    assert len(invalid) == 355
    assert [name for name, key, jws in invalid if _accepted(key, jws)] == []


def test_every_valid_signature_of_the_public_vectors_is_accepted_or_explained() -> None:
    valid = [(name, key, test["jws"]) for name, key, test in _vectors() if test["result"] == "valid"]
    refused = {name: _why(jws) for name, key, jws in valid if not _accepted(key, jws)}
    assert len(valid) == 46
    assert [name for name, why in refused.items() if why is None] == []
    assert len(valid) - len(refused) == 10


def _why(jws: str) -> str | None:
    """Why a valid signature isn't accepted; None: it should have been."""
    try:
        compact = take_apart(jws.encode())
    except Refused as refusal:
        # 372 and 373 are "valid" for readers that pass over characters which aren't base64url.
        return str(refusal) if "?" in jws else None
    return _NOT_OURS.get(compact.algorithm)
