"""How a stream's server knows the gateway, and how the gateway knows the server."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import json
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import nkeys
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from nats.js.api import StreamConfig
from pydantic import ValidationError

from adapters.secret import Reference
from gateway.feeds.deliveries import Deliveries
from gateway.routing.events_schema import Events

_EVENTS = """
events:
  streams:
    hub:
      url: {url}
      stream: IN
      prefix: in
      {credential}
      as: {{principal: hub, roles: [all]}}
      sources: [erp.stock]
"""


def _key(prefix: int) -> tuple[str, Any]:
    """A seed as a text, and its pair of keys."""
    seed = nkeys.encode_seed(os.urandom(32), prefix)
    return seed.decode(), nkeys.from_seed(seed)


def _jwt(issuer: Any, subject: Any, name: str, claims: dict[str, Any]) -> str:
    """As operators of NATS sign them: https://docs.nats.io/running-a-nats-service/nats_admin/security/jwt."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    about = {"jti": name, "iat": 1_700_000_000, "iss": issuer.public_key.decode(), "sub": subject.public_key.decode()}
    head = {"typ": "JWT", "alg": "ed25519-nkey"}
    text = f"{part(head)}.{part({**about, 'name': name, 'nats': {'version': 2, **claims}})}"
    return f"{text}.{base64.urlsafe_b64encode(issuer.sign(text.encode())).rstrip(b'=').decode()}"


def _decentralised() -> tuple[str, str]:
    """A server's configuration with an operator and an account, and a user's credentials."""
    kinds = (nkeys.PREFIX_BYTE_OPERATOR, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_USER)
    (_, operator), (_, system), (_, account), (seed, user) = (_key(each) for each in kinds)
    unlimited = {"subs": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "data": -1, "payload": -1,
                 "wildcards": True, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}  # fmt: skip
    signed = _jwt(operator, account, "app", {"type": "account", "limits": unlimited})
    apart = {**unlimited, "mem_storage": 0, "disk_storage": 0, "streams": 0, "consumer": 0}
    own = _jwt(operator, system, "sys", {"type": "account", "limits": apart})
    free = {"type": "user", "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1}
    mine = _jwt(account, user, "figway", free)
    config = (
        f"operator: {_jwt(operator, operator, 'op', {'type': 'operator'})}\nresolver: MEMORY\n"
        f"system_account: {system.public_key.decode()}\n"
        f"resolver_preload: {{ {account.public_key.decode()}: {signed}, {system.public_key.decode()}: {own} }}\n"
    )
    lines = ("-----BEGIN NATS USER JWT-----", mine, "------END NATS USER JWT------", "",
             "-----BEGIN USER NKEY SEED-----", seed, "------END USER NKEY SEED------", "")  # fmt: skip
    return config, "\n".join(lines)


def _known(kind: str, folder: Path) -> tuple[str, str, str, dict[str, Any]]:
    """A server's configuration, gateway.yaml's words, the secret, and a test's own way in."""
    if kind == "user":
        config = "authorization {user: figway, password: correct-horse}\n"
        return (
            config,
            "user: figway\n      password: env:S",
            "correct-horse",
            {"user": "figway", "password": "correct-horse"},
        )
    if kind == "token":
        return "authorization {token: correct-horse}\n", "token: env:S", "correct-horse", {"token": "correct-horse"}
    if kind == "nkey":
        seed, pair = _key(nkeys.PREFIX_BYTE_USER)
        config = f"authorization {{users: [{{nkey: {pair.public_key.decode()}}}]}}\n"
        return config, "nkey: env:S", seed, {"nkeys_seed_str": seed}
    config, text = _decentralised()
    (folder / "creds").write_text(text)
    return config, "credentials: env:S", text, {"user_credentials": str(folder / "creds")}


_STRANGER = {"user": "wrong-horse", "token": "wrong-horse"}


@pytest.fixture
def started(nats_servers: ModuleType, servers: ModuleType, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """`started(config)`: a server of its own."""
    made: list[Any] = []

    def start(config: str) -> Any:
        made.append(nats_servers.Hub(tmp_path / "hub", servers.free_port(), config))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.kill()


def _note(place: Any) -> str:
    return next((each.note for each in place.kept(Deliveries.waiting)), "")


async def _noted(place: Any, fragment: str) -> None:
    async with asyncio.timeout(30):
        while fragment not in _note(place):  # noqa: ASYNC110 - a test waits
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("user", marks=pytest.mark.slow),
        pytest.param("token", marks=pytest.mark.slow),
        "nkey",
        "credentials",
    ],
)
async def test_a_server_knows_the_gateway_by(
    kind: str, started: Callable[[str], Any], make_place: Callable[..., Any], tmp_path: Path
) -> None:
    config, words, secret, way = _known(kind, tmp_path)
    hub = started(config)
    async with hub.jetstream(**way) as stream:
        await stream.add_stream(StreamConfig(name="IN", subjects=["in.>"]))
    stranger = _STRANGER.get(kind) or _known(kind, tmp_path / "..")[2]
    for given in (stranger, secret):
        place = make_place(_EVENTS.format(url=hub.url, credential=words), {"S": given})
        place.begin("hub")
        await place.write((f"A{given == secret}", "north"))
        async with place.working():
            if given == stranger:
                await _noted(place, "the server doesn't know its credential")
            else:
                await place.reached("hub", 2)
    assert len(await hub.messages("IN", **way)) == 2


