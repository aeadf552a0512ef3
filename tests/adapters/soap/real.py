"""Real SOAP servers of other makers, built once a run and ended by process id."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import shutil
import signal
import subprocess
import sys
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
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = builder.add_extension(x509.BasicConstraints(True, None), True).add_extension(here, False)
    certificate = builder.sign(key, hashes.SHA256())
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
def gsoap(folder: Path, trusted: str, key: str) -> Iterator[tuple[str, str]]:
    """gSOAP with MTOM, WS-Security and WS-Addressing: a server for everybody, and one that wants messages signed by
    the certificate in PEM text `trusted`, and signs with it and its key what it answers."""
    _needs("soapcpp2", "gsoap libgsoap-dev")
    _needs("gcc", "gcc")
    (folder / "trusted.pem").write_text(trusted)
    (folder / "own.pem").write_text(key + trusted)
    source = HERE / "documents"
    run(
        ["soapcpp2", "-c", "-S", "-x", "-w", "-L", f"-I{_GSOAP}/import", f"-d{folder}", f"{source}/documents.h"], folder
    )
    files = [f"{_GSOAP}/{name}" for name in (*_PLUGINS, "custom/struct_timeval.c")]
    flags = ["-O0", "-w", "-DWITH_DOM", "-DWITH_OPENSSL", "-DWITH_GZIP", "-I.", f"-I{_GSOAP}", f"-I{_GSOAP}/plugin"]
    libraries = ["-lgsoapssl", "-lssl", "-lcrypto", "-lz", "-lpthread"]
    run(["gcc", *flags, "-oserver", f"{source}/gsoap.c", "soapC.c", "soapServer.c", *files, *libraries], folder)
    with (
        server([f"{folder}/server"], folder) as url,
        server([f"{folder}/server", "trusted.pem", "own.pem"], folder) as strict,
    ):
        yield url, strict


@contextlib.contextmanager
def spyne(folder: Path) -> Iterator[str]:
    """Spyne with a WSDL of its own."""
    with server([sys.executable, f"{HERE}/documents/spyne_server.py"], folder) as url:
        yield url


_JAVA = Path("/usr/share/java")
_AXIS = ("axis", "jaxrpc", "axis-saaj", "wsdl4j", "commons-logging", "commons-discovery", "javax.activation", "mailapi")
_JAXWS = (
    *("jaxws-api", "jaxws-rt", "jaxb-api", "jaxb-runtime", "jaxb-core", "jws-api", "saaj-impl", "stax-ex", "stax2-api"),
    *("mimepull", "javax.activation", "mailapi", "metro-policy", "gmbal", "streambuffer", "FastInfoset", "txw2"),
    *("istack-commons-runtime", "geronimo-annotation-1.3-spec", "xml-resolver", "woodstox-core"),
)


def _java(names: tuple[str, ...], source: str, folder: Path, release: str = "11") -> str:
    """Compiles `source` into the folder; answers the class path that it runs with."""
    _needs("javac", "default-jdk-headless libaxis-java libjaxws-java")
    path = ":".join([str(folder), *(f"{_JAVA}/{name}.jar" for name in names)])
    options = ["--release", release, "-Xlint:-options", "-g", "-cp", path, "-d", str(folder)]
    run(["javac", *options, f"{HERE}/documents/{source}"], folder)
    return path


@contextlib.contextmanager
def axis(folder: Path, port: int) -> Iterator[str]:
    """Axis 1.4 with an rpc/encoded service, on `port`."""
    # It reads the names of parameters out of class files, of which it knows the older ones.
    path = _java(_AXIS, "Accounts.java", folder, "8")
    shutil.copy(HERE / "documents" / "server-config.wsdd", folder)
    script = f"java -cp {path} org.apache.axis.transport.http.SimpleAxisServer -p {port} & exec 3>&1; while ! " \
             f"(: < /dev/tcp/127.0.0.1/{port}) 2> /dev/null; do sleep 0.1; done; echo {port} >&3; wait"  # fmt: skip
    with server(["bash", "-c", script], folder) as url:
        yield f"{url}/axis/services/accounts"


@contextlib.contextmanager
def jaxws(folder: Path) -> Iterator[str]:
    """JAX-WS RI with MTOM."""
    path = _java(_JAXWS, "Files.java", folder)
    with server(["java", "-cp", path, "Files"], folder) as url:
        yield f"{url}/files"


@contextlib.contextmanager
def node(folder: Path, binaries: Path) -> Iterator[str]:
    """node-soap with documents.wsdl; `binaries`: where node is."""
    npm = HERE.parent.parent / "npm"
    for name in ("package.json", "package-lock.json", "soap.mjs", ".npmrc"):
        shutil.copy(npm / name, folder)
    shutil.copy(HERE / "documents" / "documents.wsdl", folder)
    command = [f"{binaries}/node", f"{binaries.parent}/lib/node_modules/npm/bin/npm-cli.js", "ci", "--ignore-scripts"]
    run(command, folder)
    with server([f"{binaries}/node", "soap.mjs"], folder) as url:
        yield f"{url}/documents"


@contextlib.contextmanager
def lite(folder: Path) -> Iterator[str]:
    """SOAP::Lite's daemon, which serves one connection until that is closed."""
    _needs("perl", "perl libsoap-lite-perl")
    with server(["perl", f"{HERE}/documents/lite.pl"], folder) as url:
        yield f"{url}/"
