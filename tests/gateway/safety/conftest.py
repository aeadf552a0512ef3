"""A gateway whose writes need plans and approvals; its database and its journal tell what has reached them."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from gateway.cli.key import Desk
from gateway.identity.development import DevelopmentKey

HERE = Path(__file__).parent
TABLES = """
tables:
  part:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: name, type: text}
      - {name: secret, type: text, nullable: true}
      - {name: cost, type: integer, nullable: true}
"""
CLEAR = """
-- effect: write
-- result: count
-- param prefix: text
UPDATE part SET name = 'cleared' WHERE name LIKE :prefix
"""
POLICY = """
permit (principal in Role::"writer", action in [Action::"read", Action::"idempotent_write", Action::"write"], resource);
permit (principal in Role::"approver", action == Action::"gateway:approve", resource);
permit (principal in Role::"both", action, resource);
@mask("hush")
permit (principal in Role::"masked", action in Action::"write", resource in Group::"parts");
"""


@dataclass
class Shop:
    """The gateway, what its upstreams did, and callers by name."""

    gateway: Any
    folder: Path
    clients: dict[str, httpx.Client] = field(default_factory=dict)
    open: ExitStack = field(default_factory=ExitStack)

    def key(self, principal: str, *roles: str, agent: str | None = None, tenant: str | None = None) -> str:
        """A new API key, as an Authorization header's value."""
        with Desk.open(self.folder) as desk:
            text, _ = desk.create(expires=None, principal=principal, roles=roles, agent=agent, tenant=tenant)
        return f"Bearer {text}"

    def token(self, principal: str, *roles: str, via: tuple[str, ...] = ()) -> str:
        """A token of the development issuer, for who acts through `via`, the caller itself first."""
        with Desk.open(self.folder) as desk:
            key = DevelopmentKey.existing(desk.folder.keys)
            text, _ = key.mint(principal, seconds=3600, roles=roles, via=via)
        return f"Bearer {text}"

    def client(self, credential: str) -> httpx.Client:
        """A client with that credential, for the whole file."""
        return self.open.enter_context(self.gateway.client(credential))

    def row(self, number: int) -> str | None:
        """A part's name, as the database has it."""
        with closing(sqlite3.connect(self.folder / "shop.db")) as connection:
            found = connection.execute("SELECT name FROM part WHERE id = ?", [number]).fetchone()
        return None if found is None else str(found[0])

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.folder / "shop.db")) as connection, connection:
            connection.execute(statement)

    def items(self) -> list[dict[str, Any]]:
        """What the lab has written."""
        journal = self.folder / "journal.txt"
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [json.loads(line) for line in lines if line != "closed"]

    def decide(self, approver: httpx.Client, id: str, yes: bool = True, reason: str = "") -> httpx.Response:
        """One person's yes or no."""
        return approver.post(f"/-/approvals/{id}/{'approve' if yes else 'deny'}", json={"reason": reason})


def write(folder: Path, running: ModuleType) -> Path:
    """Writes the workspace and its database."""
    with closing(sqlite3.connect(folder / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, name TEXT, secret TEXT, cost INTEGER)")
        connection.executemany("INSERT INTO part VALUES (?, 'one', 'x', 9)", [(number,) for number in range(1, 60)])
    upstreams = (
        "upstreams:\n  shop: {kind: odbc, dsn: env:SHOP_DSN, read_only: false, concurrency: 4}\n"
        f"  lab: {{kind: lab, journal: {folder / 'journal.txt'}, concurrency: 64}}\n"
    )
    files = {
        "gateway.yaml": upstreams,
        "openapi/shop.yaml": (HERE / "shop.yaml").read_text(),
        "openapi/sources/shop/tables.yaml": TABLES,
        "openapi/sources/shop/queries/clear_parts.sql": CLEAR,
        "policies/access.cedar": POLICY,
    }
    return running.write_workspace(folder, files)


@pytest.fixture(scope="session")
def open_shop(running: ModuleType, servers: ModuleType) -> Callable[..., Any]:
    """Serves the workspace in a folder."""

    @contextmanager
    def opened(folder: Path, *arguments: str, extra: dict[str, str] | None = None) -> Iterator[Shop]:
        if not (folder / "gateway.yaml").exists():
            write(folder, running)
        environment = {"SHOP_DSN": servers.sqlite_dsn(folder / "shop.db"), **(extra or {})}
        with running.serving(folder, *arguments, extra=environment) as gateway, ExitStack() as clients:
            yield Shop(gateway, folder, open=clients)

    return opened


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, open_shop: Callable[..., Any]) -> Iterator[Shop]:
    """One gateway of two workers for all tests, with an agent that asks and two people who decide."""
    with open_shop(tmp_path_factory.mktemp("safety"), "--dev", "--workers", "2") as shop:
        credentials = {
            "ann": shop.key("ann", "writer", agent="claude"),
            "boss": shop.key("boss", "approver"),
            "chief": shop.key("chief", "approver"),
            "masked": shop.key("mia", "masked"),
        }
        shop.clients = {name: shop.client(credential) for name, credential in credentials.items()}
        yield shop


@pytest.fixture
def ann(shop: Shop) -> httpx.Client:
    """Ann's agent."""
    return shop.clients["ann"]


@pytest.fixture
def boss(shop: Shop) -> httpx.Client:
    """Somebody who decides."""
    return shop.clients["boss"]


@pytest.fixture(scope="session")
def fresh() -> Callable[..., dict[str, str]]:
    """Header fields with a new idempotency key."""
    return lambda **more: {"idempotency-key": str(uuid.uuid4()), **{k.replace("_", "-"): v for k, v in more.items()}}
