"""Verifies the signatures of replies (OASIS WS-Security 1.1, section 8; XML Signature 1.1, section 3.2), and leaves of
a reply only what one covers.

A message that is rearranged around a sound signature says what its signer didn't. So nothing is looked up by what the
message says of itself: the key is the configuration's, and what counts as signed is the very body, timestamp and header
blocks that are read afterwards, in the places where SOAP has them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from adapters.soap.wsse import WSSE, WSU

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_ENC = "http://www.w3.org/2001/04/xmlenc#"
_HASHES: Mapping[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_DIGESTS = {_ENC + "sha256": "sha256", _MORE + "sha384": "sha384", _ENC + "sha512": "sha512"}
_METHODS = {f"{_MORE}{kind}-{name}": (kind, name) for kind in ("rsa", "ecdsa") for name in _HASHES}
_IDS = (f"{{{WSU}}}Id", "Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id")
_MOST_REFERENCES = 50
_LIFE, _SKEW = timedelta(minutes=5), timedelta(minutes=5)
"""How long a message is good that doesn't say it, and how far clocks may be apart."""
_SMALLEST_RSA = 2048

_Key = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class Unverified(Exception):
    """A message that isn't verified; the text completes "answered a message that …"."""


class Verifier:
    """Knows a service's certificates: one, or two while one takes over from the other. Safe for several threads."""

    def __init__(self, certificates: str) -> None:
        """PEM text; raises `ValueError`, whose text completes "cert …"."""
        try:
            found = x509.load_pem_x509_certificates(certificates.encode())
        except ValueError:
            raise ValueError("holds no certificate in PEM form") from None
        self._keys = [(_key(each), each.not_valid_before_utc, each.not_valid_after_utc) for each in found]

    def verify(self, envelope: etree._Element) -> None:
        """Takes out of `envelope` the header blocks that aren't signed; raises `Unverified` unless its body is, and a
        timestamp that says it is of now."""
        header, body = _parts(envelope)
        security = _one(header, f"{{{WSSE}}}Security", "isn't signed")
        signature = _one(security, _DS + "Signature", "isn't signed")
        info = _one(signature, _DS + "SignedInfo", "is signed in a way that isn't known")
        self._check_signature(signature, info)
        signed = list(_signed(envelope, info))
        if not any(each is body for each in signed):
            raise Unverified("has a body that isn't signed")
        stamp = _one(security, f"{{{WSU}}}Timestamp", "doesn't say when it was signed")
        if not any(each is stamp for each in signed):
            raise Unverified("doesn't say when it was signed")
        _check_time(stamp)
        for block in [each for each in header if each is not security and not any(each is one for one in signed)]:
            header.remove(block)

    def _check_signature(self, signature: etree._Element, info: etree._Element) -> None:
        method = _only(info, _DS + "CanonicalizationMethod")
        kind, name = _METHODS.get(_only(info, _DS + "SignatureMethod").get("Algorithm", ""), ("", ""))
        if method.get("Algorithm") != _EXCLUSIVE or not kind:
            raise Unverified("is signed in a way that isn't trusted")
        data, value = _canonical(info, _prefixes(method)), _bytes(_only(signature, _DS + "SignatureValue"))
        now = datetime.now(UTC)
        keys = [key for key, begin, end in self._keys if begin <= now <= end]
        if not keys:
            raise Unverified("can't be verified, as the certificate that is known has expired")
        if not any(_is_by(key, kind, _HASHES[name](), value, data) for key in keys):
            raise Unverified("isn't signed by the certificate that is known")


def _parts(envelope: etree._Element) -> tuple[etree._Element, etree._Element]:
    """The header and the body of an envelope that holds just these (SOAP 1.1, section 4; 1.2 part 1, section 5)."""
    space = str(envelope.tag).rpartition("}")[0] + "}"
    if [each.tag for each in envelope] != [space + "Header", space + "Body"]:
        raise Unverified("isn't signed" if len(envelope) < 2 else "isn't one header and one body")
    return envelope[0], envelope[1]


def _one(parent: etree._Element, tag: str, otherwise: str) -> etree._Element:
    found = [each for each in parent if each.tag == tag]
    if len(found) > 1:
        raise Unverified("is signed more than once")
    if not found:
        raise Unverified(otherwise)
    return found[0]


