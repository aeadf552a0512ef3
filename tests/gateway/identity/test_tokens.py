"""Whose tokens let whom in, as whom, and for how long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from types import ModuleType
from typing import Any

import pytest

from gateway.call import Principal
from gateway.identity import claims as claims_module
from gateway.identity.bearer import CallerVerifier
from gateway.identity.fetching import Fetcher
from gateway.identity.keys import create
from gateway.routing.identity import Identity
from gateway.store.contract import State
from gateway.store.shared import Shared

Accepting = Callable[..., CallerVerifier]


async def refused(verifier: CallerVerifier, token: str | bytes) -> bool:
    """Whether a token proves nothing, now and again."""
    header = b"Bearer " + (token if isinstance(token, bytes) else token.encode())
    return await verifier.verify(header) is None and verifier.cached(header) is None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_proves_its_principal(
    accepting: Accepting, issuer: Any, issuing: ModuleType, algorithm: str
) -> None:
    issuer.keys = [issuing.public(algorithm, "k9")]
    verifier = accepting(tenant_claim="tid", roles_claim="/realm_access/roles", scope_prefix="figway:")
    header = issuer.header(
        *(algorithm, "k9"),
        tid="acme",
        jti="t-1",
        realm_access={"roles": ["reader", "clerk"]},
        groups=["support"],
        scope="openid figway:read figway:get_customer profile",
        act={"sub": "sub-agent", "act": {"sub": "agent"}},
    )
    principal = Principal(
        id="alice",
        agent="sub-agent",
        roles=("reader", "clerk"),
        tenant="acme",
        credential="token:t-1",
        teams=("support",),
        scopes=("read", "get_customer"),
        issuer=issuer.url,
        delegation=("sub-agent", "agent"),
    )
    assert verifier.cached(header) is None
    assert await verifier.verify(header) == principal
    assert verifier.cached(header) == principal
    assert verifier.cached(header) is verifier.cached(header)


async def test_a_token_expires_to_the_second(
    accepting: Accepting, issuer: Any, issuing: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict, lenient = accepting(), accepting(leeway="30s")
    until = int(time.time()) + 100
    header = f"Bearer {issuing.token(issuer.claims(exp=until))}".encode()
    for verifier, last in ((strict, until), (lenient, until + 30)):
        monkeypatch.setattr(time, "time", lambda last=last: last - 0.001)
        assert await verifier.verify(header) is not None
        monkeypatch.setattr(time, "time", lambda last=last: last)
        assert verifier.cached(header) is None
        assert await verifier.verify(header) is None
        monkeypatch.undo()
    assert await refused(strict, issuing.token(issuer.claims(exp=int(time.time()) - 1)))


def test_the_leeway_also_holds_before_a_token_begins() -> None:
    now = 1_800_000_000.0
    claims = {"exp": now + 60, "nbf": now + 30}
    assert claims_module.check_times(claims, now, 30.0) == now + 90
    with pytest.raises(claims_module.Refused, match="not valid yet"):
        claims_module.check_times(claims, now, 29.0)


async def test_an_issuers_key_of_one_algorithm_serves_no_other(
    accepting: Accepting, issuer: Any, issuing: ModuleType
) -> None:
    issuer.keys = [issuing.public("ES256", "k1"), issuing.public("RS256", "r1")]
    only_rsa = accepting(algorithms=["RS256"])
    assert await refused(only_rsa, issuing.token(issuer.claims(), "ES256", "k1"))
    assert not await refused(only_rsa, issuing.token(issuer.claims(), "RS256", "r1"))


async def test_one_issuer_cant_speak_for_another(accepting: Accepting, issuer: Any, issuing: ModuleType) -> None:
    with issuing.issuer_server() as other:
        other.keys = [issuing.public("ES256", "other")]
        verifier = accepting()
        entries = [{"issuer": each.url, "audience": "figway"} for each in (issuer, other)]
        verifier.follow(Identity.model_validate({"issuers": entries}))
        assert not await refused(verifier, issuing.token(other.claims(), "ES256", "other"))
        assert await refused(verifier, issuing.token(other.claims(iss=issuer.url), "ES256", "other"))


async def test_scopes_are_read_only_where_a_prefix_says_which(
    accepting: Accepting, issuer: Any, issuing: ModuleType
) -> None:
    plain, strict, bare = accepting(), accepting(scope_prefix="figway:"), accepting(scope_prefix="")

    async def scopes(verifier: CallerVerifier, **claims: Any) -> tuple[str, ...] | None:
        principal = await verifier.verify(f"Bearer {issuing.token(issuer.claims(**claims))}".encode())
        assert principal is not None
        return principal.scopes

    assert await scopes(plain, scope="openid read") is None
    assert await scopes(strict, scope="openid profile") == ()
    assert await scopes(strict) == ()
    assert await scopes(strict, scp=["figway:read", "x"]) == ("read",)
    assert await scopes(strict, scope="figway:read figway:read figway:") == ("read",)
    assert await scopes(bare, scope="read customers") == ("read", "customers")
    assert await refused(strict, issuing.token(issuer.claims(scope={"figway:read": 1})))


async def test_a_token_without_the_tenant_that_must_be_there_is_refused(
    accepting: Accepting, issuer: Any, issuing: ModuleType
) -> None:
    verifier = accepting(tenant_claim="tid")
    assert await refused(verifier, issuing.token(issuer.claims()))
    assert await refused(verifier, issuing.token(issuer.claims(tid=["acme"])))
    assert not await refused(verifier, issuing.token(issuer.claims(tid="acme")))


async def test_a_longer_chain_of_actors_is_accepted_where_it_is_allowed(
    accepting: Accepting, issuer: Any, issuing: ModuleType
) -> None:
    act: dict[str, Any] = {"sub": "0"}
    for number in range(1, 5):
        act = {"sub": str(number), "act": act}
    header = f"Bearer {issuing.token(issuer.claims(act=act))}".encode()
    principal = await accepting(max_actors=5).verify(header)
    assert principal is not None
    assert (principal.agent, principal.delegation) == ("4", ("4", "3", "2", "1", "0"))
    assert await accepting(max_actors=4).verify(header) is None
    assert await accepting(max_actors=0).verify(issuer.header(act={"sub": "bot"})) is None


@pytest.mark.parametrize("jti", ["t-77", None])
async def test_a_revoked_token_is_refused_by_the_next_call(
    accepting: Accepting, issuer: Any, issuing: ModuleType, state: State, shared: Shared, jti: str | None
) -> None:
    verifier = accepting()
    header, other = issuer.header(jti=jti), issuer.header(sub="bob")
    principal = await verifier.verify(header)
    assert principal is not None
    assert await verifier.verify(other) is not None
    if jti is None:
        assert principal.credential == f"token:{sha256(header.removeprefix(b'Bearer ')).hexdigest()[:32]}"
    state.revoke_token(principal.credential.removeprefix("token:"), datetime.now(UTC), None)
    shared.bump_keys()
    assert verifier.cached(header) is None
    assert await verifier.verify(header) is None
    assert await verifier.verify(other) is not None
    assert verifier.cached(header) is None
    assert verifier.cached(other) is not None


async def test_a_revocation_that_another_call_learnt_of_first_holds_too(
    accepting: Accepting, issuer: Any, state: State, shared: Shared, pepper: Any
) -> None:
    verifier = accepting()
    key = f"Bearer {create(state, pepper, principal='ann')[0]}".encode()
    header = issuer.header(jti="t-78")
    assert await verifier.verify(header) is not None
    state.revoke_token("t-78", datetime.now(UTC), None)
    shared.bump_keys()
    assert await verifier.verify(key) is not None
    assert verifier.cached(key) is not None
    assert verifier.cached(header) is None
    assert await verifier.verify(header) is None


async def test_what_is_remembered_is_bounded(
    accepting: Accepting, issuer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.identity.bearer._REMEMBERED", 10)
    verifier = accepting()
    headers = [issuer.header(jti=str(number)) for number in range(30)]
    for header in headers:
        assert await verifier.verify(header) is not None
    assert len(verifier._proved) == 10
    assert verifier.cached(headers[-1]) is not None


async def test_an_issuer_that_is_taken_away_lets_nobody_in_any_more(accepting: Accepting, issuer: Any) -> None:
    verifier = accepting()
    header = issuer.header()
    assert await verifier.verify(header) is not None
    verifier.follow(Identity())
    assert verifier.cached(header) is None
    assert await verifier.verify(header) is None


async def test_an_issuer_taken_away_while_its_token_is_proved_isnt_remembered(
    accepting: Accepting, issuer: Any
) -> None:
    issuer.pause = 0.1
    verifier = accepting()
    header = issuer.header()
    proving = asyncio.create_task(verifier.verify(header))
    while not issuer.asked:  # noqa: ASYNC110 - another thread's doing
        await asyncio.sleep(0.01)
    verifier.follow(Identity())
    await proving
    assert verifier.cached(header) is None
    assert await verifier.verify(header) is None


async def test_an_issuer_that_stays_as_it_was_keeps_its_keys(accepting: Accepting, issuer: Any) -> None:
    verifier = accepting()
    assert await verifier.verify(issuer.header()) is not None
    entry = {"issuer": issuer.url, "audience": "figway", "leeway": "5s"}
    verifier.follow(Identity.model_validate({"issuers": [entry], "api_keys": False}))
    assert await verifier.verify(issuer.header()) is not None
    assert issuer.asked["/jwks"] == 1


async def test_api_keys_can_be_switched_off(verifier: Any, state: State, pepper: Any, shared: Shared) -> None:
    text, _ = create(state, pepper, principal="ann")
    callers = CallerVerifier(verifier, Fetcher())
    header = f"Bearer {text}".encode()
    assert await callers.verify(header) is not None
    assert callers.cached(header) is not None
    callers.follow(Identity(api_keys=False))
    assert callers.cached(header) is None
    assert await callers.verify(header) is None
    await callers.close()
