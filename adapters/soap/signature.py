"""Signs messages with an X.509 certificate (OASIS WS-Security X.509 Certificate Token Profile 1.1; XML Signature 1.1).

SHA-256 and exclusive canonicalization throughout; RSA or elliptic-curve keys. What is signed: the body, the timestamp,
the UsernameToken and the WS-Addressing blocks, each by an id that nobody can guess.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterator

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from adapters.soap.addressing import WSA
from adapters.soap.wsse import BASE64, WSSE, WSU, X509

_DS = "http://www.w3.org/2000/09/xmldsig#"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_ID = f"{{{WSU}}}Id"
_SMALLEST_RSA = 2048

_REFERENCE = (
    '<ds:Reference URI="#{id}"><ds:Transforms><ds:Transform Algorithm="{exclusive}"></ds:Transform></ds:Transforms>'
    '<ds:DigestMethod Algorithm="{sha256}"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>'
)
# Written as it is when canonical, so that its text is what is signed.
_SIGNED_INFO = (
    '<ds:SignedInfo xmlns:ds="{ds}"><ds:CanonicalizationMethod Algorithm="{exclusive}"></ds:CanonicalizationMethod>'
    '<ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>{references}</ds:SignedInfo>'
)
_SIGNATURE = (
    '<ds:Signature xmlns:ds="{ds}">{info}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo>'
    '<wsse:SecurityTokenReference xmlns:wsse="{wsse}"><wsse:Reference URI="#{token}" ValueType="{x509}"/>'
    "</wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature>"
)
_CERTIFICATE = (
    '<wsse:BinarySecurityToken xmlns:wsse="{wsse}" xmlns:wsu="{wsu}" EncodingType="{base64}" ValueType="{x509}"'
    ' wsu:Id="{token}">{certificate}</wsse:BinarySecurityToken>'
)


class BadKey(ValueError):
    """A certificate or key that can't sign; the message completes "the signature's …"."""


class Signer:
    """One certificate with its key. Safe for several threads. The messages that it signs have `declared` in them."""

    # Some services look for the id of what is signed by this prefix.
    declared = f' xmlns:wsu="{WSU}"'

    def __init__(self, certificate: str, key: str) -> None:
        """Both are PEM texts, the key unencrypted; raises `BadKey`."""
        try:
            leaf = x509.load_pem_x509_certificates(certificate.encode())[0]
        except ValueError:
            raise BadKey("cert holds no certificate in PEM form") from None
        try:
            private = serialization.load_pem_private_key(key.encode(), None)
        except (ValueError, TypeError):
            raise BadKey("key is no unencrypted private key in PEM form") from None
        if private.public_key() != leaf.public_key():
            raise BadKey("key isn't the certificate's")
        self._sign, self._method = _signing(private)
        self._certificate = base64.b64encode(leaf.public_bytes(serialization.Encoding.DER)).decode()

    def signed(self, envelope: bytes) -> bytes:
        """The message with a signature as the last child of its wsse:Security."""
        root = etree.fromstring(envelope)
        security = next(root.iter(f"{{{WSSE}}}Security"))
        token, references = _id(), "".join(map(_reference, _targets(root)))
        info = _SIGNED_INFO.format(ds=_DS, exclusive=_EXCLUSIVE, method=self._method, references=references)
        value = base64.b64encode(self._sign(info.encode())).decode()
        names = {"ds": _DS, "wsse": WSSE, "wsu": WSU, "x509": X509, "base64": BASE64, "token": token}
        security.append(etree.fromstring(_CERTIFICATE.format(certificate=self._certificate, **names)))
        security.append(etree.fromstring(_SIGNATURE.format(info=info, value=value, **names)))
        return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _targets(root: etree._Element) -> Iterator[etree._Element]:
    header, body = root[0], root[-1]
    for block in header:
        if block.tag == f"{{{WSSE}}}Security":
            yield from (each for each in block if each.tag != f"{{{WSSE}}}BinarySecurityToken")
        elif str(block.tag).startswith(f"{{{WSA}}}"):
            yield block
    yield body


def _reference(node: etree._Element) -> str:
    if node.get(_ID) is None:
        node.set(_ID, _id())
    canonical = etree.tostring(node, method="c14n", exclusive=True, with_tail=False)
    digest = base64.b64encode(hashlib.sha256(canonical).digest()).decode()
    return _REFERENCE.format(id=node.get(_ID), digest=digest, exclusive=_EXCLUSIVE, sha256=_SHA256)


def _id() -> str:
    # Not guessed: content from a caller can't claim to be what is signed.
    return "id-" + secrets.token_hex(12)


def _signing(key: object) -> tuple[Callable[[bytes], bytes], str]:
    """How `key` signs, and what XML Signature calls that."""
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _SMALLEST_RSA:
        scheme = padding.PKCS1v15()
        return lambda data: key.sign(data, scheme, hashes.SHA256()), _MORE + "rsa-sha256"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.key_size + 7) // 8

        def sign(data: bytes) -> bytes:
            # XML Signature 1.1, section 6.4.3: both numbers side by side, not in DER.
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")

        return sign, _MORE + "ecdsa-sha256"
    raise BadKey(f"key is neither RSA with {_SMALLEST_RSA} bits or more nor of an elliptic curve")
