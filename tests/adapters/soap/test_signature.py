"""Signatures, judged by xmlsec1; what is in a wsse:Security header; header blocks that a configuration gives."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree
from pydantic import ValidationError

from adapters.contract import Context, Workspace
from adapters.errors import BadReply, ConfigError, Unavailable
from adapters.secret import Reference
from adapters.soap import KIND, SoapAdapter
from adapters.soap.addressing import WSA
from adapters.soap.compiler import form_of
from adapters.soap.signature import BadKey, Signer
from adapters.soap.wsse import WSU

Connect = Callable[..., SoapAdapter]
Documents = Callable[..., SoapAdapter]
Within = Callable[[float], Context]
TEXTS = ["x", "a & <b> \r\n\t é 😀 ", "]]>", '"', "\u0085\u2028", "<!-- no -->", ""]
S11 = "http://schemas.xmlsoap.org/soap/envelope/"


def xmlsec(message: bytes, certificate: str, folder: Path) -> bool:
    """Whether xmlsec1 finds every reference and the signature right; the key is the certificate's."""
    if shutil.which("xmlsec1") is None:
        pytest.fail("xmlsec1 is missing: apt-get install xmlsec1")
    # It doesn't know WS-Security's references to keys.
    (folder / "signed.xml").write_bytes(re.sub(rb"<ds:KeyInfo>.*</ds:KeyInfo>", b"", message))
    (folder / "cert.pem").write_text(certificate)
    names = (f"{WSU}:Timestamp", f"{S11}:Body", "UsernameToken", *(f"{WSA}:{name}" for name in ("Action", "To")))
    secext = WSU.replace("utility", "secext")
    names = tuple(name if ":" in name else f"{secext}:{name}" for name in names)
    names = (*names, f"{WSA}:MessageID", f"{WSA}:ReplyTo")
    ids = [each for name in names for each in ("--id-attr:Id", name)]
    command = ["xmlsec1", "--verify", "--pubkey-cert-pem", "cert.pem", *ids, "signed.xml"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


async def sent(adapter: SoapAdapter, text: str, wire: Any) -> bytes:
    with pytest.raises(Exception, match="broke"):
        await adapter.invoke("Whoami", {"Text": text}, Context(1e12))
    return bytes(wire.seen[-1].body)


@pytest.mark.parametrize("kind", ["rsa", "p256", "p384"])
async def test_every_text_is_signed_right(
    kind: str, real: Any, wire: Any, documents: Documents, tmp_path: Path
) -> None:
    curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}
    key = real.rsa_key() if kind == "rsa" else ec.generate_private_key(curves[kind])
    certificate, private = real.self_signed("figway", key)
    signature = {"cert": Reference(certificate, "env:C"), "key": Reference(private, "env:K")}
    wsse = {"username": "u<&>", "password": Reference("p", "env:P")}
    server = await wire(None)
    adapter = documents(server.url, auth={"signature": signature, "wsse": wsse}, addressing=True)
    for text in TEXTS:
        message = await sent(adapter, text, server)
        assert xmlsec(message, certificate, tmp_path)
        root = etree.fromstring(message)
        assert root.findtext(".//{urn:test:documents}Text") == text
        assert len(root.findall(".//{*}Reference/{*}DigestValue")) == 7
        assert b"sha1" not in message  # which zeep signs by unless it is told otherwise
        forged = message.replace(b"<n1:Text>", b"<n1:Text>!").replace(b"<n1:Text/>", b"<n1:Text>!</n1:Text>")
        assert not xmlsec(forged, certificate, tmp_path)
    assert not xmlsec(message.replace(b"Z</wsu:Expires>", b"0Z</wsu:Expires>"), certificate, tmp_path)


async def test_ids_are_never_the_same(identity: Any, wire: Any, documents: Documents) -> None:
    server = await wire(None)
    signature = {"cert": "c.pem", "key": Reference(identity[1], "env:K")}
    adapter = documents(server.url, auth={"signature": signature})
    ids = [set(re.findall(rb'Id="([^"]+)"', await sent(adapter, "x", server))) for _ in range(2)]
    assert len(ids[0]) == 3
    assert not ids[0] & ids[1]


async def test_a_timestamp_says_until_when(wire: Any, documents: Documents) -> None:
    server = await wire(None)
    wsse = {"username": "u", "password": Reference("p", "env:P"), "timestamp": True}
    root = etree.fromstring(await sent(documents(server.url, auth={"wsse": wsse}), "x", server))
    created, expires = (
        datetime.fromisoformat(root.findtext(f".//{{*}}Timestamp/{{*}}{name}") or "") for name in ("Created", "Expires")
    )
    assert (expires - created).total_seconds() == 300
    assert abs((datetime.now(UTC) - created).total_seconds()) < 60


def test_what_cannot_sign_is_told(real: Any, identity: Any) -> None:
    small = real.self_signed("x", rsa.generate_private_key(65537, 1024))
    for certificate, key, part in [
        ("no", identity[1], "cert holds no certificate"),
        (identity[0], "no", "key is no unencrypted"),
        (identity[0], real.self_signed("y", real.rsa_key())[1], "isn't the certificate's"),
        (*small, "2048 bits"),
    ]:
        with pytest.raises(BadKey, match=part):
            Signer(certificate, key)


