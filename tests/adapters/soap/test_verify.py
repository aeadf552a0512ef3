"""Signatures of replies: xmlsec1 signs, we verify; what was changed or rearranged afterwards is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from adapters.contract import Context
from adapters.errors import BadReply, ConfigError, Unavailable
from adapters.secret import Reference
from adapters.soap import SoapAdapter
from adapters.soap.verify import Unverified, Verifier
from adapters.soap.wsse import WSSE, WSU

S11 = "http://schemas.xmlsoap.org/soap/envelope/"
DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
ENC = "http://www.w3.org/2001/04/xmlenc#"
BODY = "<d:WhoamiResponse><d:Text>{}</d:Text></d:WhoamiResponse>"
PREFIXES = f'<c:InclusiveNamespaces xmlns:c="{EXCLUSIVE}" PrefixList="xsd e #default"/>'


def reference(name: str, digest: str = ENC + "sha256", transform: str = EXCLUSIVE, inner: str = "") -> str:
    return (
        f'<ds:Reference URI="#{name}"><ds:Transforms><ds:Transform Algorithm="{transform}">{inner}</ds:Transform>'
        f'</ds:Transforms><ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue/></ds:Reference>'
    )


def template(
    references: str,
    method: str = MORE + "rsa-sha256",
    canonical: str = EXCLUSIVE,
    minutes: tuple[int, int] = (0, 5),
    blocks: str = "",
    text: str = "a &amp; b é",
) -> str:
    created, expires = ((datetime.now(UTC) + timedelta(minutes=each)).isoformat()[:19] + "Z" for each in minutes)
    return f"""<e:Envelope xmlns:e="{S11}" xmlns:wsu="{WSU}" xmlns:d="urn:test:documents" xmlns:xsd="urn:unused">
