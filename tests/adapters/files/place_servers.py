"""ProFTPD and Samba, each as this user, on a free port, with its own configuration; ended by their process id."""

from __future__ import annotations

import datetime
import getpass
import grp
import ipaddress
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWORD = "far-away-password"
_CLASSES = "/usr/lib/proftpd"


def certificate(names: list[str]) -> tuple[bytes, bytes]:
    """(a certificate that is its own authority, its key), both PEM, for 127.0.0.1 or these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a file server")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    others: list[x509.GeneralName] = [x509.DNSName(each) for each in names] or [address]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(others), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"{name} is missing: install it with 'apt-get install {package}'"
    return found


@contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        # Samba ends its whole process group when it ends: it needs one of its own.
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextmanager
def ftp_server(folder: Path, pem: tuple[bytes, bytes] | None, more: str = "", port: int = 0) -> Iterator[int]:
    """ProFTPD, its port; `pem`: it insists on TLS with this certificate. Its user is ours, with `PASSWORD`."""
    program = _program("proftpd", "proftpd-core proftpd-mod-crypto")
    folder.mkdir(parents=True, exist_ok=True)
    port, user = port or free_port(), getpass.getuser()
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
    ).stdout.strip()
    (folder / "users").write_text(f"{user}:{hashed}:{os.getuid()}:{os.getgid()}::{folder}:/bin/sh\n")
    (folder / "users").chmod(0o600)
    tls = ""
    if pem is not None:
        (folder / "certificate").write_bytes(pem[0])
        (folder / "key").write_bytes(pem[1])
        (folder / "key").chmod(0o600)
        tls = (
            f"LoadModule mod_tls.c\nTLSEngine on\nTLSRequired on\n"
            f"TLSProtocol TLSv1.2 TLSv1.3\nTLSLog {folder}/tls.log\n"
            f"TLSECCertificateFile {folder}/certificate\nTLSECCertificateKeyFile {folder}/key\n"
        )
    (folder / "configuration").write_text(
        f"ModulePath {_CLASSES}\nServerType standalone\nServerName far\nPort {port}\nDefaultAddress 127.0.0.1\n"
        f"User {user}\nGroup {grp.getgrgid(os.getgid()).gr_name}\nRequireValidShell off\n"
        f"RootLogin on\nUseFtpUsers off\nUseIPv6 off\n"
        f"AuthOrder mod_auth_file.c\nAuthUserFile {folder}/users\nWtmpLog off\n"
        f"DelayEngine off\nSystemLog {folder}/log\n"
        f"PidFile {folder}/pid\nScoreboardFile {folder}/scoreboard\nAllowOverwrite on\n{tls}{more}"
    )
    with _running([program, "-n", "-q", "-c", str(folder / "configuration")], port, folder / "output"):
        yield port


@contextmanager
def smb_server(folder: Path, shared: Path, more: str = "", port: int = 0) -> Iterator[int]:
    """Samba, its port; it shares the folder `shared` as `far`. Its user is ours, with `PASSWORD`."""
    program = _program("smbd", "samba")
    port, user, own = port or free_port(), getpass.getuser(), folder / "own"
    own.mkdir(parents=True, exist_ok=True)
    places = "".join(
        f"{each} = {own}\n"
        for each in (
            "private dir",
            "lock directory",
            "state directory",
            "cache directory",
            "pid directory",
            "ncalrpc dir",
        )
    )
    (folder / "configuration").write_text(
        f"[global]\nserver role = standalone server\nsmb ports = {port}\ninterfaces = 127.0.0.1\n"
        f"bind interfaces only = yes\npassdb backend = smbpasswd:{own}/users\nlog file = {folder}/log\n{places}"
        f"disable spoolss = yes\nload printers = no\nserver min protocol = SMB2_10\n"
        f"{more}[far]\npath = {shared}\nread only = no\nguest ok = yes\nguest only = no\n"
    )
    subprocess.run(
        [_program("smbpasswd", "samba"), "-c", str(folder / "configuration"), "-L", "-a", "-s", user],
        input=f"{PASSWORD}\n{PASSWORD}\n", text=True, capture_output=True, check=True,
    )  # fmt: skip
    command = [program, "-F", "--no-process-group", "-s", str(folder / "configuration"), "-l", str(folder)]
    with _running(command, port, folder / "output"):
        yield port


class Between:
    """Passes an FTP server's control connection on, and cuts it when a command has been sent, before its answer."""

    def __init__(self, port: int, cut: bytes) -> None:
        self._port, self._cut = port, cut
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        client, _ = self._listening.accept()
        with closing(client), closing(socket.create_connection(("127.0.0.1", self._port))) as server:
            answers, commands = server.makefile("rb"), client.makefile("rb")
            with answers, commands:
                client.sendall(answers.readline())
                for command in commands:
                    server.sendall(command)
                    answer = [answers.readline()]
                    while answer[-1][3:4] == b"-" or not answer[-1][:3].isdigit():
                        answer.append(answers.readline())
                    if command.startswith(self._cut):
                        return
                    client.sendall(b"".join(answer))
                    if command.startswith((b"STOR", b"NLST", b"MLSD", b"RETR")):
                        client.sendall(answers.readline())

    def close(self) -> None:
        self._listening.close()
        self._thread.join()
