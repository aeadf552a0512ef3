"""Who calls reaches the service: as a UsernameToken, by HTTP authentication or a token, and never as someone else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree
from pydantic import ValidationError

from adapters.contract import Context
from adapters.errors import NotMapped
from adapters.secret import Reference
from adapters.soap import KIND, SoapAdapter

Connect = Callable[..., SoapAdapter]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def secret(text: str) -> Reference:
    return Reference(text, "env:SECRET")


def token(user: str, password: str, kind: str = "digest") -> dict[str, Any]:
    return {"wsse": {"username": user, "password": secret(password), "type": kind}}


CALLERS = {
    "alice@example.com": token("alice", "pw of alice"),
    "bob": token("bob", "pw of bob", "text"),
    "zed": token("zoë & <co>", "pw"),
    "role:clerk": {"basic": {"username": "clerk", "password": secret("pw of clerk")}},
}


def who(principal: str | None, *roles: str, traceparent: str | None = None) -> Context:
    return Context(time.monotonic() + 10, traceparent, principal=principal, roles=roles)


async def seen(adapter: SoapAdapter, context: Context) -> list[str]:
    """What the service says of its caller: token's user, user:password by HTTP, bearer, trace block, cookies."""
    result = await adapter.invoke("GetOrder", {"OrderId": 1000}, context)
    return str(result.value["Order"]["Customer"]["Name"]).split("|")


@pytest.mark.parametrize("soap", ["1.1", "1.2"])
async def test_each_caller_is_proven_by_its_own_credential(soap: str, users_php: str, connect: Connect) -> None:
    adapter = connect(users_php, soap, callers=CALLERS, auth=token("figway", "of the gateway"))
    assert (await seen(adapter, who("alice@example.com")))[:2] == ["alice", ":"]
    assert (await seen(adapter, who("bob")))[:2] == ["bob", ":"]
    assert (await seen(adapter, who("zed")))[:2] == ["zoë & <co>", ":"]
    assert (await seen(adapter, who("carol", "x", "clerk")))[:2] == ["", "clerk:pw of clerk"]


async def test_one_callers_session_never_serves_another(users_php: str, connect: Connect) -> None:
    """The service sets a cookie for each; connections are shared and kept, what is on them isn't."""
    adapter = connect(users_php, callers=CALLERS, connections=2)
    names = {"alice@example.com": "alice", "bob": "bob", "zed": "zoë & <co>"}
    calls = list(names) * 20
    answers = await asyncio.gather(*(seen(adapter, who(name)) for name in calls))
    assert [answer[0] for answer in answers] == [names[name] for name in calls]
    assert {(answer[1], answer[2], answer[4]) for answer in answers} == {(":", "", "")}


@pytest.mark.parametrize(
    "principal",
    [
        "carol",
        "Bob",
        "bob ",
        "bob\x00",
        "bob\r\nX-User: alice",
        "alice'; DROP",
        "ünï",
        "n" * 256,
        "role:clerk",
        "*",
        "",
        None,
    ],
)
async def test_who_is_not_mapped_is_refused_before_anything_is_sent(
    servers: Any, connect: Connect, principal: str | None
) -> None:
    adapter = connect(f"http://127.0.0.1:{servers.free_port()}", callers=CALLERS, auth=token("figway", "x"))
    with pytest.raises(NotMapped):
        await adapter.invoke("GetOrder", {"OrderId": 7}, who(principal, "Clerk"))


async def test_everyone_else_has_an_entry_only_when_it_is_said(users_php: str, connect: Connect) -> None:
    adapter = connect(users_php, callers={**CALLERS, "*": token("alice", "pw of alice")})
    assert (await seen(adapter, who("role:clerk")))[0] == "alice"
    assert (await seen(adapter, who("bob")))[0] == "bob"
    with pytest.raises(NotMapped):
        await seen(adapter, who(None))


async def test_a_probe_is_the_gateways_own(guarded_php: str, connect: Connect, password: Reference) -> None:
    own = {"wsse": {"username": "figway", "password": password}}
    probe = {"operation": "GetOrder", "input": {"OrderId": 7}}
    adapter = connect(guarded_php, callers=CALLERS, auth=own, probe=probe)
    assert (await adapter.probe(who(None))).ok
    assert (await connect(guarded_php, callers=CALLERS).probe(who(None))).ok


async def test_the_trace_goes_as_a_header_block_where_that_is_declared(users_php: str, connect: Connect) -> None:
    adapter = connect(users_php, auth=token("bob", "pw of bob"), trace="{urn:trace}traceparent")
    assert (await seen(adapter, who("x", traceparent=TRACE)))[::3] == ["bob", TRACE]
    assert (await seen(adapter, who("x")))[3] == ""
    assert (await seen(connect(users_php), who("x", traceparent=TRACE)))[3] == ""


@pytest.mark.parametrize("text", ["a</t:x><evil/>", "{0}{x!r}%s", "&lt;", '" onload="'])
async def test_what_the_trace_says_stays_text(wire: Any, connect: Connect, text: str) -> None:
    server = await wire(None)
    adapter = connect(server.url, trace="{urn:a'b}x")
    with pytest.raises(Exception, match="broke"):
        await adapter.invoke("GetOrder", {"OrderId": 7}, Context(time.monotonic() + 5, text))
    (block,) = etree.fromstring(server.seen[0].body).find("{*}Header")
    assert (block.tag, block.text, len(block)) == ("{urn:a'b}x", text, 0)


async def test_a_service_behind_an_authorization_server(authority: Any, users_php: str, connect: Connect) -> None:
    oauth = {"token_url": authority.url, "client_id": authority.client_id, "client_secret": secret(authority.secret)}
    adapter = connect(users_php, auth={"oauth": oauth})
    assert (await seen(adapter, who("alice")))[2] == "Bearer at-1"
    mine = connect(users_php, auth={"oauth": {**oauth, "exchange": True}, **token("bob", "pw of bob")})
    answer = await seen(mine, who("ann")._replace(subject_token="token-of-ann"))
    assert (answer[0], answer[2]) == ("bob", "Bearer at-3")
    assert authority.good["at-3"] == ("ann", authority.client_id)
    with pytest.raises(NotMapped):
        await seen(mine, who("ann"))
    assert (await mine.probe(who(None))).ok


@pytest.mark.parametrize(
    "config",
    [
        {"callers": {}},
        {"callers": {"alice": {}}},
        {"callers": {"alice": {"wsse": {"username": "a", "password": "literal"}}}},
        {"callers": {"role:": token("a", "b")}},
        {"callers": {"alice": {"oauth": {}}}},
        {"trace": "traceparent"},
        {"trace": '{urn:"x}a'},
        {"trace": "{urn:a{}b}a"},
        {"trace": "{urn:x}a b"},
        {"trace": "{urn:x}<a"},
    ],
)
def test_what_cannot_be_is_refused(config: Any) -> None:
    with pytest.raises(ValidationError):
        KIND.config.model_validate({"wsdl": "crm/orders.wsdl", **config})


async def test_an_unset_credential_of_one_caller_is_told_on_opening(php: str, connect: Connect) -> None:
    unset = Reference("", "env:NONE", missing=True)
    adapter = connect(php, callers={"alice": {"wsse": {"username": "a", "password": unset}}})
    probe = await adapter.probe(who(None))
    assert not probe.ok
    assert "credentials" in probe.detail
