"""Tokens from a real authorization server: fetched once for all, renewed in time, exchanged for each caller's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import respx
from pydantic import ValidationError

from adapters.client import HttpReply
from adapters.errors import AdapterError, NotMapped, Refused, Unavailable
from adapters.oauth import OAuth, Tokens
from adapters.oauth import tokens as module
from adapters.secret import Reference

Soon = Callable[..., Any]


class Api:
    """An upstream that takes the tokens its authority knows, and notes whom each call speaks for."""

    def __init__(self, authority: Any) -> None:
        self.authority = authority
        self.revoked: set[str] = set()
        self.served: list[Any] = []
        self.calls = 0

    async def __call__(self, authorization: str) -> HttpReply:
        self.calls += 1
        kind, _, token = authorization.partition(" ")
        if kind != "Bearer" or token in self.revoked or token not in self.authority.good:
            return HttpReply(401, {}, b"")
        self.served.append(self.authority.good[token])
        return HttpReply(200, {}, b"1")


async def test_one_token_serves_all_and_is_fetched_once(authority: Any, tokens: Any, soon: Soon) -> None:
    mine, api = tokens(scope="read write", audience="crm"), Api(authority)
    replies = await asyncio.gather(*(mine.send(soon(), api) for _ in range(100)))
    assert {reply.status for reply in replies} == {200}
    assert authority.granted == [{"grant_type": "client_credentials", "scope": "read write", "audience": "crm"}]
    assert set(api.served) == {(authority.client_id, None)}


async def test_it_is_renewed_before_it_expires_while_calls_go_on(
    authority: Any, tokens: Any, soon: Soon, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, api = tokens(), Api(authority)
    await mine.send(soon(), api)
    clock = time.monotonic
    # The last minute of an hour: not expired, but stale.
    monkeypatch.setattr(module.time, "monotonic", lambda: clock() + 3550)
    authority.gate.clear()
    for _ in range(20):
        assert (await mine.send(soon(), api)).status == 200
    authority.gate.set()
    await asyncio.gather(*mine._fetching.values())
    assert len(authority.granted) == 2
    await mine.send(soon(), api)
    assert [len(authority.requests), mine._kept[b""].value] == [2, "at-2"]


async def test_an_expired_one_is_never_shown(
    authority: Any, tokens: Any, soon: Soon, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, shown = tokens(), []

    async def api(authorization: str) -> HttpReply:
        shown.append(authorization)
        return HttpReply(200, {}, b"")

    await mine.send(soon(), api)
    clock = time.monotonic
    monkeypatch.setattr(module.time, "monotonic", lambda: clock() + 3596)
    await mine.send(soon(), api)
    assert shown == ["Bearer at-1", "Bearer at-2"]


async def test_a_401_fetches_one_new_token_for_all_and_no_more(authority: Any, tokens: Any, soon: Soon) -> None:
    mine, api = tokens(), Api(authority)
    await mine.send(soon(), api)
    api.revoked.add("at-1")
    replies = await asyncio.gather(*(mine.send(soon(), api) for _ in range(50)))
    assert {reply.status for reply in replies} == {200}
    assert len(authority.granted) == 2
    # An upstream that refuses every token costs no second one, and no more than one call each.
    api.revoked.add("at-2")
    before = api.calls
    replies = [await mine.send(soon(), api) for _ in range(10)]
    assert {reply.status for reply in replies} == {401}
    assert (len(authority.granted), api.calls - before) == (2, 10)


async def test_each_caller_calls_by_its_own_token_with_the_gateway_as_actor(
    authority: Any, tokens: Any, soon: Soon
) -> None:
    mine, api = tokens(exchange=True, audience="crm"), Api(authority)
    callers = [soon(subject_token=f"token-of-{name}", principal=name) for name in ("ann", "bob")] * 20
    await asyncio.gather(*(mine.send(context, api) for context in callers))
    assert sorted(api.served) == [("ann", authority.client_id)] * 20 + [("bob", authority.client_id)] * 20
    assert [each["grant_type"].rpartition(":")[2] for each in authority.granted] == [
        "client_credentials",
        "token-exchange",
        "token-exchange",
    ]
    kept = repr(vars(mine))
    assert "token-of-ann" not in kept


async def test_an_exchange_without_actor_asks_for_none(authority: Any, tokens: Any, soon: Soon) -> None:
    mine, api = tokens(exchange=True, actor=False), Api(authority)
    await mine.send(soon(subject_token="token-of-ann"), api)
    assert api.served == [("ann", None)]
    assert len(authority.granted) == 1


async def test_a_caller_without_a_token_is_refused(authority: Any, tokens: Any, soon: Soon) -> None:
    mine, api = tokens(exchange=True), Api(authority)
    for context in (soon(), soon(principal="ann"), soon(subject_token="")):
        with pytest.raises(NotMapped):
            await mine.send(context, api)
    assert (authority.requests, api.calls) == ([], 0)


async def test_a_callers_token_that_is_not_taken(authority: Any, tokens: Any, soon: Soon) -> None:
    mine, api = tokens(exchange=True), Api(authority)
    with pytest.raises(NotMapped) as caught:
        await mine.send(soon(subject_token="forged&grant_type=client_credentials"), api)
    assert "forged" not in str(vars(caught.value))
    assert api.calls == 0
    assert mine._kept.keys() == {b""}


async def test_exchanged_tokens_are_bounded(
    authority: Any, tokens: Any, soon: Soon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KEPT", 4)
    mine, api = tokens(exchange=True), Api(authority)
    authority.subjects = {f"t{number}": f"caller {number}" for number in range(10)}
    for number in range(10):
        await mine.send(soon(subject_token=f"t{number}"), api)
        assert api.served[-1][0] == f"caller {number}"
    assert len(mine._kept) == 4
    assert b"" in mine._kept


async def test_a_caller_that_leaves_or_is_late_disturbs_nobody(authority: Any, tokens: Any, soon: Soon) -> None:
    mine, api = tokens(), Api(authority)
    authority.gate.clear()
    first = asyncio.create_task(mine.send(soon(), api))
    late = asyncio.create_task(mine.send(soon(0.1), api))
    others = [asyncio.create_task(mine.send(soon(), api)) for _ in range(5)]
    await asyncio.wait({late})
    first.cancel()
    with pytest.raises(Unavailable):
        await late
    authority.gate.set()
    assert {reply.status for reply in await asyncio.gather(*others)} == {200}
    assert len(authority.granted) == 1


@pytest.mark.parametrize(
    ("status", "document", "kind"),
    [
        (401, {"error": "invalid_client"}, Refused),
        (400, {"error": "invalid_scope"}, Refused),
        (400, b"<html>no</html>", Refused),
        (400, [], Refused),
        (403, {"error": ["x"]}, Refused),
        (429, {}, Unavailable),
        (500, {"error": "server_error"}, Unavailable),
        (302, {}, Unavailable),
        (200, b"\xff\xfe", Unavailable),
        (200, {}, Unavailable),
        (200, {"access_token": "a", "token_type": "mac"}, Unavailable),
        (200, {"access_token": "a"}, Unavailable),
        (200, {"access_token": "a\r\nX-Evil: 1", "token_type": "bearer"}, Unavailable),
        (200, {"access_token": "a b", "token_type": "bearer"}, Unavailable),
        (200, {"access_token": "a" * 20_000, "token_type": "bearer"}, Unavailable),
        (200, {"access_token": ["a"], "token_type": "bearer"}, Unavailable),
        (200, {"access_token": "a", "token_type": "bearer", "x": "y" * 70_000}, Unavailable),
    ],
)
async def test_answers_that_are_no_token(
    authority: Any, tokens: Any, soon: Soon, answer: Any, status: int, document: Any, kind: type[AdapterError]
) -> None:
    mine, api = tokens(), Api(authority)
    authority.reply = answer(status, document)
    with pytest.raises(kind) as caught:
        await mine.send(soon(), api)
    assert api.calls == 0
    told = str(vars(caught.value)) + str(caught.value)
    assert not any(secret in told for secret in ("s3cret", "127.0.0.1", "html", "Evil"))
    # It isn't kept against the server.
    authority.reply = None
    assert (await mine.send(soon(), api)).status == 200


async def test_an_exchange_that_gives_another_sort_of_token(
    authority: Any, tokens: Any, soon: Soon, answer: Any
) -> None:
    mine = tokens(exchange=True, actor=False)
    saml = "urn:ietf:params:oauth:token-type:saml2"
    authority.reply = answer(200, {"access_token": "a", "token_type": "bearer", "issued_token_type": saml})
    with pytest.raises(Unavailable):
        await mine.send(soon(subject_token="token-of-ann"), Api(authority))


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(3600, 3600), ("120", 120), (None, 60), (0, 60), (-5, 60), (True, 60), ("1e9", 60), (10**12, 86_400), (3.5, 60)],
)
async def test_how_long_a_token_counts_as_good(
    authority: Any, tokens: Any, soon: Soon, said: Any, seconds: float
) -> None:
    authority.expires_in = said
    mine = tokens()
    await mine.own(soon())
    left = mine._kept[b""].expires - time.monotonic()
    assert seconds - min(5, seconds / 10) - 3 < left <= seconds - min(5, seconds / 10)


def _client() -> Tokens:
    given = {"token_url": "https://id.test/token", "client_id": "a", "client_secret": Reference("b", "env:B")}
    return Tokens(OAuth.model_validate(given))


async def test_no_cookie_is_kept_and_no_redirect_followed(soon: Soon) -> None:
    mine = _client()
    with respx.mock(assert_all_called=False) as mock:
        token = {"access_token": "t", "token_type": "Bearer", "expires_in": 1}
        headers = [("set-cookie", "sid=1; Path=/")]
        route = mock.post("https://id.test/token").mock(return_value=httpx.Response(200, json=token, headers=headers))
        assert await mine.own(soon()) == "Bearer t"
        mine._kept.clear()
        await mine.own(soon())
        assert [call.request.headers.get("cookie") for call in route.calls] == [None, None]
        elsewhere = mock.post("https://evil.test/").mock(return_value=httpx.Response(200, json=token))
        route.mock(return_value=httpx.Response(307, headers={"location": "https://evil.test/"}))
        mine._kept.clear()
        with pytest.raises(Unavailable):
            await mine.own(soon())
        assert not elsewhere.called
    await mine.close()


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")])
async def test_a_server_that_cannot_be_reached(soon: Soon, error: Exception) -> None:
    mine = _client()
    with respx.mock as mock:
        mock.post("https://id.test/token").mock(side_effect=error)
        with pytest.raises(Unavailable) as caught:
            await mine.own(soon())
        assert "id.test" not in str(vars(caught.value))
    await mine.close()


@pytest.mark.parametrize(
    "options",
    [
        {"token_url": "http://id.example.com/token"},
        {"token_url": "https://user:pw@id.example.com/token"},
        {"token_url": "file:///etc/passwd"},
        {"token_url": "https://id.example.com/token#x"},
        {"token_url": "/token"},
        {"client_secret": "literal"},
        {"client_id": ""},
        {"scope": 'a"b'},
        {"scope": ""},
        {"actor": True},
        {"password": "x"},
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    secret = Reference("b", "env:B")
    given = {"token_url": "https://id.test/token", "client_id": "a", "client_secret": secret, **options}
    with pytest.raises(ValidationError):
        OAuth.model_validate(given)
