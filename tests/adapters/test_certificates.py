"""TLS files that are renewed under a running client: new connections use them, what doesn't fit changes nothing."""

from __future__ import annotations

import datetime
import logging
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters import certificates
from adapters.certificates import Certificates
from adapters.errors import Unavailable
from adapters.secret import Reference
from adapters.tls import Texts, Tls, texts


def pair(name: str) -> tuple[str, str]:
    """A certificate that is its own authority, and its key, both in PEM form."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
    signed = builder.add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    pem, form, none = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return signed.public_bytes(pem).decode(), key.private_bytes(pem, form, none).decode()


def referred(tmp_path: Path) -> Texts:
    """What a configuration with `file:` references comes to."""
    given = {
        name: Reference((tmp_path / name).read_text().rstrip(), f"file:{tmp_path / name}")
        for name in ("ca", "cert", "key")
    }
    return texts(Tls.model_validate(given), {})


def write(tmp_path: Path, **files: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(certificates, "LOOK_SECONDS", 0.0)
    cert, key = pair("one")
    write(tmp_path, ca=cert, cert=cert, key=key)
    return tmp_path


async def test_changed_files_make_a_new_context(files: Path) -> None:
    known = Certificates(referred(files))
    first = known.context()
    assert isinstance(first, ssl.SSLContext)
    await known.looked()
    assert known.context() is first
    await known.looked()
    cert, key = pair("two")
    write(files, ca=cert, cert=cert, key=key)
    known.context()
    await known.looked()
    second = known.context()
    assert isinstance(second, ssl.SSLContext)
    assert second is not first
    assert second.verify_mode is ssl.CERT_REQUIRED
    assert second.check_hostname
    assert [each["subject"] for each in second.get_ca_certs()] == [((("commonName", "two"),),)]
    await known.close()


@pytest.mark.parametrize("broken", ["half", "gone", "junk", "huge"])
async def test_what_does_not_fit_changes_nothing(files: Path, caplog: pytest.LogCaptureFixture, broken: str) -> None:
    known = Certificates(referred(files))
    first = known.context()
    await known.looked()
    cert, key = pair("two")
    if broken == "gone":
        (files / "key").unlink()
    else:
        write(files, cert={"half": cert, "junk": "\0\1\2", "huge": cert * 200}[broken])
    with caplog.at_level(logging.WARNING, "figway"):
        known.context()
        await known.looked()
    assert known.context() is first
    assert "still are" in caplog.text
    assert "PRIVATE" not in caplog.text
    await known.looked()
    write(files, ca=cert, cert=cert, key=key)
    known.context()
    await known.looked()
    assert known.context() is not first
    await known.close()


async def test_what_comes_from_no_file_is_never_looked_for(files: Path) -> None:
    cert, key = pair("one")
    given = {"ca": "a/ca.pem", "cert": Reference(cert, "env:CERT"), "key": Reference(key, "env:KEY")}
    found = texts(Tls.model_validate(given), {"a/ca.pem": cert.encode()})
    assert found.paths == (None, None, None)
    known = Certificates(found)
    assert known.context() is known.context()
    await known.looked()
    await known.close()


async def test_a_renewed_authority_is_trusted_without_a_restart(
    files: Path, wire: Any, make: Any, raised: Any, tmp_path: Path
) -> None:
    def serving(cert: str, key: str) -> ssl.SSLContext:
        (tmp_path / "server.pem").write_text(cert + key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / "server.pem")
        return context

    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    cert, key = pair("two")
    server = await wire(ok, ssl=serving(cert, key), host="localhost")
    client = make(**referred(files)._asdict())
    assert "reached" in (await raised(client, server.url)).message
    write(files, ca=cert)
    write(files, cert=cert, key=key)

    async def trusted() -> bool:
        try:
            return (await client.send("GET", server.url, deadline=time.monotonic() + 5)).body == b"ok"
        except Unavailable:
            return False

    until = time.monotonic() + 20
    while not await trusted():
        assert time.monotonic() < until
