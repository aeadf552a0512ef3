"""An issuer's keys: one fetch for all who wait, rotations seen, floods of unknown ids and a dead issuer held out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from gateway.identity import jwks
from gateway.identity.bearer import CallerVerifier
from gateway.identity.fetching import Unavailable

Accepting = Callable[..., CallerVerifier]
Pass = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Pass:
    """Lets seconds pass, for the age of keys."""
    passed = 0.0
    real = time.monotonic

    def let(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    class Clock:
        monotonic = staticmethod(lambda: real() + passed)

    monkeypatch.setattr(jwks, "time", Clock)
    return let


async def test_callers_that_come_at_once_share_one_fetch(accepting: Accepting, issuer: Any) -> None:
    issuer.pause = 0.05
    verifier = accepting()
    found = await asyncio.gather(*(verifier.verify(issuer.header(sub=f"u{number}")) for number in range(100)))
    assert [each.id for each in found if each] == [f"u{number}" for number in range(100)]
    assert issuer.asked == {"/.well-known/openid-configuration": 1, "/jwks": 1}


async def test_a_rotation_is_seen_by_the_callers_who_wait_for_it(
    accepting: Accepting, issuer: Any, issuing: ModuleType, later: Pass
) -> None:
    verifier = accepting()
    assert await verifier.verify(issuer.header()) is not None
    issuer.keys = [issuing.public("ES256", "k2"), issuing.public("EdDSA", "k3")]
    issuer.pause = 0.05
    later(jwks._COOLDOWN)
    headers = [issuer.header("ES256", "k2", sub=f"u{n}") if n % 2 else issuer.header("EdDSA", "k3") for n in range(100)]
    assert None not in await asyncio.gather(*(verifier.verify(header) for header in headers))
    assert issuer.asked["/jwks"] == 2
    assert await verifier.verify(issuer.header(jti="the withdrawn key")) is None


async def test_a_flood_of_unknown_keys_costs_the_issuer_one_fetch(
    accepting: Accepting, issuer: Any, issuing: ModuleType, later: Pass
) -> None:
    verifier = accepting()
    good = issuer.header()
    assert await verifier.verify(good) is not None
    later(jwks._COOLDOWN)
    flood = [issuer.header("ES256", f"unknown-{number}") for number in range(300)]
    assert set(await asyncio.gather(*(verifier.verify(header) for header in flood[:150]))) == {None}
    assert {await verifier.verify(header) for header in flood[150:]} == {None}
    assert issuer.asked["/jwks"] == 2
    assert await verifier.verify(issuer.header(jti="meanwhile")) is not None


async def test_made_up_keys_dont_take_the_places_of_others(
    accepting: Accepting, issuer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "_MOST_WAITING", 10)
    issuer.pause = 0.05
    verifier = accepting()
    flood = (verifier.verify(issuer.header("ES256", f"unknown-{number}")) for number in range(30))
    outcomes = await asyncio.gather(*flood, return_exceptions=True)
    assert outcomes.count(None) == 10
    assert sum(isinstance(each, Unavailable) for each in outcomes) == 20


async def test_keys_are_renewed_in_the_background(
    accepting: Accepting, issuer: Any, issuing: ModuleType, later: Pass
) -> None:
    verifier = accepting()
    assert await verifier.verify(issuer.header()) is not None
    issuer.keys = [issuing.public("ES256", "k2")]
    issuer.pause = 0.05
    later(jwks._FRESH)
    # Nobody waits for the fetch, which finds the key withdrawn.
    assert await verifier.verify(issuer.header(jti="2")) is not None
    while issuer.asked["/jwks"] < 2 or verifier._issuers[issuer.url][1]._fetching is not None:  # noqa: ASYNC110 - another thread's doing
        await asyncio.sleep(0.01)
    assert await verifier.verify(issuer.header(jti="3")) is None


async def test_after_an_idle_hour_keys_are_fetched_before_anyone_is_let_in(
    accepting: Accepting, issuer: Any, issuing: ModuleType, later: Pass
) -> None:
    verifier = accepting()
    assert await verifier.verify(issuer.header()) is not None
    issuer.keys = [issuing.public("ES256", "k2")]
    later(jwks._USABLE)
    assert await verifier.verify(issuer.header(jti="2")) is None


async def test_a_dead_issuer_locks_out_only_those_whose_key_isnt_known(
    accepting: Accepting, issuing: ModuleType, issuer: Any, later: Pass
) -> None:
    verifier = accepting()
    assert await verifier.verify(issuer.header()) is not None
    url, port = issuer.url, issuer.port
    claims = issuer.claims
    issuer.close()
    try:
        for number, age in enumerate((jwks._COOLDOWN, jwks._FRESH, jwks._USABLE)):
            later(age)
            known = f"Bearer {issuing.token(claims(jti=str(number)))}".encode()
            assert await verifier.verify(known) is not None
        with pytest.raises(Unavailable):
            await verifier.verify(f"Bearer {issuing.token(claims(), 'ES256', 'k2')}".encode())
        later(jwks._LAST_RESORT)
        with pytest.raises(Unavailable):
            await verifier.verify(f"Bearer {issuing.token(claims(jti='the next day'))}".encode())
    finally:
        issuer.__init__(port)
    assert issuer.url == url
    later(jwks._COOLDOWN)
    assert await verifier.verify(issuer.header(jti="again")) is not None


async def test_an_issuer_that_was_never_reached_is_asked_again_in_time(
    accepting: Accepting, issuer: Any, later: Pass
) -> None:
    issuer.answers["/jwks"] = lambda: (500, {}, b"{}")
    verifier = accepting()
    for _ in range(50):
        with pytest.raises(Unavailable):
            await verifier.verify(issuer.header())
    assert issuer.asked["/jwks"] == 1
    del issuer.answers["/jwks"]
    later(jwks._COOLDOWN)
    assert await verifier.verify(issuer.header()) is not None


async def test_a_caller_that_leaves_doesnt_spoil_the_fetch(accepting: Accepting, issuer: Any) -> None:
    issuer.pause = 0.1
    verifier = accepting()
    left, stays = (asyncio.create_task(verifier.verify(issuer.header(sub=sub))) for sub in ("ann", "bob"))
    while not issuer.asked:  # noqa: ASYNC110 - another thread's doing
        await asyncio.sleep(0.01)
    left.cancel()
    assert await stays is not None
    assert issuer.asked["/jwks"] == 1


async def test_a_hung_issuer_is_given_up(accepting: Accepting, issuer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "SECONDS", 0.05)
    issuer.pause = 0.5
    with pytest.raises(Unavailable, match="took too long"):
        await accepting().verify(issuer.header())


async def test_the_event_loop_runs_on_while_keys_are_fetched(accepting: Accepting, issuer: Any) -> None:
    issuer.pause = 0.3
    asked = asyncio.create_task(accepting().verify(issuer.header()))
    turns = 0
    while not asked.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert await asked is not None
    assert turns > 10


async def test_keys_are_found_by_rfc_8414_too(accepting: Accepting, issuer: Any, issuing: ModuleType) -> None:
    issuer.answers["/.well-known/openid-configuration"] = lambda: (404, {}, b"")
    path = "/.well-known/oauth-authorization-server"
    issuer.answers[path] = lambda: (200, {}, issuing.spelt({"issuer": issuer.url, "jwks_uri": f"{issuer.url}/jwks"}))
    assert await accepting().verify(issuer.header()) is not None
    assert issuer.asked[path] == 1


def test_the_well_known_path_stands_before_the_issuers_own() -> None:
    expected = "https://id.example.com/.well-known/oauth-authorization-server/tenant/a"
    assert jwks._rfc_8414("https://id.example.com/tenant/a") == expected


async def test_configured_keys_need_no_discovery(accepting: Accepting, issuer: Any) -> None:
    assert await accepting(jwks_url=f"{issuer.url}/jwks").verify(issuer.header()) is not None
    assert issuer.asked == {"/jwks": 1}


DOCUMENTS: dict[str, dict[str, Any]] = {
    "another's": {"issuer": "https://evil.example", "jwks_uri": "URL/jwks"},
    "with a slash more": {"issuer": "URL/", "jwks_uri": "URL/jwks"},
    "nobody's": {"jwks_uri": "URL/jwks"},
    "without keys": {"issuer": "URL"},
    "with keys that aren't a text": {"issuer": "URL", "jwks_uri": ["URL/jwks"]},
    "with keys in the clear elsewhere": {"issuer": "URL", "jwks_uri": "http://10.0.0.1/jwks"},
    "with keys in a file": {"issuer": "URL", "jwks_uri": "file:///etc/passwd"},
    "with a password": {"issuer": "URL", "jwks_uri": "https://user:password@127.0.0.1/jwks"},
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_discovery_document_that_isnt_its_own_is_not_believed(
    accepting: Accepting, issuer: Any, issuing: ModuleType, name: str
) -> None:
    text = issuing.spelt(DOCUMENTS[name]).replace(b"URL", issuer.url.encode())
    issuer.answers["/.well-known/openid-configuration"] = lambda: (200, {}, text)
    with pytest.raises(Unavailable):
        await accepting().verify(issuer.header())
    assert "/jwks" not in issuer.asked


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [', b'{"keys": [], "keys": []}'])
async def test_what_isnt_a_key_set_changes_nothing(accepting: Accepting, issuer: Any, later: Pass, body: bytes) -> None:
    verifier = accepting()
    assert await verifier.verify(issuer.header()) is not None
    issuer.answers["/jwks"] = lambda: (200, {}, body)
    later(jwks._USABLE)
    assert await verifier.verify(issuer.header(jti="2")) is not None
    assert issuer.asked["/jwks"] == 2
