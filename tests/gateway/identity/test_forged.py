"""Every known way to forge or bend a token, each against an issuer's own key on a real socket: none lets anyone in."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from gateway.identity.bearer import CallerVerifier

Accepting = Callable[..., CallerVerifier]


async def refused(verifier: CallerVerifier, token: str | bytes) -> bool:
    """Whether a token proves nothing, now and again."""
    header = b"Bearer " + (token if isinstance(token, bytes) else token.encode())
    return await verifier.verify(header) is None and verifier.cached(header) is None


async def test_the_helper_makes_tokens_that_are_accepted(
    accepting: Accepting, issuer: Any, issuing: ModuleType
) -> None:
    assert not await refused(accepting(), issuing.token(issuer.claims()))


HEADERS: dict[str, Any] = {
    "none": {"alg": "none"},
    "None": {"alg": "None"},
    "no algorithm": {"alg": None},
    "an algorithm that isn't a text": {"alg": ["ES256"]},
    "HS256 by name": {"alg": "HS256"},
    "another family by name": {"alg": "RS256"},
    "PS256": {"alg": "PS256"},
    "ES384": {"alg": "ES384"},
    "no kid": b'{"alg":"ES256","typ":"at+jwt"}',
    "a kid that isn't a text": {"kid": 1},
    "a kid that is null": {"kid": None},
    "an empty kid": {"kid": ""},
    "a path as kid": {"kid": "../../../../dev/null"},
    "SQL as kid": {"kid": "k1' UNION SELECT 'x' --"},
    "a command as kid": {"kid": "k1|whoami"},
    "a NUL behind the kid": {"kid": "k1\0"},
    "a kid that looks alike": {"kid": "\u212a1"},
    "a kid with a zero width space": {"kid": "k1\u200b"},
    "a huge kid": {"kid": "k" * 300},
    "jku": {"jku": "https://evil.example/jwks"},
    "x5u": {"x5u": "https://evil.example/cert"},
    "x5c": {"x5c": ["MIIB"]},
    "crit": {"crit": ["exp"], "exp": 9_999_999_999},
    "an empty crit": {"crit": []},
    "b64": {"b64": False, "crit": ["b64"]},
    "nested": {"cty": "JWT"},
    "compressed": {"zip": "DEF"},
    "an encrypted token's header": {"enc": "A128GCM"},
    "a logout token": {"typ": "logout+jwt"},
    "a proof of possession": {"typ": "dpop+jwt"},
    "a type that isn't a text": {"typ": 5},
    "a member twice": b'{"alg":"none","kid":"k1","alg":"ES256"}',
    "not an object": b'["ES256"]',
    "not JSON": b"{",
    "NaN": b'{"alg":"ES256","kid":"k1","x":NaN}',
    "UTF-16": '{"alg":"ES256","kid":"k1"}'.encode("utf-16"),
    "a byte order mark": '\ufeff{"alg":"ES256","kid":"k1"}'.encode(),
    "broken UTF-8": b'{"alg":"ES256","kid":"k1","x":"\xff"}',
    "too deep": b'{"alg":"ES256","kid":"k1","x":' + b"[" * 3000 + b"]" * 3000 + b"}",
}


@pytest.mark.parametrize("name", HEADERS)
async def test_a_header_that_bends_the_rules_is_refused(
    accepting: Accepting, issuer: Any, issuing: ModuleType, name: str
) -> None:
    verifier = accepting()
    assert await refused(verifier, issuing.token(issuer.claims(), header=HEADERS[name]))
    assert issuer.asked.keys() <= {"/.well-known/openid-configuration", "/jwks"}


async def test_a_key_in_the_token_itself_is_never_used(accepting: Accepting, issuer: Any, issuing: ModuleType) -> None:
    """The classic: the attacker's own key, in the header, with a signature that fits it."""
    own = issuing.public("ES256", "attacker")
    header = {"alg": "ES256", "kid": "attacker", "jwk": own}
    assert await refused(accepting(), issuing.token(issuer.claims(), "ES256", "attacker", header))


async def test_a_public_key_is_never_taken_for_a_shared_secret(
    accepting: Accepting, issuer: Any, issuing: ModuleType
) -> None:
    """RFC 8725 section 2.1: HS256 with the RSA public key, in every spelling, as the secret."""
    issuer.keys = [issuing.public("RS256", "r1")]
    key: RSAKey = issuing.key_pair("RS256", "r1")
    spellings = [
        key.as_pem(private=False),
        key.as_pem(private=False).strip(),
        key.as_der(private=False),
        json.dumps(issuing.public("RS256", "r1")).encode(),
    ]
    verifier = accepting()
    assert not await refused(verifier, issuing.token(issuer.claims(), "RS256", "r1"))
    for secret in spellings:
        head = issuing.encoded(issuing.spelt({"alg": "HS256", "kid": "r1"}))
        signed = f"{head}.{issuing.encoded(issuing.spelt(issuer.claims()))}"
        mac = hmac.digest(secret, signed.encode(), "sha256")
        assert await refused(verifier, f"{signed}.{issuing.encoded(mac)}")


