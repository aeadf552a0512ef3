"""Opaque tokens: what their issuer says of them counts, no longer than a minute, and its silence is no refusal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

from adapters.secret import Reference
from gateway.identity import introspection
from gateway.identity.bearer import CallerVerifier
from gateway.identity.fetching import Unavailable
from gateway.store.contract import State
from gateway.store.shared import Shared

TOKEN = "2YotnFZFEjr1zCsicMWpAA"
HEADER = f"Bearer {TOKEN}".encode()


@pytest.fixture
def asking(accepting: Callable[..., CallerVerifier], issuer: Any) -> Callable[..., CallerVerifier]:
    """Makes a verifier that asks the test's issuer."""

    def make(secret: str = "s3cret", **options: Any) -> CallerVerifier:
        reference = Reference(secret, "env:SECRET")
        asked = {"url": f"{issuer.url}/introspect", "client_id": "figway", "client_secret": reference}
        return accepting(introspection=asked, **options)

    return make


Asking = Callable[..., CallerVerifier]


def active(issuer: Any, **changes: Any) -> dict[str, Any]:
    """What the issuer says of a token that is good for ten minutes."""
    answer = {"active": True, "sub": "alice", "aud": ["figway"], "exp": int(time.time()) + 600, **changes}
    return {name: value for name, value in answer.items() if value is not None}


async def test_an_opaque_token_proves_its_principal(asking: Asking, issuer: Any) -> None:
    issuer.active[TOKEN] = active(
        issuer, roles=["reader"], jti="o-1", token_type="Bearer", scope="figway:read", act={"sub": "bot"}
    )
    verifier = asking(scope_prefix="figway:")
    assert verifier.cached(HEADER) is None
    principal = await verifier.verify(HEADER)
    assert principal is not None
    assert (principal.id, principal.agent, principal.roles) == ("alice", "bot", ("reader",))
    assert (principal.scopes, principal.issuer, principal.credential) == (("read",), issuer.url, "token:o-1")
    assert verifier.cached(HEADER) is principal
    assert issuer.introspected == [(TOKEN, "figway")]


async def test_a_client_that_acts_for_nobody_is_the_principal(asking: Asking, issuer: Any) -> None:
    issuer.active[TOKEN] = active(issuer, sub=None, client_id="nightly-batch")
    principal = await asking().verify(HEADER)
    assert principal is not None
    assert (principal.id, principal.agent) == ("nightly-batch", None)


