"""The files by SFTP: OpenSSH's server on loopback, for one user with one key, and for nothing but files."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PATH = os.defpath + ":/usr/sbin:/sbin"
_PACKAGE = "openssh-server"
_ROOTS = Path("/run/sshd")
"""The empty folder in which OpenSSH's server, run by root, shuts up who hasn't logged in yet."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server's folder, its port, and the folder of files that it is for."""

    folder: Path
    port: int
    files: Path

    @property
    def user(self) -> str:
        """Who logs in: whoever runs the demo."""
        return pwd.getpwuid(os.geteuid()).pw_name

    @property
    def key(self) -> Path:
        """The private key that may log in."""
        return self.folder / "user"

    @property
    def host_key(self) -> str:
        """The server's public key, such as `ssh-ed25519 AAAA…`."""
        return " ".join((self.folder / "host.pub").read_text().split()[:2])

    def prepare(self) -> None:
        """Makes keys and configuration anew; raises FileNotFoundError, CalledProcessError."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        maker = program("ssh-keygen")
        for name in ("host", "user"):
            command = [maker, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self.folder / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)  # noqa: S603 (OpenSSH's own)
        shutil.copy(self.folder / "user.pub", self.folder / "authorized")
        (self.folder / "configuration").write_text(self._configuration())

    def command(self) -> list[str]:
        """The command that stays; raises FileNotFoundError."""
        if os.geteuid() == 0:
            _ROOTS.mkdir(mode=0o755, exist_ok=True)
        return [program("sshd"), "-D", "-e", "-f", str(self.folder / "configuration")]

    def _configuration(self) -> str:
        lines = {
            "ListenAddress": f"127.0.0.1:{self.port}", "HostKey": self.folder / "host", "PidFile": "none",
            "AuthorizedKeysFile": self.folder / "authorized", "AllowUsers": self.user, "PermitRootLogin": "yes",
            "AuthenticationMethods": "publickey", "PasswordAuthentication": "no", "UsePAM": "no", "StrictModes": "no",
            "DisableForwarding": "yes", "PermitTTY": "no", "Subsystem": "sftp internal-sftp",
            "ForceCommand": "internal-sftp", "LogLevel": "ERROR", "MaxStartups": "100",
        }  # fmt: skip
        return "".join(f"{name} {value}\n" for name, value in lines.items())


def program(name: str) -> str:
    """Where one of OpenSSH's programs is; raises FileNotFoundError naming the package."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_PATH}")
    if found is None:
        raise FileNotFoundError(f"'{name}' is missing: install it with 'apt-get install {_PACKAGE}'")
    return found