async def test_a_token_without_a_signature_is_refused(accepting: Accepting, issuer: Any, issuing: ModuleType) -> None:
    head, claims, signature = issuing.token(issuer.claims()).split(".")
    none = issuing.encoded(b'{"alg":"none","kid":"k1"}')
    verifier = accepting()
    for forged in (f"{none}.{claims}.", f"{none}.{claims}.{signature}", f"{head}.{claims}.", f"{head}.{claims}"):
        assert await refused(verifier, forged)


CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "an issuer that isn't a text": {"iss": ["x"]},
    "no issuer": {"iss": None},
    "another audience": {"aud": "figway2"},
    "a part of the audience": {"aud": "fig"},
    "an audience of another case": {"aud": "Figway"},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "an audience within an object": {"aud": {"figway": True}},
    "an audience of numbers": {"aud": ["figway", 5]},
    "no expiry": {"exp": None},
    "an expiry that is a text": {"exp": "9999999999"},
    "an expiry that is true": {"exp": True},
    "an expiry in milliseconds": {"exp": 1_800_000_000_000},
    "an expiry before time": {"exp": -1},
    "valid later": {"nbf": 9_999_999_999},
    "valid from a text": {"nbf": "0"},
    "issued in the far future": {"iat": 9_999_999_999},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that isn't a text": {"sub": 7},
    "a subject of spaces": {"sub": " alice"},
    "a subject with a line break": {"sub": "alice\nadmin"},
    "a subject with a zero width space": {"sub": "ali\u200bce"},
    "a subject with a direction override": {"sub": "\u202eecila"},
    "a lone surrogate": {"sub": "alice\ud800"},
    "a huge subject": {"sub": "a" * 257},
    "a malformed jti": {"jti": ["x"]},
    "bound to a key": {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
    "malformed roles": {"roles": {"admin": True}},
    "roles of numbers": {"roles": [1]},
    "too many roles": {"roles": [f"r{n}" for n in range(300)]},
    "malformed teams": {"groups": 5},
    "an actor that isn't an object": {"act": "bot"},
    "an actor without a name": {"act": {}},
    "an actor whose name isn't printable": {"act": {"sub": "b\0t"}},
    "a malformed actor behind one": {"act": {"sub": "bot", "act": []}},
    "five actors": {
        "act": {"sub": "1", "act": {"sub": "2", "act": {"sub": "3", "act": {"sub": "4", "act": {"sub": "5"}}}}}
    },
}


@pytest.mark.parametrize("name", CLAIMS)
async def test_claims_that_prove_nothing_are_refused(
    accepting: Accepting, issuer: Any, issuing: ModuleType, name: str
) -> None:
    assert await refused(accepting(), issuing.token(issuer.claims(**CLAIMS[name])))


@pytest.mark.parametrize(
    "text",
    [
        '"sub":"admin","sub":"alice"',
        '"sub":"alice","aud":"evil","aud":"figway"',
        '"sub":"alice","act":{"sub":"a","sub":"b"}',
        '"sub":"alice","exp":1e400',
        '"sub":"alice","exp":' + "9" * 5000,
    ],
)
async def test_a_payload_with_two_meanings_is_refused(
    accepting: Accepting, issuer: Any, issuing: ModuleType, text: str
) -> None:
    rest = ",".join(
        f"{json.dumps(k)}:{json.dumps(v)}" for k, v in issuer.claims(sub=None).items() if f'"{k}"' not in text
    )
    verifier = accepting()
    good = f'{{{rest},"sub":"alice"}}' if '"exp"' not in text and '"aud"' not in text else None
    assert good is None or not await refused(verifier, issuing.token(good.encode()))
    assert await refused(verifier, issuing.token(f"{{{rest},{text}}}".encode()))


@pytest.mark.parametrize("change", ["=", "==", " ", "\n", "?", "%", "é"])
async def test_a_token_has_one_spelling(accepting: Accepting, issuer: Any, issuing: ModuleType, change: str) -> None:
    token = issuing.token(issuer.claims())
    verifier = accepting()
    head, claims, signature = token.split(".")
    for bent in (f"{head}{change}.{claims}.{signature}", f"{head}.{claims}.{signature}{change}x", f"{change}x{token}"):
        assert await refused(verifier, bent)
    # The signature's last character has unused bits: three more spellings of the same bytes.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [each for each in alphabet if each != token[-1]]
    assert all([await refused(verifier, token[:-1] + each) for each in others])
    assert not await refused(verifier, token)


async def test_a_huge_token_costs_no_cryptography(
    accepting: Accepting, issuer: Any, issuing: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = accepting()
    assert await refused(verifier, issuing.token(issuer.claims(pad="x" * 16_384)))
    assert await refused(verifier, "." * 2)
    assert await refused(verifier, "a.b.c")
    assert issuer.asked == {}