def test_a_configuration_is_judged_when_it_is_read(documents: Documents, identity: Any) -> None:
    key = Reference(identity[1], "env:K")
    with pytest.raises(ConfigError, match=r"no file none\.pem") as caught:
        documents("http://127.0.0.1:1", callers={"*": {"signature": {"cert": "none.pem", "key": key}}})
    assert caught.value.problems[0].where == "/callers/*/signature/cert"
    unset = Reference("", "env:K", missing=True)
    for options in (
        {"auth": {"signature": {"cert": "none.pem", "key": unset}}},
        {"tls": {"cert": "none.pem", "key": unset}},
    ):
        with pytest.raises(ConfigError, match=r"no file none\.pem"):
            documents("http://127.0.0.1:1", **options)
    with pytest.raises(ConfigError, match="the signature's key") as caught:
        documents("http://127.0.0.1:1", auth={"signature": {"cert": "c.pem", "key": Reference("x", "env:K")}})
    assert caught.value.problems[0].where == "/auth/signature"
    for config in (
        {"auth": {"signature": {"cert": "c.pem", "key": "literal"}}},
        {"auth": {"signature": {"cert": "c.pem", "key": key}}, "attachments": "mtom"},
        {"headers": {"Session": "x"}},
        {"headers": {"{urn:x}a b": "x"}},
        {"headers": {"{urn:x}a": 1}},
        {"headers": {"{urn:x}a": {"{urn:y}b": "x"}}},
        {"headers": {"{urn:x}a": {"b": {"c": None}}}},
    ):
        with pytest.raises(ValidationError):
            KIND.config.model_validate({"wsdl": "d.wsdl", **config})


@pytest.mark.parametrize("unset", ["key", "cert", "header"])
async def test_what_is_not_set_is_told_when_it_is_needed(unset: str, documents: Documents, identity: Any) -> None:
    none = Reference("", "env:NONE", missing=True)
    pair = {"cert": Reference(identity[0], "env:C"), "key": Reference(identity[1], "env:K")}
    options = (
        {"headers": {"{urn:x}a": {"b": none}}} if unset == "header" else {"auth": {"signature": {**pair, unset: none}}}
    )
    with pytest.raises(Unavailable, match="credentials"):
        await documents("http://127.0.0.1:1", **options).open()


async def test_header_blocks_of_the_configuration(wire: Any, documents: Documents) -> None:
    server = await wire(None)
    blocks = {
        "{urn:s?a=b}Session": {"Tenant": "a<&>c", "Key": {"Value": Reference("s3cret", "env:S")}},
        "{urn:l}Locale": "de",
    }
    adapter = documents(server.url, headers=blocks, trace="{urn:t}traceparent")
    with pytest.raises(Exception, match="broke"):
        await adapter.invoke("Whoami", {"Text": "x"}, Context(1e12, traceparent="00-a-b-01"))
    header = etree.fromstring(server.seen[0].body)[0]
    assert [(node.tag, node.text) for node in header.iter()] == [
        (f"{{{S11}}}Header", None),
        ("{urn:s?a=b}Session", None),
        ("{urn:s?a=b}Tenant", "a<&>c"),
        ("{urn:s?a=b}Key", None),
        ("{urn:s?a=b}Value", "s3cret"),
        ("{urn:l}Locale", "de"),
        ("{urn:t}traceparent", "00-a-b-01"),
    ]
    assert "s3cret" not in repr(adapter._config)


def _answer(relates: str) -> bytes:
    return (
        f'<e:Envelope xmlns:e="{S11}" xmlns:a="{WSA}"><e:Header>{relates}</e:Header><e:Body>'
        '<WhoamiResponse xmlns="urn:test:documents"/></e:Body></e:Envelope>'
    ).encode()


@pytest.mark.parametrize(
    ("relates", "fits"),
    [
        ("", True),
        ("<a:RelatesTo>{}</a:RelatesTo>", True),
        ("<a:RelatesTo RelationshipType='urn:other'>no</a:RelatesTo><a:RelatesTo> {} </a:RelatesTo>", True),
        (f"<a:RelatesTo RelationshipType='{WSA}/reply'>urn:uuid:other</a:RelatesTo>", False),
        ("<a:RelatesTo/>", False),
    ],
)
async def test_a_reply_to_another_message_is_refused(
    relates: str, fits: bool, wire: Any, reply: Any, documents: Documents, within: Within
) -> None:
    async def answer(seen: Any) -> bytes:
        message_id = etree.fromstring(seen.body).findtext(f".//{{{WSA}}}MessageID") or ""
        return bytes(reply("200 OK", _answer(relates.format(message_id)), "Content-Type: text/xml"))

    adapter = documents((await wire(answer)).url, addressing=True)
    if fits:
        assert (await adapter.invoke("Whoami", {"Text": "x"}, within(20))).value == {}
    else:
        with pytest.raises(BadReply, match="another message"):
            await adapter.invoke("Whoami", {"Text": "x"}, within(20))


@pytest.mark.parametrize(
    ("change", "action"),
    [
        ({}, "urn:test:documents/Whoami"),
        ({'soapAction="urn:test:documents/Whoami"': 'soapAction=""'}, "urn:test:documents:Documents:WhoamiRequest"),
        (
            {
                'soapAction="urn:test:documents/Whoami"': "",
                '<wsdl:input message="d:Whoami"/>': '<wsdl:input name="Asked" message="d:Whoami"/>',
                '"urn:test:documents"': '"http://test/documents/"',
            },
            "http://test/documents/Documents/Asked",
        ),
        (
            {
                '<wsdl:input message="d:Whoami"/>': '<wsdl:input w:Action="urn:said" message="d:Whoami" '
                'xmlns:w="http://www.w3.org/2007/05/addressing/metadata"/>'
            },
            "urn:said",
        ),
    ],
)
def test_the_action_is_named_as_the_wsdl_says(change: dict[str, str], action: str, tmp_path: Path) -> None:
    text = (Path(__file__).parent / "documents" / "documents.wsdl").read_text()
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    form = form_of("d.wsdl", Workspace({"d.wsdl": text.encode()}, tmp_path))
    operation = next(each for each in form.ports[0].operations if each.name == "Whoami")
    assert operation.addressed == action
