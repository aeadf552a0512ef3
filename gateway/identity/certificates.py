"""Client certificates that a proxy proved: RFC 9440's `Client-Cert`, believed from trusted addresses only.

The proxy checks the certificate's chain and that the caller holds its key; here it is only read. From anyone else the
field is passed over: refusing it would let whoever can add a header field lock others out, and it proves nothing.
"""

from __future__ import annotations

import time
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from hashlib import sha256
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.call import Principal
from gateway.routing.identity import Proxy

_MOST_BYTES = 16 * 1024
_MOST_NAME = 256
_REMEMBERED = 4096
_UNREADABLE = (ValueError, Error, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_ALTERNATIVES: Mapping[str, type[x509.UniformResourceIdentifier | x509.DNSName | x509.RFC822Name]] = {
    "uri": x509.UniformResourceIdentifier,
    "dns": x509.DNSName,
    "email": x509.RFC822Name,
}


class Certificates:
    """Reads the certificates that trusted proxies send. A certificate seen before costs a look-up."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._field = proxy.header.lower().encode()
        self._trusted: dict[str | None, bool] = {}
        self._known: dict[bytes, tuple[Principal, float, float]] = {}

    def principal(self, peer: str | None, headers: Mapping[bytes, bytes]) -> Principal | None:
        """Whom the certificate names; None: nobody, or the peer isn't trusted."""
        value = headers.get(self._field)
        if value is None or not self._is_trusted(peer):
            return None
        digest = sha256(value).digest()
        known = self._known.get(digest) or self._read(value)
        if known is None:
            return None
        self._keep(digest, known)
        principal, begins, ends = known
        return principal if begins <= time.time() < ends else None

    def _is_trusted(self, peer: str | None) -> bool:
        trusted = self._trusted.get(peer)
        if trusted is None:
            trusted = _within(peer, self._proxy)
            if len(self._trusted) >= _REMEMBERED:
                self._trusted.clear()
            self._trusted[peer] = trusted
        return trusted

    def _keep(self, digest: bytes, known: tuple[Principal, float, float]) -> None:
        if digest not in self._known and len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[digest] = known

    def _read(self, value: bytes) -> tuple[Principal, float, float] | None:
        """The principal, and between which times (seconds since the epoch) the certificate is valid."""
        try:
            certificate = x509.load_der_x509_certificate(_binary(value))
            name = _name(certificate, self._proxy.principal)
            serial = f"{certificate.serial_number:x}"
            begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        except _UNREADABLE:
            return None
        if name is None:
            return None
        principal = Principal(name, roles=self._proxy.roles, credential=f"certificate:{serial[:64]}")
        return principal, begins.timestamp(), ends.timestamp()


def _binary(value: bytes) -> bytes:
    """RFC 8941 section 3.3.5: base64 between colons, and no parameter."""
    text = value.strip(b" ")
    if len(text) > _MOST_BYTES or len(text) < 2 or text[:1] != b":" or text[-1:] != b":":
        raise ValueError("not a byte sequence")
    return b64decode(text[1:-1], validate=True)


def _name(certificate: x509.Certificate, rule: str) -> str | None:
    """The only name of that kind; two would leave it open who comes."""
    if rule == "common_name":
        found = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    else:
        try:
            extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return None
        found = [str(each) for each in extension.value.get_values_for_type(_ALTERNATIVES[rule])]
    if len(found) != 1 or not 0 < len(found[0]) <= _MOST_NAME:
        return None
    return found[0] if found[0].isprintable() and found[0] == found[0].strip() else None


def _within(peer: str | None, proxy: Proxy) -> bool:
    try:
        address = ip_address(peer or "")
    except ValueError:
        return False
    # An IPv4 peer of a socket that speaks both.
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped.version == network.version and mapped in network for network in proxy.trusted)
