"""In whose name a REST API is called: by the caller's own credential, by a token in exchange, by a header."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import ValidationError

from adapters.contract import Context
from adapters.errors import Invalid, NotMapped, Refused
from adapters.http import KIND
from adapters.secret import Reference


def secret(text: str) -> Reference:
    return Reference(text, "env:SECRET")


CALLERS = {
    "alice": {"bearer": secret("of-alice")},
    "role:clerk": {"basic": {"username": "clerk", "password": secret("pw")}},
    "bob": {"api_key": {"header": "X-Api-Key", "value": secret("of-bob")}},
}
ODD_NAMES = [
    "alice@example.com",
    "alice'; DROP TABLE x; --",
    "Ünï 😀 日本",
    "n" * 256,
    'a,b;c="d"\\e%20',
    "Alice Smith",
]


def who(principal: str | None, *roles: str, **more: Any) -> Context:
    return Context(time.monotonic() + 10, principal=principal, roles=roles, **more)


async def test_each_caller_shows_its_own_credential_on_shared_connections(adapter: Any, reply: Any) -> None:
    next_, server = await adapter(
        reply("200 OK", b"1", "Set-Cookie: sid=1; Path=/"),
        callers=CALLERS,
        auth={"bearer": secret("own")},
        concurrency=1,
    )
    for context in (who("alice"), who("carol", "clerk"), who("bob"), who("alice")):
        await next_.invoke("GET /", {}, context)
    shown = [(seen.headers.get("authorization"), seen.headers.get("x-api-key")) for seen in server.seen]
    assert shown == [
        ("Bearer of-alice", None),
        ("Basic Y2xlcms6cHc=", None),
        (None, "of-bob"),
        ("Bearer of-alice", None),
    ]
    assert server.connections == 1
    assert not any("cookie" in seen.headers for seen in server.seen)
    assert (await next_.probe(who(None))).ok
    assert server.seen[-1].headers["authorization"] == "Bearer own"


@pytest.mark.parametrize("principal", ["carol", "Alice", "alice ", "alice\r\nX: y", "role:clerk", "*", "", None])
async def test_who_is_not_mapped_is_refused_before_anything_is_sent(adapter: Any, reply: Any, principal: Any) -> None:
    next_, server = await adapter(reply("200 OK", b"1"), callers=CALLERS, auth={"bearer": secret("own")})
    with pytest.raises(NotMapped):
        await next_.invoke("GET /", {}, who(principal))
    assert server.seen == []


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_a_declared_header_names_the_caller(adapter: Any, reply: Any, name: str) -> None:
    next_, server = await adapter(reply("200 OK", b"1"), caller={"header": "X-User"})
    await next_.invoke("GET /", {}, who(name))
    value = server.seen[0].headers["x-user"]
    assert value.isascii()
    assert value.isprintable()
    assert not set(value) & set(',;"\\')
    assert unquote(value) == name


@pytest.mark.parametrize("name", ["a\r\nX-Role: admin", "a\nb", "a\x00b", " a", "a ", "n" * 257, "\ud800", "", None])
async def test_a_name_that_is_no_header_is_refused(adapter: Any, reply: Any, name: str | None) -> None:
    next_, server = await adapter(reply("200 OK", b"1"), caller={"header": "X-User"})
    with pytest.raises(NotMapped):
        await next_.invoke("GET /", {}, who(name))
    assert server.seen == []


@pytest.mark.parametrize("header", ["X-User", "x-user", "X-USER"])
async def test_no_input_sets_the_callers_header(adapter: Any, reply: Any, header: str) -> None:
    next_, server = await adapter(reply("200 OK", b"1"), caller={"header": "X-User"}, callers=CALLERS)
    for name in (header, "x-api-key", "Authorization"):
        with pytest.raises(Invalid):
            await next_.invoke("GET /", {"header": {name: "admin"}}, who("alice"))
    assert server.seen == []


async def test_without_declaration_nobody_is_named(adapter: Any, reply: Any) -> None:
    next_, server = await adapter(reply("200 OK", b"1"))
    await next_.invoke("GET /", {}, who("alice", agent="bot", tenant="acme", subject_token="t0ken"))
    assert not any(word in str(server.seen[0]) for word in ("alice", "bot", "acme", "t0ken"))


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def guarded(adapter: Any, reply: Any, authority: Any) -> Any:
    """`await guarded(**oauth)`: an API that takes its authority's tokens, and an adapter on it."""
    revoked: set[str] = set()

    async def answer(seen: Any) -> bytes:
        token = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if token in revoked or token not in authority.good:
            return bytes(reply("401 Unauthorized", b""))
        subject, actor = authority.good[token]
        return bytes(reply("200 OK", f'["{subject}", "{actor or ""}"]'.encode()))

    async def start(**oauth: Any) -> Any:
        given = {
            "token_url": authority.url,
            "client_id": authority.client_id,
            "client_secret": secret(authority.secret),
        }
        next_, server = await adapter(answer, auth={"oauth": {**given, **oauth}})
        return next_, server, revoked

    return start