<e:Header>{blocks}<s:Security xmlns:s="{WSSE}"><wsu:Timestamp wsu:Id="time"><wsu:Created>{created}</wsu:Created>
<wsu:Expires>{expires}</wsu:Expires></wsu:Timestamp><ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>
<ds:CanonicalizationMethod Algorithm="{canonical}"/><ds:SignatureMethod Algorithm="{method}"/>{references}
</ds:SignedInfo><ds:SignatureValue/></ds:Signature></s:Security></e:Header>
<e:Body wsu:Id="body">{BODY.format(text)}</e:Body></e:Envelope>"""


BOTH = reference("time") + reference("body")
Sign = Callable[..., bytes]


@pytest.fixture
def sign(identity: tuple[str, str], tmp_path: Path) -> Sign:
    """Has xmlsec1 sign a template."""
    if shutil.which("xmlsec1") is None:
        pytest.fail("xmlsec1 is missing: apt-get install xmlsec1")

    def signed(text: str, key: str = identity[1]) -> bytes:
        (tmp_path / "key.pem").write_text(key)
        (tmp_path / "template.xml").write_text(text)
        ids = [each for name in (f"{WSU}:Timestamp", f"{S11}:Body", "urn:h:Session") for each in ("--id-attr:Id", name)]
        command = ["xmlsec1", "--sign", "--privkey-pem", "key.pem", *ids, "--output", "signed.xml", "template.xml"]
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
        return (tmp_path / "signed.xml").read_bytes()

    return signed


def check(message: bytes, certificates: str) -> etree._Element:
    root = etree.fromstring(message)
    Verifier(certificates).verify(root)
    return root


@pytest.mark.parametrize("inner", ["", PREFIXES])
@pytest.mark.parametrize("digest", [ENC + "sha256", MORE + "sha384", ENC + "sha512"])
def test_what_xmlsec_signs_is_verified(inner: str, digest: str, sign: Sign, identity: Any) -> None:
    check(sign(template(reference("time", digest, inner=inner) + reference("body", digest, inner=inner))), identity[0])


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=["p256", "p384", "p521"])
def test_elliptic_curves(curve: Any, sign: Sign, real: Any) -> None:
    certificate, key = real.self_signed("x", ec.generate_private_key(curve))
    check(sign(template(BOTH, MORE + "ecdsa-sha384"), key), certificate)


def test_one_of_several_certificates(sign: Sign, real: Any, identity: Any) -> None:
    other = real.self_signed("next", real.rsa_key())[0]
    check(sign(template(BOTH)), other + identity[0])
    with pytest.raises(Unverified, match="isn't signed by the certificate"):
        check(sign(template(BOTH)), other)


def _tampered(message: bytes, old: str, new: str) -> bytes:
    assert old.encode() in message
    return message.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a &amp; b", "a &amp; c"),
        ("<d:Text>", "<d:Text x='1'>"),
        ("<wsu:Created>2", "<wsu:Created>1"),
        ("<ds:DigestValue>", "<ds:DigestValue>AAAA"),
        ('URI="#body"', 'URI="#time"'),
        ("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"),
    ],
)
def test_what_was_changed_is_refused(old: str, new: str, sign: Sign, identity: Any) -> None:
    with pytest.raises(Unverified):
        check(_tampered(sign(template(BOTH)), old, new), identity[0])


def _wrapped(message: bytes, where: str, body_id: str, *, keep: bool = True) -> bytes:
    """The signed body moved to where nobody reads it, and another in its place (McIntosh and Austel, 2005)."""
    root = etree.fromstring(message)
    header, body = root
    forged = etree.SubElement(root, body.tag, nsmap={"wsu": WSU})
    if body_id:
        forged.set(f"{{{WSU}}}Id", body_id)
    forged.append(
        etree.fromstring(f'<d:WhoamiResponse xmlns:d="urn:test:documents"><d:Text>{where}</d:Text></d:WhoamiResponse>')
    )
    if where == "header":
        etree.SubElement(header, "Wrapper").append(body)
    elif where == "object":
        signature = next(root.iter(f"{{{DS}}}Signature"))
        etree.SubElement(signature, f"{{{DS}}}Object").append(body)
    elif where == "security":
        header[0].append(body)
    elif where == "within":
        forged[0].append(body)
    elif where == "before":
        root.insert(0, body)
    elif where == "after":
        root.append(body)
    return etree.tostring(root)


@pytest.mark.parametrize("body_id", ["", "other", "body"])
@pytest.mark.parametrize("where", ["header", "object", "security", "within", "before", "after", "beside"])
def test_what_was_rearranged_is_refused(where: str, body_id: str, sign: Sign, identity: Any) -> None:
    with pytest.raises(Unverified):
        check(_wrapped(sign(template(BOTH)), where, body_id), identity[0])


def test_a_timestamp_that_was_rearranged_is_refused(sign: Sign, identity: Any) -> None:
    root = etree.fromstring(sign(template(BOTH, minutes=(-60, -30))))
    security = root[0][0]
    old = security[0]
    etree.SubElement(root[0], "Wrapper").append(old)
    fresh = etree.fromstring(etree.tostring(old).replace(b'Id="time"', b'Id="now"'))
    fresh[0].text = datetime.now(UTC).isoformat()[:19] + "Z"
    fresh.remove(fresh[1])
    security.insert(0, fresh)
    with pytest.raises(Unverified, match="when it was signed"):
        check(etree.tostring(root), identity[0])


def test_header_blocks_that_are_not_signed_are_not_there(sign: Sign, identity: Any) -> None:
    blocks = '<h:Session xmlns:h="urn:h" wsu:Id="session">1</h:Session><h:Forged xmlns:h="urn:h">2</h:Forged>'
    root = check(sign(template(BOTH + reference("session"), blocks=blocks)), identity[0])
    assert [etree.QName(each).localname for each in root[0]] == ["Session", "Security"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"references": reference("time")}, "has a body that isn't signed"),
        ({"references": reference("body")}, "doesn't say when"),
        ({"references": BOTH, "minutes": (-30, -20)}, "too long ago"),
        ({"references": BOTH, "minutes": (30, 40)}, "at no time that can be"),
        ({"references": BOTH, "method": DS + "rsa-sha1"}, "in a way that isn't trusted"),
        ({"references": reference("time") + reference("body", DS + "sha1")}, "in a way that isn't trusted"),
        ({"references": BOTH, "canonical": "http://www.w3.org/2006/12/xml-c14n11"}, "in a way that isn't trusted"),
        (
            {"references": reference("time") + reference("body", transform=DS + "enveloped-signature")},
            "in a way that isn't trusted",
        ),
    ],
)
def test_ways_that_are_not_enough(options: dict[str, Any], why: str, sign: Sign, identity: Any) -> None:
    try:
        message = sign(template(**options))
    except subprocess.CalledProcessError:  # Some builds of xmlsec1 sign by SHA-1 no more.
        message = template(**options).encode()
    with pytest.raises(Unverified, match=why):
        check(message, identity[0])


@pytest.mark.parametrize("expires", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"])
def test_a_timestamp_without_an_end(expires: str, sign: Sign, identity: Any) -> None:
    text = re.sub("<wsu:Expires>[^<]*", f"<wsu:Expires>{expires}", template(BOTH))
    check(sign(text), identity[0])


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (f'<e:Envelope xmlns:e="{S11}"><e:Body/></e:Envelope>', "isn't signed"),
        (f'<e:Envelope xmlns:e="{S11}"><e:Header/><e:Body/></e:Envelope>', "isn't signed"),
        (f'<e:Envelope xmlns:e="{S11}"><e:Header/><e:Body/><e:Body/></e:Envelope>', "isn't one header and one body"),
        (f'<e:Envelope xmlns:e="{S11}"><e:Body/><e:Header/></e:Envelope>', "isn't one header and one body"),
    ],
)
def test_what_is_not_signed(pattern: str, why: str, identity: Any) -> None:
    with pytest.raises(Unverified, match=why):
        check(pattern.encode(), identity[0])


async def test_over_http(
    sign: Sign, identity: Any, wire: Any, reply: Any, documents: Callable[..., SoapAdapter]
) -> None:
    answers = [sign(template(BOTH, text="yes")), _wrapped(sign(template(BOTH)), "header", "body"), b""]
    answers[2] = template("", text="no").encode()
    waiting = iter(answers)

    async def answer(_: Any) -> bytes:
        return bytes(reply("200 OK", next(waiting), "Content-Type: text/xml"))

    server = await wire(answer)
    adapter = documents(server.url, verify={"cert": "c.pem"})
    result = await adapter.invoke("Whoami", {"Text": "x"}, Context(1e12))
    assert (result.value, result.warnings) == ({"Text": "yes"}, ())
    for _ in range(2):
        with pytest.raises(BadReply, match="docs answered a message that is"):
            await adapter.invoke("Whoami", {"Text": "x"}, Context(1e12))


async def test_a_fault_that_is_not_signed_means_nothing(
    identity: Any, wire: Any, reply: Any, documents: Callable[..., SoapAdapter]
) -> None:
    fault = "<e:Fault><faultcode>e:Client</faultcode><faultstring>NotFound</faultstring></e:Fault>"
    body = f'<e:Envelope xmlns:e="{S11}"><e:Body>{fault}</e:Body></e:Envelope>'.encode()
    server = await wire(reply("500 No", body, "Content-Type: text/xml"))
    with pytest.raises(BadReply, match="isn't signed"):
        await documents(server.url, verify={"cert": "c.pem"}).invoke("Whoami", {"Text": "x"}, Context(1e12))


async def test_content_beside_a_message_is_refused(
    wire: Any, reply: Any, documents: Callable[..., SoapAdapter]
) -> None:
    kind = 'Content-Type: multipart/related; boundary="b"; type="text/xml"'
    server = await wire(reply("200 OK", b"--b\r\n\r\n<x/>\r\n--b--\r\n", kind))
    with pytest.raises(BadReply, match="several parts"):
        await documents(server.url, verify={"cert": "c.pem"}).invoke("Whoami", {"Text": "x"}, Context(1e12))


async def test_what_cannot_verify_is_told(real: Any, documents: Callable[..., SoapAdapter]) -> None:
    small = real.self_signed("x", rsa.generate_private_key(65537, 1024))[0]
    for cert, why in [("gone.pem", "no file gone.pem"), (Reference("no", "env:C"), "no certificate"),
                      (Reference(small, "env:C"), "2048 bits")]:  # fmt: skip
        with pytest.raises(ConfigError) as caught:
            documents("http://127.0.0.1:1", verify={"cert": cert})
        assert why in caught.value.problems[0].message
    with pytest.raises(Unavailable, match="credentials"):
        await documents("http://127.0.0.1:1", verify={"cert": Reference("", "env:C")}).open()
