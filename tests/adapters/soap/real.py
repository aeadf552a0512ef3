"""Real SOAP servers of other makers, built once a run and ended by process id."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

HERE = Path(__file__).parent
_GSOAP = Path("/usr/share/gsoap")
_PLUGINS = ("plugin/wsseapi.c", "plugin/wsaapi.c", "plugin/smdevp.c", "plugin/mecevp.c", "plugin/threads.c")


def _needs(program: str, package: str) -> None:
    if shutil.which(program) is None:
        raise RuntimeError(f"{program} is missing: apt-get install {package}")


def run(command: list[str], folder: Path) -> None:
    """Runs a step of a build; raises `RuntimeError` with what it printed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {(done.stdout + done.stderr)[-3000:]}")


def rsa_key() -> rsa.RSAPrivateKey:
    """A new key."""
    return rsa.generate_private_key(65537, 2048)


def self_signed(name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> tuple[str, str]:
    """A certificate that is its own authority, and its key, both as PEM texts."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), x509.random_serial_number(), now - day, now + day
    )
    certificate = builder.add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


@contextlib.contextmanager
def server(command: list[str], folder: Path, **environment: str) -> Iterator[str]:
    """The base URL of a server that prints its port on a line of its own when it listens."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **environment}, text=True,
            start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        port = next((line for line in process.stdout if line.strip().isdigit()), "")
        if not port:
            raise RuntimeError(f"{command[0]} didn't start: {(folder / 'server.log').read_text()[-3000:]}")
        yield f"http://127.0.0.1:{int(port)}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def gsoap(folder: Path, trusted: str) -> Iterator[tuple[str, str]]:
    """gSOAP with MTOM, WS-Security and WS-Addressing: a server for everybody, and one that wants messages signed by
    the certificate in PEM text `trusted`."""
    _needs("soapcpp2", "gsoap libgsoap-dev")
    _needs("gcc", "gcc")
    (folder / "trusted.pem").write_text(trusted)
    source = HERE / "documents"
    run(
        ["soapcpp2", "-c", "-S", "-x", "-w", "-L", f"-I{_GSOAP}/import", f"-d{folder}", f"{source}/documents.h"], folder
    )
    files = [f"{_GSOAP}/{name}" for name in (*_PLUGINS, "custom/struct_timeval.c")]
    flags = ["-O0", "-w", "-DWITH_DOM", "-DWITH_OPENSSL", "-DWITH_GZIP", "-I.", f"-I{_GSOAP}", f"-I{_GSOAP}/plugin"]
    libraries = ["-lgsoapssl", "-lssl", "-lcrypto", "-lz", "-lpthread"]
    run(["gcc", *flags, "-oserver", f"{source}/gsoap.c", "soapC.c", "soapServer.c", *files, *libraries], folder)
    with server([f"{folder}/server"], folder) as url, server([f"{folder}/server", "trusted.pem"], folder) as strict:
        yield url, strict
