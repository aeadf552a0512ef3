"""What the estate consists of: how each system's data is made and which servers serve it."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway.demo import sftp
from gateway.demo.batch.cobol import compile_program
from gateway.demo.batch.invoices import write_invoices
from gateway.demo.batch.run import Folders
from gateway.demo.crm.store import fill as fill_crm
from gateway.demo.erp import servers, sqlite
from gateway.demo.erp.schema import script as sql_script
from gateway.demo.place import HERE, sources
from gateway.demo.seed.world import World, build

Engine = Literal["sqlite", "postgresql", "mariadb"]
_ROOT = str(HERE.parent.parent)
_SILENCE = 0.5
"""Seconds between two calls of a server that is far away: logging in is many steps, and machines are busy."""
_PROGRAMS = {"php": "php-cli php-mbstring php-soap php-sqlite3 php-xml", "cobc": "gnucobol3"}
_PORTS = ("crm", "control", "batch", "crm_next", "erp", "far_erp", "sftp", "far_sftp")
_MODULES = {"mbstring": "php-mbstring", "soap": "php-soap", "pdo_sqlite": "php-sqlite3", "dom": "php-xml"}


@dataclass(frozen=True, slots=True)
class Spec:
    """One server: its command, what it needs, and the loopback port that shows when it is up."""

    name: str
    argv: list[str]
    port: int
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    user: str | None = None
    stop: str = "SIGTERM"


def missing_programs() -> Iterator[str]:
    """One sentence for each program, or module of PHP, that the estate needs and this machine lacks."""
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            yield f"'{program}' is missing: install it with 'apt-get install {package}'"
    if php := shutil.which("php"):
        listed = subprocess.run([php, "-m"], capture_output=True, text=True, check=False)  # noqa: S603 (PHP itself)
        for module, package in _MODULES.items():
            if module not in listed.stdout.lower().split():
                yield f"PHP's module '{module}' is missing: install it with 'apt-get install {package}'"


def free_port() -> int:
    """A loopback TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Systems:
    """The systems under one folder, with ports and passwords of this start. `latency` in seconds."""

    def __init__(self, folder: Path, engine: Engine, latency: float, seconds: float) -> None:
        self.folder = folder
        self.engine = engine
        self.latency = latency
        self.seconds = seconds
        self.folders = Folders(folder / "drop", folder / "work")
        self.ports = {name: free_port() for name in _PORTS}
        self.password = secrets.token_hex(16)
        self.token = secrets.token_hex(24)
        self.server = self._server()
        self.sftp = sftp.Server(folder / "sftp", self.ports["sftp"], self.folders.drop) if latency else None

    def _server(self) -> servers.Server | None:
        if self.engine == "sqlite":
            return None
        make = servers.postgresql if self.engine == "postgresql" else servers.mariadb
        return make(_reachable(self.folder / self.engine), self.ports["erp"], self._kept_password())

    def _kept_password(self) -> str:
        """The database keeps its password over a restart that keeps the data."""
        file = self.folder / f"{self.engine}.password"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.password)
            file.chmod(0o600)
        return file.read_text()

    @property
    def dsn(self) -> str:
        """The ERP's ODBC connection string, through the proxy when there is latency."""
        if self.server is None:
            return sqlite.dsn(self.folder / "erp.db")
        return self.server.dsn(self.ports["far_erp"] if self.latency else None)

    def place(self) -> dict[str, object] | None:
        """Where the files are while they are far away, as `gateway.yaml` names an SFTP server; else None."""
        if self.sftp is None:
            return None
        return {
            "host": "127.0.0.1", "port": self.ports["far_sftp"], "user": self.sftp.user,
            "host_key": self.sftp.host_key, "private_key": "env:DROP_KEY", "path": str(self.sftp.files),
        }  # fmt: skip

    def seed(self) -> World:
        """Makes all data anew, as much as possible at once; raises BatchFailed, ServerFailed."""
        self.folders.make()
        with ThreadPoolExecutor(3) as pool:
            programs = [pool.submit(compile_program, name, self.folders.work) for name in ("INVWRITE", "TASKBATCH")]
            server = pool.submit(self.server.prepare) if self.server else None
            world = build()
            fill_crm(self.folder / "crm.db", world.customers)
            invoices = pool.submit(
                write_invoices, programs[0].result(), world.invoices, self.folders.work, self.folders.drop
            )
            if self.server is None:
                sqlite.fill(self.folder / "erp.db", world)
            (self.folders.work / "CUSTIDS.TXT").write_text("".join(f"{each.id}\n" for each in world.customers))
            for waited in (programs[1], server, invoices):
                if waited is not None:
                    waited.result()
        return world

    def fill_erp(self, world: World) -> None:
        """Fills the database server, which must be up; raises ServerFailed."""
        if self.server is not None:
            self.server.fill(sql_script(world, self.server.timestamp))

    def forget(self) -> None:
        """Removes the database server's files where they lie outside the estate's folder, and so nobody else would."""
        if self.server is not None and not self.server.folder.is_relative_to(self.folder):
            (self.folder / f"complete.{self.engine}").unlink(missing_ok=True)
            shutil.rmtree(self.server.folder, ignore_errors=True)

    def specs(self) -> Iterator[Spec]:
        """Every server but the ERP's, which must be up before it is filled."""
        yield from self._crm()
        stores = (self.folder / "crm.db", self.folder / "crm_next.db", self.ports["crm_next"])
        yield Spec(
            "crm_next", self._python("crm_next.server", *stores), stores[2], {"CRM_NEXT_TOKEN": self.token}, _ROOT
        )
        places = (self.folders.drop, self.folders.work, self.ports["batch"], self.seconds)
        yield Spec("batch", self._python("batch.server", *places), self.ports["batch"], {"TZ": "UTC"}, _ROOT)
        if self.server and self.latency:
            yield self._proxy("erp")
        if self.sftp is not None:
            self.sftp.prepare()
            yield Spec("sftp", self.sftp.command(), self.sftp.port)
            yield self._proxy("sftp")

    def _proxy(self, name: str) -> Spec:
        """What stands before a server that is to be far away."""
        far = f"far_{name}"
        argv = self._python("proxy", self.ports[far], self.ports[name], self.latency, _SILENCE)
        return Spec(far, argv, self.ports[far], cwd=_ROOT)

    def erp_spec(self) -> Spec | None:
        """The ERP's database server, where it has one."""
        if self.server is None:
            return None
        made = self.server
        return Spec("erp", list(made.run), made.port, {}, str(made.folder), made.user, made.stop)

    def _crm(self) -> Iterator[Spec]:
        scripts = HERE / "crm" / "server"
        env = {
            "CRM_STORE": str(self.folder / "crm.db"), "CRM_SWITCH": str(self.folder / "crm.switch"),
            "CRM_WSDL": str(sources("crm") / "crm.wsdl"), "CRM_USER": "figway", "CRM_PASSWORD": self.password,
        }  # fmt: skip
        for name, script, workers in (("crm", "index.php", "4"), ("control", "control.php", "1")):
            argv = ["php", "-q", "-S", f"127.0.0.1:{self.ports[name]}", str(scripts / script)]
            workers_env = {"PHP_CLI_SERVER_WORKERS": workers} if workers != "1" else {}
            yield Spec(name, argv, self.ports[name], env | workers_env, str(scripts))

    @staticmethod
    def _python(module: str, *arguments: object) -> list[str]:
        return [sys.executable, "-m", f"gateway.demo.{module}", *map(str, arguments)]


def _reachable(folder: Path) -> Path:
    """`folder`, or one under /var/tmp where the database's user couldn't get there (root's home is closed to it)."""
    if os.geteuid() != 0 or all(
        parent.stat().st_mode & 0o001 for parent in folder.resolve().parents if parent.exists()
    ):
        return folder
    return Path("/var/tmp") / f"figway-{folder.name}-{zlib.crc32(bytes(folder.resolve())):08x}"  # noqa: S108