def _only(parent: etree._Element, tag: str) -> etree._Element:
    return _one(parent, tag, "is signed in a way that isn't known")


def _signed(envelope: etree._Element, info: etree._Element) -> Iterator[etree._Element]:
    """The elements that are signed, each found to be as it was then."""
    references = [each for each in info if each.tag == _DS + "Reference"]
    if not 0 < len(references) <= _MOST_REFERENCES:
        raise Unverified("is signed in too many parts or none")
    known: dict[str, list[etree._Element]] = {}
    for node in envelope.iter():
        for name in {node.get(each) for each in _IDS} - {None}:
            known.setdefault(str(name), []).append(node)
    for reference in references:
        yield _referred(reference, known)


def _referred(reference: etree._Element, known: Mapping[str, list[etree._Element]]) -> etree._Element:
    uri = reference.get("URI", "")
    found = known.get(uri.removeprefix("#"), []) if uri.startswith("#") else []
    if len(found) != 1:
        raise Unverified("is signed where it isn't clear what is meant")
    transforms = list(_only(reference, _DS + "Transforms"))
    digest = _DIGESTS.get(_only(reference, _DS + "DigestMethod").get("Algorithm", ""))
    if len(transforms) != 1 or transforms[0].get("Algorithm") != _EXCLUSIVE or digest is None:
        raise Unverified("is signed in a way that isn't trusted")
    text = _canonical(found[0], _prefixes(transforms[0]))
    if not hmac.compare_digest(hashlib.new(digest, text).digest(), _bytes(_only(reference, _DS + "DigestValue"))):
        raise Unverified("was changed after it was signed")
    return found[0]


def _prefixes(method: etree._Element) -> list[str]:
    """The prefixes that are canonicalized as if they were used (Exclusive XML Canonicalization, section 3)."""
    if len(method) == 0:
        return []
    if len(method) != 1 or method[0].tag != f"{{{_EXCLUSIVE}}}InclusiveNamespaces":
        raise Unverified("is signed in a way that isn't known")
    return method[0].get("PrefixList", "").split()


def _canonical(node: etree._Element, prefixes: list[str]) -> bytes:
    if prefixes:
        # lxml forgets what is declared around the element, which an unused prefix may stand for.
        node = etree.fromstring(
            etree.tostring(node, with_tail=False), etree.XMLParser(resolve_entities=False, no_network=True)
        )
    return etree.tostring(node, method="c14n", exclusive=True, with_tail=False, inclusive_ns_prefixes=prefixes or None)


def _bytes(node: etree._Element) -> bytes:
    try:
        return base64.b64decode("".join((node.text or "").split()), validate=True)
    except ValueError:
        raise Unverified("is signed in a way that isn't known") from None


def _key(certificate: x509.Certificate) -> _Key:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_RSA:
        return key
    raise ValueError(f"holds a key that is neither RSA with {_SMALLEST_RSA} bits or more nor of an elliptic curve")


def _is_by(key: _Key, kind: str, digest: hashes.HashAlgorithm, value: bytes, data: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey) and kind == "rsa":
            key.verify(value, data, padding.PKCS1v15(), digest)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and kind == "ecdsa":
            # XML Signature 1.1, section 6.4.3: both numbers side by side, each as long as the curve's.
            half = (key.key_size + 7) // 8
            r, s = int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big")
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(digest))
            return len(value) == 2 * half
    except InvalidSignature:
        pass
    return False


def _check_time(stamp: etree._Element) -> None:
    """WS-Security 1.1, section 10."""
    now = datetime.now(UTC)
    created = _moment(stamp, "Created")
    if created is None or created > now + _SKEW:
        raise Unverified("says that it was signed at no time that can be")
    expires = _moment(stamp, "Expires") or created + _LIFE
    if expires < now - _SKEW:  # some never expire: nothing is later than the year 9999
        raise Unverified("was signed too long ago")


def _moment(stamp: etree._Element, name: str) -> datetime | None:
    text = stamp.findtext(f"{{{WSU}}}{name}")
    try:
        moment = None if text is None else datetime.fromisoformat(text.strip())
    except ValueError:
        raise Unverified("says that it was signed at no time that can be") from None
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)
