"""The ERP on a private PostgreSQL or MariaDB server: loopback, a free port, data in a folder of its own.

Neither runs as root: started by root, each runs as the user that its package made.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SECONDS = 60
OWNER, READER = "erp_owner", "figway"

_POSTGRESQL = """
CREATE PROCEDURE reserve_stock(IN p_sku VARCHAR, IN p_quantity INTEGER, INOUT p_available INTEGER DEFAULT NULL)
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock SET reserved = reserved + p_quantity, updated_at = now() AT TIME ZONE 'UTC'
        WHERE sku = p_sku AND p_quantity > 0 AND on_hand - reserved >= p_quantity
        RETURNING on_hand - reserved INTO p_available;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not enough of % to reserve %', p_sku, p_quantity USING ERRCODE = 'P0001';
    END IF;
END $$;
CREATE ROLE {reader} LOGIN PASSWORD '{password}';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader};
GRANT INSERT, UPDATE, DELETE ON stock, orders, order_lines TO {reader};
GRANT EXECUTE ON PROCEDURE reserve_stock TO {reader};
"""
_MARIADB = """
DELIMITER //
CREATE PROCEDURE reserve_stock(IN p_sku VARCHAR(20), IN p_quantity INTEGER, OUT p_available INTEGER)
BEGIN
    UPDATE stock SET reserved = reserved + p_quantity, updated_at = UTC_TIMESTAMP()
        WHERE sku = p_sku AND p_quantity > 0 AND on_hand - reserved >= p_quantity;
    IF ROW_COUNT() = 0 THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not enough to reserve';
    END IF;
    SELECT on_hand - reserved INTO p_available FROM stock WHERE sku = p_sku;
END //
DELIMITER ;
CREATE USER '{reader}'@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT SELECT ON erp.* TO '{reader}'@'127.0.0.1';
GRANT INSERT, UPDATE, DELETE ON erp.stock TO '{reader}'@'127.0.0.1';
GRANT INSERT, UPDATE, DELETE ON erp.orders TO '{reader}'@'127.0.0.1';
GRANT INSERT, UPDATE, DELETE ON erp.order_lines TO '{reader}'@'127.0.0.1';
GRANT EXECUTE ON PROCEDURE erp.reserve_stock TO '{reader}'@'127.0.0.1';
"""


class ServerFailed(RuntimeError):
    """A step of setting the server up failed; the message holds what the program said."""


@dataclass(frozen=True, slots=True)
class Server:
    """How one private server is made, run, filled and reached. `run` is the command that stays."""

    folder: Path
    port: int
    password: str
    timestamp: str
    user: str | None
    stop: str
    run: Sequence[str]
    make: Sequence[str]
    client: Sequence[str]
    client_env: dict[str, str]
    rights: str
    driver: str
    files: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Makes the server's empty data folder; raises ServerFailed."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for name, text in self.files.items():
            (self.folder / name).write_text(text)
        if self.user:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, self.user, pwd.getpwnam(self.user).pw_gid)
        _run(self.make, {}, b"", self.user)

    def fill(self, script: Iterable[str]) -> None:
        """Runs the SQL as the database's owner, then makes the gateway's user; raises ServerFailed."""
        rights = self.rights.format(reader=READER, password=self.password)
        _run(self.client, self.client_env, "".join([*script, rights]).encode(), None)

    def dsn(self, port: int | None = None) -> str:
        """The ODBC connection string of the gateway's user, by `port` when a proxy stands before the server."""
        address = f"Server=127.0.0.1;Port={port or self.port};Database=erp;UID={READER};PWD={self.password}"
        return f"Driver={self.driver};{address}"


def postgresql(folder: Path, port: int, password: str) -> Server:
    """A PostgreSQL server; raises FileNotFoundError naming the package where there is none."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not programs:
        raise FileNotFoundError("PostgreSQL is missing: install it with 'apt-get install postgresql'")
    bin_ = programs[-1].parent
    data, secret = folder / "data", folder / "password"
    quick = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB", "unix_socket_directories=", "timezone=UTC")
    return Server(
        folder=folder, port=port, password=password, timestamp="TIMESTAMP(0)", user=_owner("postgres"), stop="SIGINT",
        run=[f"{bin_}/postgres", "-D", str(data), "-p", str(port), "-h", "127.0.0.1",
             *(word for setting in quick for word in ("-c", setting))],
        make=[f"{bin_}/initdb", "-D", str(data), "-U", OWNER, "--auth=scram-sha-256", "--pwfile", str(secret),
              "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
        client=["sh", "-c", f'psql -h 127.0.0.1 -p {port} -U {OWNER} -q -v ON_ERROR_STOP=1 -d postgres '
                f'-c "CREATE DATABASE erp" && psql -h 127.0.0.1 -p {port} -U {OWNER} -q -v ON_ERROR_STOP=1 -d erp'],
        client_env={"PGPASSWORD": password}, rights=_POSTGRESQL, driver="PostgreSQL Unicode",
        files={"password": password},
    )  # fmt: skip


def mariadb(folder: Path, port: int, password: str) -> Server:
    """A MariaDB server; raises FileNotFoundError naming the package where there is none."""
    server, install = shutil.which("mariadbd", path=_PATH), shutil.which("mariadb-install-db", path=_PATH)
    if not server or not install:
        raise FileNotFoundError("MariaDB is missing: install it with 'apt-get install mariadb-server'")
    data = folder / "data"
    # A server that starts clears its folder for temporary tables, whoever's they are.
    temporary = f"--tmpdir={folder}"
    user = _owner("mysql")
    run_as = [f"--user={user}"] if user else []
    owner = (
        f"CREATE USER IF NOT EXISTS '{OWNER}'@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON *.* TO '{OWNER}'@'127.0.0.1' WITH GRANT OPTION;\n"
        "CREATE DATABASE IF NOT EXISTS erp CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;\n"
    )
    return Server(
        folder=folder, port=port, password=password, timestamp="DATETIME", user=user, stop="SIGTERM",
        run=[server, "--no-defaults", *run_as, f"--datadir={data}", temporary, f"--port={port}",
             "--bind-address=127.0.0.1", "--socket=erp.sock", "--pid-file=erp.pid", f"--init-file={folder}/owner.sql",
             "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M",
             "--default-time-zone=+00:00"],
        make=[install, "--no-defaults", *run_as, f"--datadir={data}", temporary, "--skip-test-db",
              "--auth-root-authentication-method=normal"],
        client=["mariadb", "--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-P", str(port), "-u", OWNER,
                "--default-character-set=utf8mb4", "erp"],
        client_env={"MYSQL_PWD": password}, rights=_MARIADB, driver="MariaDB Unicode", files={"owner.sql": owner},
    )  # fmt: skip


_PATH = os.defpath + ":/usr/sbin:/sbin:/usr/local/bin"


def _owner(user: str) -> str | None:
    """Whom a server runs as: nobody else unless root starts it."""
    return user if os.geteuid() == 0 else None


def _run(command: Sequence[str], environment: dict[str, str], text: bytes, user: str | None) -> None:
    group = pwd.getpwnam(user).pw_gid if user else None
    done = subprocess.run(  # noqa: S603 (our own commands)
        command, input=text, env={**os.environ, **environment}, capture_output=True, timeout=_SECONDS, check=False,
        user=user, group=group, extra_groups=[] if user else None, cwd="/",
    )  # fmt: skip
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise ServerFailed(f"{Path(command[0]).name} ended with {done.returncode}: {said[-1000:]}")
