"""The HTTP client against a real server that misbehaves: what it says of a request must be true."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.client import ClientOptions, HttpReply, http_client
from adapters.errors import ConfigError, Invalid, Unavailable, UnknownOutcome

METHODS = ["GET", "PUT", "DELETE", "POST", "PATCH"]


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


async def test_a_request_and_its_reply(wire: Any, make: Any) -> None:
    server = await wire(b"HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nok")
    target = "/a%2Fb/%2e%C3%A9?x=1%202&y=%2B"
    reply = await make().send("POST", server.url + target, headers={"X-B": "b"}, body=b"in", deadline=soon())
    assert reply == HttpReply(201, {"x-a": "1, 2", "content-length": "2"}, b"ok")
    seen = server.seen[0]
    assert (seen.method, seen.target, seen.body, seen.headers["x-b"]) == ("POST", target, b"in", "b")


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")]
)
async def test_replies_without_a_body(wire: Any, make: Any, method: str, status: str) -> None:
    length = "Content-Length: 99999999999\r\n" if method == "HEAD" else ""
    server = await wire(f"HTTP/1.1 {status}\r\n{length}\r\n".encode())
    client = make()
    for _ in range(2):
        assert (await client.send(method, server.url, deadline=soon())).body == b""


async def test_redirects_and_cookies_are_left_alone(wire: Any, make: Any, reply: Any) -> None:
    server = await wire(reply("302 Found", b"", "Location: /other", "Set-Cookie: a=b"))
    client = make()
    for _ in range(2):
        answer = await client.send("GET", server.url, deadline=soon())
        assert (answer.status, answer.headers["location"]) == (302, "/other")
    assert [seen.target for seen in server.seen] == ["/", "/"]
    assert "cookie" not in server.seen[1].headers


async def test_the_environments_proxy_is_ignored(
    wire: Any, make: Any, reply: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = await wire(reply("200 OK", b"ok"))
    assert (await make().send("GET", server.url, deadline=soon())).body == b"ok"


# ── nothing was sent ─────────────────────────────────────────────────────────────────────────────────────────


async def test_refused_is_unavailable(raised: Any, make: Any, servers: Any) -> None:
    error = await raised(make(), f"http://127.0.0.1:{servers.free_port()}/", method="POST")
    assert type(error) is Unavailable


async def test_an_unknown_name_is_unavailable(raised: Any, make: Any) -> None:
    assert type(await raised(make(), "http://no-such-host.invalid/")) is Unavailable


async def test_no_free_connection_is_unavailable(raised: Any, wire: Any, make: Any) -> None:
    server = await wire(lambda _: asyncio.sleep(60))
    client = make(connections=1)
    first = asyncio.create_task(raised(client, server.url + "/first", 1))
    await server.arrived.wait()
    assert type(await raised(client, server.url + "/second", 0.2, "POST")) is Unavailable
    assert type(await first) is UnknownOutcome
    assert [seen.target for seen in server.seen] == ["/first"]


async def test_a_deadline_in_the_past_sends_nothing(raised: Any, wire: Any, make: Any, reply: Any) -> None:
    server = await wire(reply("200 OK", b"ok"))
    client = make()
    await client.send("GET", server.url, deadline=soon())
    assert type(await raised(client, server.url, -1)) is Unavailable
    assert len(server.seen) == 1


async def test_what_cannot_be_written_is_refused_before(wire: Any, make: Any, reply: Any) -> None:
    server = await wire(reply("200 OK", b"ok"))
    client = make()
    with pytest.raises(Invalid):
        await client.send("GET", server.url, headers={"X-A": "a\r\nX-B: b"}, deadline=soon())
    for bad in ("/a b", "/a\r\nX: y", "/é"):
        with pytest.raises(Invalid):
            await client.send("GET", server.url + bad, deadline=soon())
    assert server.seen == []


# ── sent, and no answer ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_hung_server_is_an_unknown_outcome_at_the_deadline(raised: Any, wire: Any, make: Any) -> None:
    server = await wire(lambda _: asyncio.sleep(60))
    started = time.monotonic()
    assert type(await raised(make(), server.url, 0.3, "POST")) is UnknownOutcome
    assert time.monotonic() - started >= 0.3
    await asyncio.wait_for(server.left.wait(), 5)


@pytest.mark.parametrize("method", METHODS)
async def test_a_connection_closed_without_an_answer_is_never_resent(
    raised: Any, wire: Any, make: Any, reply: Any, method: str
) -> None:
    async def first_only(seen: Any) -> bytes | None:
        return reply("200 OK", b"ok") if seen.target == "/first" else None

    server = await wire(first_only)
    client = make(connections=1)
    await client.send("GET", server.url + "/first", deadline=soon())
    assert type(await raised(client, server.url + "/again", method=method)) is UnknownOutcome
    assert [seen.target for seen in server.seen] == ["/first", "/again"]
    assert server.connections == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["length", "chunked"],
)
async def test_a_reply_cut_short_is_an_unknown_outcome(raised: Any, wire: Any, make: Any, head: bytes) -> None:
    server = await wire(head)
    server.closes = True
    assert type(await raised(make(), server.url, method="POST")) is UnknownOutcome


async def test_a_cancelled_request_leaves_no_connection_behind(wire: Any, make: Any) -> None:
    server = await wire(lambda _: asyncio.sleep(60))
    task = asyncio.create_task(make().send("GET", server.url, deadline=soon()))
    await server.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.left.wait(), 5)


# ── connections ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("keep", "connections"), [(True, 1), (False, 3)])
async def test_connections_are_kept_or_closed(wire: Any, make: Any, reply: Any, keep: bool, connections: int) -> None:
    server = await wire(reply("200 OK", b"ok"))
    client = make(keep_alive=keep)
    for _ in range(3):
        await client.send("GET", server.url, deadline=soon())
    assert server.connections == connections
    assert (server.seen[0].headers.get("connection") == "close") is not keep


async def test_never_more_connections_than_allowed(wire: Any, make: Any, reply: Any) -> None:
    async def slowly(_: Any) -> bytes:
        await asyncio.sleep(0.01)
        return reply("200 OK", b"ok")

    server = await wire(slowly)
    client = make(connections=3)
    await asyncio.gather(*(client.send("GET", server.url, deadline=soon()) for _ in range(20)))
    assert server.connections == 3
    assert len(server.seen) == 20


async def test_a_closed_client_opens_again(wire: Any, make: Any, reply: Any) -> None:
    server = await wire(reply("200 OK", b"ok"))
    client = make()
    for _ in range(2):
        await client.send("GET", server.url, deadline=soon())
        await client.close()
    assert server.connections == 2


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────────────────────


def self_signed(name: str) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that is its own authority, and its key, both in PEM form."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(
        now + datetime.timedelta(days=1)
    )
    builder = builder.add_extension(address, False).add_extension(x509.BasicConstraints(True, None), True)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate, private.decode()


async def test_tls_is_verified_both_ways(raised: Any, wire: Any, make: Any, reply: Any, tmp_path: Path) -> None:
    server_certificate, server_key = self_signed("server")
    client_certificate, client_key = self_signed("client")
    (tmp_path / "server.pem").write_text(server_certificate + server_key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=client_certificate)
    context.load_cert_chain(tmp_path / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # so that a missing certificate fails the handshake itself
    server = await wire(reply("200 OK", b"ok"), ssl=context)

    assert type(await raised(make(), server.url)) is Unavailable
    assert type(await raised(make(ca=server_certificate), server.url)) is Unavailable
    assert server.seen == []
    known = make(ca=server_certificate, certificate=client_certificate, key=client_key)
    assert (await known.send("GET", server.url, deadline=soon())).body == b"ok"


@pytest.mark.parametrize("options", [{"ca": "no PEM"}, {"certificate": "no PEM", "key": "no PEM"}])
def test_wrong_pem_is_a_configuration_error(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        http_client(ClientOptions(**options))  # type: ignore[arg-type]
