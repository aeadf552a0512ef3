"""TLS both ways: whom the gateway trusts, and who it shows that it is."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.contract import Context
from adapters.errors import ConfigError, Unavailable
from adapters.secret import Reference
from adapters.soap import SoapAdapter

Documents = Callable[..., SoapAdapter]
Within = Callable[[float], Context]
ANSWER = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    b'<WhoamiResponse xmlns="urn:test:documents"/></e:Body></e:Envelope>'
)


def pair(real: Any, name: str) -> tuple[Reference, Reference]:
    certificate, key = real.self_signed(name, ec.generate_private_key(ec.SECP256R1()))
    return Reference(certificate, f"env:{name}"), Reference(key, f"env:{name}_KEY")


async def test_a_certificate_is_shown_and_another_is_trusted(
    real: Any, wire: Any, reply: Any, documents: Documents, within: Within, tmp_path: Path
) -> None:
    server, server_key = pair(real, "127.0.0.1")
    client, client_key = pair(real, "client")
    (tmp_path / "server.pem").write_text(server + server_key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=str.__str__(client))
    context.load_cert_chain(tmp_path / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # so that a missing certificate fails the handshake itself
    running = await wire(reply("200 OK", ANSWER, "Content-Type: text/xml"), ssl=context)
    for tls in (None, {"ca": server}, {"cert": client, "key": client_key}):
        with pytest.raises(Unavailable):
            await documents(running.url, tls=tls).invoke("Whoami", {"Text": "x"}, within(20))
    assert running.seen == []
    adapter = documents(running.url, tls={"ca": server, "cert": client, "key": client_key})
    assert (await adapter.invoke("Whoami", {"Text": "x"}, within(20))).value == {}


def test_what_is_no_certificate_is_told(real: Any, documents: Documents) -> None:
    certificate, _ = pair(real, "client")
    _, key = pair(real, "other")
    for tls, where in (
        ({"ca": "none.pem"}, "/tls/ca"),
        ({"ca": Reference("x", "env:X")}, "/tls/ca"),
        ({"cert": certificate, "key": key}, "/tls/cert"),
    ):
        with pytest.raises(ConfigError) as caught:
            documents("https://127.0.0.1:1", tls=tls)
        assert [problem.where for problem in caught.value.problems] == [where]


async def test_what_is_not_set_is_told_when_it_is_needed(real: Any, documents: Documents) -> None:
    certificate, _ = pair(real, "client")
    none = Reference("", "env:NONE", missing=True)
    with pytest.raises(Unavailable, match="credentials"):
        await documents("https://127.0.0.1:1", tls={"cert": certificate, "key": none}).open()
