"""Private database servers for tests: in a folder of their own, on a free port of 127.0.0.1, ended by process id.

PostgreSQL and MariaDB refuse to run as root, so under root they run as the users that their packages made. What a
server needs and the machine lacks is a `RuntimeError` with a sentence, so that a test fails instead of being skipped.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

USER = "figway"
PASSWORD = "figway-test"


@dataclass(frozen=True)
class Server:
    """A running server: `dsn` is a full ODBC connection string for `database`, `pid` its process to stop or kill."""

    kind: str
    dsn: str
    host: str
    port: int
    user: str
    password: str
    database: str
    pid: int
    folder: Path
    client: tuple[str, ...] = field(default=())
    """The command line of the server's own client, reading SQL from standard input."""

    def sql(self, text: str) -> str:
        """Runs statements with the server's own client and answers what it printed."""
        run = subprocess.run(self.client, input=text, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{self.client[0]}: {run.stderr}")
        return run.stdout


def driver(name: str) -> str:
    """The path of an ODBC driver by file name, such as "psqlodbcw.so", whatever the machine's architecture."""
    found = sorted(glob.glob(f"/usr/lib/*-linux-gnu/odbc/{name}"))
    if not found:
        raise RuntimeError(
            f"the ODBC driver {name} is missing: apt-get install odbc-postgresql odbc-mariadb libsqliteodbc"
        )
    return found[0]


def sqlite_dsn(path: Path) -> str:
    """The connection string of a SQLite file."""
    return f"Driver={driver('libsqlite3odbc.so')};Database={path}"


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL cluster with one database, until the block ends."""
    binaries = _binaries("/usr/lib/postgresql/*/bin", "initdb", "postgresql")
    with _folder("postgres") as (folder, user):
        data, port = folder / "data", free_port()
        secret = folder / "password"
        _write(secret, PASSWORD, user)
        _run([f"{binaries}/initdb", "-D", str(data), "-U", USER, "-A", "scram-sha-256", "-E", "UTF8",
              "--locale=C.UTF-8", f"--pwfile={secret}", "--no-sync"], user)  # fmt: skip
        command = [f"{binaries}/postgres", "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
        settings = ["-c", "fsync=off", "-c", "max_connections=60", "-c", "wal_level=logical"]
        client = (f"{binaries}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                  f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres")  # fmt: skip
        with _process([*command, *settings], user, folder / "log") as pid:
            _await_answer(client, "select 1", folder / "log")
            place = f"Server=127.0.0.1;Port={port};Database=postgres;Uid={USER};Pwd={PASSWORD}"
            dsn = f"Driver={driver('psqlodbcw.so')};{place}"
            yield Server("postgresql", dsn, "127.0.0.1", port, USER, PASSWORD, "postgres", pid, folder, client)


@contextlib.contextmanager
def mariadb_server() -> Iterator[Server]:
    """A MariaDB server with one database, until the block ends."""
    binary = _binaries("/usr/sbin", "mariadbd", "mariadb-server")
    with _folder("mysql") as (folder, user):
        data, port, socket_path = folder / "data", free_port(), folder / "sock"
        # A server that starts clears its folder for temporary tables, whoever's they are.
        own = f"--tmpdir={folder}"
        _run(["mariadb-install-db", f"--datadir={data}", "--auth-root-authentication-method=normal",
              "--skip-test-db", "--skip-name-resolve", own], user)  # fmt: skip
        command = [f"{binary}/mariadbd", "--no-defaults", f"--datadir={data}", f"--port={port}", own,
                   f"--socket={socket_path}", f"--pid-file={folder}/pid", "--bind-address=127.0.0.1",
                   "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M",
                   "--character-set-server=utf8mb4", "--log-bin=log", "--server-id=1", "--binlog-format=ROW",
                   "--binlog-row-image=FULL", "--binlog-row-metadata=FULL", "--sync-binlog=0"]  # fmt: skip
        root = ("mariadb", "--no-defaults", "-N", "-u", "root", f"--socket={socket_path}")
        with _process(command, user, folder / "log") as pid:
            _await_answer(root, "select 1", folder / "log")
            _sql(root, f"create database app; create user '{USER}'@'127.0.0.1' identified by '{PASSWORD}';"
                       f"grant all on *.* to '{USER}'@'127.0.0.1';")  # fmt: skip
            dsn = f"Driver={driver('libmaodbc.so')};Server=127.0.0.1;Port={port};Database=app;Uid={USER};Pwd={PASSWORD}"
            client = (*root, "--default-character-set=utf8mb4", "app")
            yield Server("mariadb", dsn, "127.0.0.1", port, USER, PASSWORD, "app", pid, folder, client)


def _binaries(pattern: str, name: str, package: str) -> str:
    found = sorted(folder for folder in glob.glob(pattern) if os.access(f"{folder}/{name}", os.X_OK))
    if not found:
        raise RuntimeError(f"{name} is missing: apt-get install {package}")
    return found[-1]


@contextlib.contextmanager
def _folder(package_user: str) -> Iterator[tuple[Path, str | None]]:
    """A folder with a short path (sockets allow some 100 bytes), and the user to run as (None: ourselves)."""
    user = package_user if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix=f"{package_user}-"))
    try:
        if user is not None:
            entry = pwd.getpwnam(user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        yield folder, user
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, text: str, user: str | None) -> None:
    path.write_text(text)
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _run(command: list[str], user: str | None) -> None:
    run = subprocess.run(command, user=user, group=_group(user), capture_output=True, text=True, cwd="/", check=False)
    if run.returncode:
        raise RuntimeError(f"{command[0]}: {run.stdout}{run.stderr}")


def _group(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid


@contextlib.contextmanager
def _process(command: list[str], user: str | None, log: Path) -> Iterator[int]:
    """The command running as `user`; ended by its id, also when a test left it stopped."""
    with log.open("wb") as sink:
        process = subprocess.Popen(command, user=user, group=_group(user), stdout=sink, stderr=sink, cwd="/")
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        # SIGINT is PostgreSQL's fast shutdown; MariaDB takes SIGTERM.
        process.send_signal(signal.SIGINT if command[0].endswith("postgres") else signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _sql(client: tuple[str, ...], text: str) -> None:
    subprocess.run(client, input=text, text=True, check=True, capture_output=True)


def _await_answer(client: tuple[str, ...], statement: str, log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if subprocess.run(client, input=statement, text=True, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{client[0]} gets no answer: {log.read_text(errors='replace')[-2000:]}")