@pytest.mark.parametrize(
    ("words", "secret", "told"),
    [
        ("credentials: env:S", "correct-horse", "its credentials aren't a JWT and a seed"),
        ("nkey: env:S", "correct-horse", "its seed isn't one of NATS"),
    ],
)
async def test_what_is_no_credential_is_waited_for_and_keeps_nobody_else(
    words: str, secret: str, told: str, hub: Any, make_place: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    name = f"GOOD{len(told)}"
    await hub.add(name)
    good = f"""    good:
      url: {hub.url}
      stream: {name}
      prefix: {name.lower()}
      as: {{principal: hub, roles: [all]}}
      sources: [erp.stock]
"""
    place = make_place(_EVENTS.format(url=hub.url, credential=words) + good, {"S": secret})
    place.begin("hub")
    place.begin("good")
    await place.write(("A", "north"))
    async with place.working():
        await _noted(place, told)
        await place.reached("good", 1)
    assert secret not in caplog.text


async def test_who_may_not_publish_waits(started: Callable[[str], Any], make_place: Callable[..., Any]) -> None:
    hub = started(
        "authorization {users: [{user: a, password: correct-horse, permissions: {publish: elsewhere, subscribe: '>'}}]}"
    )
    words = "user: a\n      password: env:S"
    place = make_place(_EVENTS.format(url=hub.url, credential=words), {"S": "correct-horse"})
    place.begin("hub")
    await place.write(("A", "north"))
    async with place.working():
        await _noted(place, "doesn't let this user publish")


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate, private = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return certificate, private


async def test_the_gateway_knows_a_server_by_its_certificate(
    started: Callable[[str], Any], make_place: Callable[..., Any], tmp_path: Path
) -> None:
    certificate, key = _certificate(tmp_path)
    hub = started(f'tls {{cert_file: "{certificate}", key_file: "{key}"}}')
    url = hub.url.replace("nats:", "tls:")
    way = {"tls": ssl.create_default_context(cafile=str(certificate))}
    async with hub.jetstream(**way) as stream:
        await stream.add_stream(StreamConfig(name="IN", subjects=["in.>"]))
    for words in ("", "tls: {ca: env:S}"):
        place = make_place(_EVENTS.format(url=url, credential=words), {"S": certificate.read_text()})
        place.begin("hub")
        await place.write((f"A{words}", "north"))
        async with place.working():
            await (place.reached("hub", 2) if words else _noted(place, "can't be reached: SSLCertVerificationError"))
    assert len(await hub.messages("IN", **way)) == 2


async def test_a_credential_is_shown_to_nobody_who_doesnt_encrypt(make_place: Callable[..., Any]) -> None:
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "x", "version": "2.9.10", "max_payload": 1_048_576, "headers": True, "jetstream": True}
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        heard.append(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    words = "user: figway\n      password: env:S"
    place = make_place(_EVENTS.format(url=f"tls://127.0.0.1:{port}", credential=words), {"S": "correct-horse"})
    place.begin("hub")
    await place.write(("A", "north"))
    async with server, place.working():
        await _noted(place, "the server doesn't encrypt")
    assert heard
    assert not any(heard)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "nats://hub.example:4222"},
        {"url": "tls://me:secret@hub.example"},
        {"stream": "a.b"},
        {"prefix": "a.>"},
        {"user": "figway"},
        {"user": "figway", "password": "literal"},
    ],
)
def test_what_isnt_safe_or_whole_is_refused(wrong: dict[str, str]) -> None:
    good = {"url": "tls://hub.example", "stream": "IN", "as": {"principal": "p"}, "sources": ["erp.stock"]}
    assert Events.model_validate({"streams": {"hub": good}}).subscribers
    with pytest.raises(ValidationError):
        Events.model_validate({"streams": {"hub": {**good, **wrong}}})


def test_a_name_is_for_one_subscriber() -> None:
    told = {"as": {"principal": "p"}, "sources": ["erp.stock"]}
    with pytest.raises(ValidationError, match="another name"):
        Events.model_validate(
            {
                "streams": {"hub": {"url": "tls://hub.example", "stream": "IN", **told}},
                "webhooks": {
                    "hub": {"url": "https://hub.example", "secret": Reference("correct-horse", "env:S"), **told}
                },
            }
        )
