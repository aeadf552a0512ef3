"""gSOAP's own plug-ins judge what we send: MTOM, UsernameToken, timestamps, signatures, WS-Addressing; and its replies
are read."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from adapters.contract import Context
from adapters.errors import NotFound, Refused
from adapters.secret import Reference
from adapters.soap import SoapAdapter

Documents = Callable[..., SoapAdapter]
Within = Callable[[float], Context]
VERSIONS = pytest.mark.parametrize("soap", ["1.1", "1.2"])
PASSWORD = Reference("let me in", "env:PASSWORD")
CONTENT = bytes(range(256)) * 20


def total(content: bytes) -> int:
    found = 0
    for each in content:
        found = (found * 31 + each) % 2**64
    return found


def pattern(size: int) -> bytes:
    return bytes((at * 7 + (at >> 8)) % 256 for at in range(size))


@VERSIONS
@pytest.mark.parametrize("way", [None, "mtom"])
@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 5120])
async def test_content_arrives(
    soap: str, way: str | None, size: int, gsoap: Any, documents: Documents, within: Within
) -> None:
    adapter, content = documents(gsoap[0], soap, attachments=way), CONTENT[:size]
    given = {"Document": {"Name": "n", "Content": base64.b64encode(content).decode()}}
    value = (await adapter.invoke("Put", given, within(20))).value
    assert (value["Size"], value["Sum"]) == (size, total(content))
    assert value.get("Type") == ("application/octet-stream" if way and size >= 1024 else None)


@VERSIONS
@pytest.mark.parametrize("size", [1, 3000, 300_000])
async def test_content_beside_a_reply_is_read(
    soap: str, size: int, gsoap: Any, documents: Documents, within: Within
) -> None:
    result = await documents(gsoap[0], soap).invoke("Get", {"Name": "é", "Size": size}, within(20))
    assert result.value == {"Document": {"Name": "é", "Content": base64.b64encode(pattern(size)).decode()}}
    assert result.warnings == ()


@VERSIONS
async def test_a_typed_fault(soap: str, gsoap: Any, documents: Documents, within: Within) -> None:
    with pytest.raises(NotFound) as caught:
        await documents(gsoap[0], soap, attachments="mtom").invoke("Get", {"Name": "n", "Size": -1}, within(20))
    assert caught.value.message == "docs refused the call: no such document, see …"
    assert '"detail":{"Name":"n"}' in caught.value.detail


@VERSIONS
@pytest.mark.parametrize("kind", ["digest", "text"])
async def test_a_user_and_a_timestamp(soap: str, kind: str, gsoap: Any, documents: Documents, within: Within) -> None:
    wsse = {"username": "zoë & <co>", "password": PASSWORD, "type": kind, "timestamp": True}
    value = (await documents(gsoap[0], soap, auth={"wsse": wsse}).invoke("Whoami", {"Text": "x"}, within(20))).value
    assert value == {"Text": "x", "User": "zoë & <co>"}
    wrong = {**wsse, "password": Reference("let me out", "env:PASSWORD")}
    with pytest.raises(Refused):
        await documents(gsoap[0], soap, auth={"wsse": wrong}).invoke("Whoami", {"Text": "x"}, within(20))


@VERSIONS
@pytest.mark.parametrize("addressing", [False, True])
@pytest.mark.parametrize("wsse", [False, True])
@pytest.mark.parametrize("by", ["file", "reference"])
async def test_a_signature_is_verified(
    soap: str, addressing: bool, wsse: bool, by: str, gsoap: Any, documents: Documents, within: Within, identity: Any
) -> None:
    cert = "c.pem" if by == "file" else Reference(identity[0], "env:CERT")
    auth: dict[str, Any] = {"signature": {"cert": cert, "key": Reference(identity[1], "env:KEY")}}
    if wsse:
        auth["wsse"] = {"username": "u", "password": PASSWORD}
    adapter = documents(gsoap[1], soap, auth=auth, addressing=addressing, verify={"cert": cert})
    value = (await adapter.invoke("Whoami", {"Text": "a & <b> é 😀"}, within(20))).value
    assert (value["Text"], value["Signer"]) == ("a & <b> é 😀", "/CN=figway")
    assert value.get("User") == ("u" if wsse else None)
    assert ("MessageID" in value) is addressing


@VERSIONS
async def test_who_does_not_sign_is_refused(soap: str, gsoap: Any, documents: Documents, within: Within) -> None:
    with pytest.raises(Refused):
        await documents(gsoap[1], soap).invoke("Whoami", {"Text": "x"}, within(20))


async def test_who_signs_with_another_key_is_refused(
    real: Any, gsoap: Any, documents: Documents, within: Within
) -> None:
    certificate, key = real.self_signed("figway", real.rsa_key())
    auth = {"signature": {"cert": Reference(certificate, "env:C"), "key": Reference(key, "env:K")}}
    with pytest.raises(Refused):
        await documents(gsoap[1], auth=auth).invoke("Whoami", {"Text": "x"}, within(20))


@VERSIONS
async def test_addressing(soap: str, gsoap: Any, documents: Documents, within: Within) -> None:
    adapter = documents(gsoap[0], soap, addressing=True)
    seen = [(await adapter.invoke("Whoami", {"Text": "x"}, within(20))).value for _ in range(2)]
    assert {each["Action"] for each in seen} == {"urn:test:documents/Whoami"}
    assert len({each["MessageID"] for each in seen}) == 2
    assert all(each["MessageID"].startswith("urn:uuid:") for each in seen)


@VERSIONS
async def test_soap_with_attachments(soap: str, gsoap: Any, documents: Documents, within: Within) -> None:
    items = [
        {"id": "a@x", "type": "image/png", "content": base64.b64encode(CONTENT).decode()},
        {"id": "b@x", "type": "text/plain", "content": base64.b64encode(b"--b\r\n\r\n").decode()},
    ]
    adapter = documents(gsoap[0], soap, attachments="swa")
    value = (await adapter.invoke("Whoami", {"Text": "cid:a@x", "#attachments": items}, within(20))).value
    assert (value["Text"], value["#attachments"]) == ("cid:a@x", items)
