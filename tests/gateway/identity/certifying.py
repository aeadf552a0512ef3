"""Certificates as tests need them, and the field in which a proxy tells of one."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = BEGINS + timedelta(days=3650)


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(common_names: Sequence[str] = ("alice",), names: Sequence[x509.GeneralName] = ()) -> bytes:
    """A certificate in DER."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each) for each in common_names])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(_key().public_key())
        .serial_number(0xC0FFEE)
        .not_valid_before(BEGINS)
        .not_valid_after(ENDS)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(_key(), SHA256()).public_bytes(Encoding.DER)


def field(der: bytes) -> dict[bytes, bytes]:
    """RFC 9440 section 2.2."""
    return {b"client-cert": b":" + base64.b64encode(der) + b":"}