async def test_an_api_behind_an_authorization_server(guarded: Any, authority: Any) -> None:
    next_, server, revoked = await guarded()
    results = await asyncio.gather(*(next_.invoke("GET /", {}, who("x")) for _ in range(20)))
    assert {result.value[0] for result in results} == {authority.client_id}
    assert len(authority.requests) == 1
    revoked.add("at-1")
    body = {"body": {"n": 1}}
    assert (await next_.invoke("POST /c", body, who("x", idempotency_key="k"))).value[0] == authority.client_id
    twice = server.seen[-2:]
    assert [seen.headers["authorization"] for seen in twice] == ["Bearer at-1", "Bearer at-2"]
    assert [(seen.body, seen.headers["idempotency-key"]) for seen in twice] == [(b'{"n":1}', "k")] * 2
    revoked.add("at-2")
    with pytest.raises(Refused):
        await next_.invoke("GET /", {}, who("x"))
    assert not (await next_.probe(who(None))).ok


async def test_each_callers_token_is_exchanged(guarded: Any, authority: Any) -> None:
    next_, server, _ = await guarded(exchange=True)
    for name in ("ann", "bob", "ann"):
        found = await next_.invoke("GET /", {}, who(name, subject_token=f"token-of-{name}"))
        assert found.value == [name, authority.client_id]
    count = len(server.seen)
    for context in (who("ann"), who("eve", subject_token="token-of-eve")):
        with pytest.raises(NotMapped):
            await next_.invoke("GET /", {}, context)
    assert len(server.seen) == count
    # The caller's own token stays with the authority.
    assert "token-of" not in str(server.seen)
    assert (await next_.probe(who(None))).ok


@pytest.mark.parametrize(
    "config",
    [
        {"callers": {}},
        {"callers": {"alice": {}}},
        {"callers": {"alice": {"bearer": "literal"}}},
        {"callers": {"": {"bearer": secret("x")}}},
        {"callers": {"alice": {"oauth": {}}}},
        {"caller": {"header": "Authorization"}},
        {"caller": {"header": "Host"}},
        {"caller": {"header": "traceparent"}},
        {"caller": {"header": "X User"}},
        {"caller": {"header": "X-User\r\n"}},
        {"caller": {}},
    ],
)
def test_what_cannot_be_is_refused(config: Any) -> None:
    with pytest.raises(ValidationError):
        KIND.config.model_validate({"base_url": "https://crm.internal", **config})


def test_two_ways_to_say_in_whose_name_are_one_too_many() -> None:
    oauth = {"token_url": "https://id.test/token", "client_id": "a", "client_secret": secret("b")}
    with pytest.raises(ValidationError, match="choose one"):
        KIND.config.model_validate({"base_url": "https://c.test", "auth": {"oauth": oauth}, "callers": CALLERS})