ANSWERS: dict[str, dict[str, Any]] = {
    "not active": {"active": False},
    "active by name only": {"active": "true"},
    "active as a number": {"active": 1},
    "no word of it": {"active": None},
    "another audience": {"aud": "other"},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://evil.example"},
    "expired": {"exp": 1_000_000_000},
    "valid later": {"nbf": 9_999_999_999},
    "nobody": {"sub": None},
    "a refresh token": {"token_type": "refresh_token"},
    "bound to a key": {"token_type": "DPoP"},
    "bound to a certificate": {"cnf": {"x5t#S256": "x"}},
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_what_the_issuer_doesnt_vouch_for_is_refused(asking: Asking, issuer: Any, name: str) -> None:
    issuer.active[TOKEN] = active(issuer, **ANSWERS[name])
    verifier = asking()
    for _ in range(5):
        assert await verifier.verify(HEADER) is None
    assert verifier.cached(HEADER) is None
    assert len(issuer.introspected) == 1


async def test_a_refusal_is_asked_about_again_in_time(
    asking: Asking, issuer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = asking()
    assert await verifier.verify(HEADER) is None
    issuer.active[TOKEN] = active(issuer)
    assert await verifier.verify(HEADER) is None
    later = time.monotonic() + introspection._REFUSED_SECONDS
    monkeypatch.setattr(introspection.time, "monotonic", lambda: later)
    assert await verifier.verify(HEADER) is not None


@pytest.mark.parametrize("expires", [600, 20, None])
async def test_an_answer_holds_until_the_token_expires_and_a_minute_at_most(
    asking: Asking, issuer: Any, monkeypatch: pytest.MonkeyPatch, expires: int | None
) -> None:
    now = float(int(time.time()))
    monkeypatch.setattr(time, "time", lambda: now)
    issuer.active[TOKEN] = active(issuer, exp=None if expires is None else int(now) + expires)
    verifier = asking()
    assert await verifier.verify(HEADER) is not None
    holds = min(expires or 60, 60)
    monkeypatch.setattr(time, "time", lambda: now + holds - 0.001)
    assert verifier.cached(HEADER) is not None
    monkeypatch.setattr(time, "time", lambda: now + holds)
    assert verifier.cached(HEADER) is None


async def test_callers_that_come_at_once_share_one_question(asking: Asking, issuer: Any) -> None:
    issuer.active[TOKEN] = active(issuer)
    issuer.pause = 0.05
    verifier = asking()
    assert None not in await asyncio.gather(*(verifier.verify(HEADER) for _ in range(100)))
    assert len(issuer.introspected) == 1


async def test_a_caller_that_leaves_doesnt_spoil_the_question(asking: Asking, issuer: Any) -> None:
    issuer.active[TOKEN] = active(issuer)
    issuer.pause = 0.1
    verifier = asking()
    left, stays = (asyncio.create_task(verifier.verify(HEADER)) for _ in range(2))
    while not issuer.asked:  # noqa: ASYNC110 - another thread's doing
        await asyncio.sleep(0.01)
    left.cancel()
    assert await stays is not None


@pytest.mark.parametrize("status", [500, 503, 302, 401, 404])
async def test_an_issuer_that_fails_is_no_refusal(asking: Asking, issuer: Any, status: int) -> None:
    issuer.answers["/introspect"] = lambda: (status, {"location": "/"}, b'{"active": true}')
    verifier = asking()
    with pytest.raises(Unavailable):
        await verifier.verify(HEADER)
    issuer.active[TOKEN] = active(issuer)
    del issuer.answers["/introspect"]
    assert await verifier.verify(HEADER) is not None


async def test_an_issuer_that_is_gone_is_no_refusal(asking: Asking, issuer: Any) -> None:
    verifier, port = asking(), issuer.port
    issuer.close()
    try:
        with pytest.raises(Unavailable):
            await verifier.verify(HEADER)
    finally:
        issuer.__init__(port)


async def test_a_gateway_that_the_issuer_doesnt_know_learns_nothing(asking: Asking, issuer: Any) -> None:
    issuer.active[TOKEN] = active(issuer)
    with pytest.raises(Unavailable, match="401"):
        await asking(secret="wrong").verify(HEADER)


async def test_what_cant_be_a_token_isnt_asked_about(asking: Asking, issuer: Any) -> None:
    verifier = asking()
    for text in ("short", "a" * 5000, "two words and more of them", 'quote"and<angle>brackets', "ünïcödé-token-text"):
        assert await verifier.verify(f"Bearer {text}".encode()) is None
    assert await verifier.verify(f"Basic {TOKEN}".encode()) is None
    assert issuer.asked == {}


async def test_without_introspection_opaque_tokens_prove_nothing(
    accepting: Callable[..., CallerVerifier], issuer: Any
) -> None:
    assert await accepting().verify(HEADER) is None
    assert issuer.asked == {}


async def test_a_revoked_opaque_token_is_refused_by_the_next_call(
    asking: Asking, issuer: Any, state: State, shared: Shared
) -> None:
    issuer.active[TOKEN] = active(issuer)
    verifier = asking()
    principal = await verifier.verify(HEADER)
    assert principal is not None
    state.revoke_token(principal.credential.removeprefix("token:"), datetime.now(UTC), None)
    shared.bump_keys()
    assert verifier.cached(HEADER) is None
    assert await verifier.verify(HEADER) is None


async def test_refusals_that_are_remembered_are_bounded(
    asking: Asking, issuer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "_MOST_REFUSED", 5)
    verifier = asking()
    for number in range(12):
        assert await verifier.verify(f"Bearer opaque-token-number-{number}".encode()) is None
    assert verifier._introspection is not None
    assert len(verifier._introspection._refused) == 5


def test_the_secret_is_nowhere_to_be_seen(asking: Asking, issuing: ModuleType) -> None:
    verifier = asking(secret="hunter2hunter2")
    assert "hunter2" not in repr(verifier._identity)
    assert "hunter2" not in verifier._identity.model_dump_json()
