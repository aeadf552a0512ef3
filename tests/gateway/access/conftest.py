"""One gateway over PostgreSQL and the lab adapter, with callers who may see some of it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from gateway.cli.key import Desk

SERVICE = Path(__file__).parents[2] / "adapters/soap/service"
GATEWAY = """
upstreams:
  shop: {kind: odbc, dsn: env:ACCESS_DSN, read_only: false}
  lab: {kind: lab}
  orders: {kind: soap, wsdl: openapi/sources/orders/orders.wsdl, address: "{soap}", time_zone: UTC}
  drop:
    kind: files
    root: "{drop}"
    datasets:
      stock: {match: stock.csv, format: csv, key: sku, options: {columns: {sku: text, region: text, on_hand: integer}}}
"""
# One record can't be decoded, which is a warning to who sees all.
STOCK = (
    "sku,region,on_hand\n"
    + "".join(f"S{number:02},{('north', 'south', 'NORTH')[number % 3]},{number}\n" for number in range(30))
    + "S99,north,many\n"
)
TABLES = """
tables:
  customers:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: region, type: text(20), nullable: true}
      - {name: name, type: text(60)}
      - {name: mail, type: text(60), nullable: true}
      - {name: balance, type: 'decimal(8,2)', nullable: true}
"""
POLICY = """
permit (principal in Role::"all", action, resource);

@id("north")
@rows("region = principal.tenant")
permit (principal in Role::"narrow", action, resource in Group::"customers");

@rows("region = principal.tenant")
permit (principal in Role::"narrow", action, resource in Group::"stock");

@rows("id < 100 and customer.name != 'nobody'")
permit (principal in Role::"narrow", action == Action::"get_order", resource);
@rows("quantity in [2, 4] or price > 100")
permit (principal in Role::"narrow", action == Action::"list_lines", resource);
@mask("customer.email")
permit (principal in Role::"masked", action == Action::"get_order", resource);

@rows("on_hand >= 990")
permit (principal in Role::"narrow", action == Action::"list_items", resource);

@rows("on_hand < 0")
permit (principal in Role::"nothing", action == Action::"list_items", resource);

permit (principal in Role::"narrow", action == Action::"get_overview", resource);

@id("masked")
@mask("email, balance")
permit (principal in Role::"masked", action in Action::"read", resource in Group::"customers");

@tokenise("email, name")
permit (principal in Role::"tokens", action in Action::"read", resource in Group::"customers");

@mask("name")
permit (principal in Role::"masked", action == Action::"list_items", resource);

permit (principal in Role::"masked", action == Action::"get_overview", resource);
permit (principal in Role::"tokens", action == Action::"get_overview", resource);

// Who sees all of its own region sees the rest without e-mail addresses and balances.
@rows("region = principal.tenant")
permit (principal in Role::"mixed", action in Action::"read", resource in Group::"customers");
@mask("email, balance")
permit (principal in Role::"mixed", action in Action::"read", resource in Group::"customers");

permit (principal in Role::"looker", action == Action::"get_overview", resource);

@id("small")
permit (principal in Role::"payer", action == Action::"pay", resource)
when { context.arguments.body.amount.lessThan(decimal("100.00")) };
"""
REGIONS = ("north", "south", None)


@dataclass(frozen=True)
class World:
    """The gateway, its database, and a client for each kind of caller."""

    running: Any
    server: Any
    keys: dict[str, str]

    def client(self, name: str) -> httpx.Client:
        client: httpx.Client = self.running.client(self.keys[name])
        return client

    def get(self, name: str, path: str) -> httpx.Response:
        with self.client(name) as client:
            return client.get(path)

    def send(self, name: str, method: str, path: str, body: Any = None) -> httpx.Response:
        with self.client(name) as client:
            return client.request(method, path, json=body)

    def walk(self, name: str, path: str, limit: int = 4) -> list[list[Any]]:
        """All pages of a list."""
        pages = []
        following: str | None = f"{path}{'&' if '?' in path else '?'}limit={limit}"
        with self.client(name) as client:
            while following is not None:
                response = client.get(following)
                assert response.status_code == 200, response.text
                assert set(response.json()) == {"items", "next"}
                pages.append(response.json()["items"])
                following = response.json()["next"]
                assert len(pages) < 50
        return pages

    def audited(self, lineage: str) -> dict[str, Any]:
        """The audit record of a call."""
        until = time.monotonic() + 15
        while (found := self.get("all", f"/-/audit/{lineage}")).status_code != 200:
            assert time.monotonic() < until, found.text
            time.sleep(0.05)
        record: dict[str, Any] = found.json()["items"][0]
        return record


def _fill(server: Any) -> None:
    rows = ", ".join(
        f"({key}, {_quoted(REGIONS[key % 3])}, 'Customer {key:02}', 'c{key}@{'xyz'[key % 3]}.example', {key}.50)"
        for key in range(30)
    )
    server.sql(
        "DROP TABLE IF EXISTS customers; CREATE TABLE customers (id INT PRIMARY KEY, region VARCHAR(20), "
        f"name VARCHAR(60) NOT NULL, mail VARCHAR(60), balance DECIMAL(8,2)); INSERT INTO customers VALUES {rows};"
    )


def _quoted(text: str | None) -> str:
    return "NULL" if text is None else f"'{text}'"


def make_key(folder: Path, roles: Sequence[str], **who: Any) -> str:
    with Desk.open(folder) as desk:
        text, _ = desk.create(expires=None, roles=list(roles), **{"principal": "alice", **who})
    return f"Bearer {text}"


@pytest.fixture(scope="package")
def soap(servers: ModuleType) -> Iterator[str]:
    """PHP's SoapServer: order 404 isn't there, any other is; a list is as long as it is asked for."""
    port = servers.free_port()
    command = ["php", "-S", f"127.0.0.1:{port}", "server.php"]
    process = subprocess.Popen(command, cwd=SERVICE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        with socket.socket() as probe:
            while probe.connect_ex(("127.0.0.1", port)):
                assert time.monotonic() < until, "PHP's server doesn't start"
                assert process.poll() is None, "PHP's server ended: apt-get install php-cli php-soap php-xml"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory, running: ModuleType, postgres: Any, soap: str) -> Iterator[World]:
    folder, drop = tmp_path_factory.mktemp("access"), tmp_path_factory.mktemp("drop")
    (drop / "stock.csv").write_text(STOCK)
    files = {
        "gateway.yaml": GATEWAY.replace("{drop}", str(drop)).replace("{soap}", soap),
        "openapi/shop.yaml": Path(__file__).with_name("shop.yaml").read_text(),
        "openapi/sources/shop/tables.yaml": TABLES,
        **{f"openapi/sources/orders/{name}": (SERVICE / name).read_text() for name in ("orders.wsdl", "orders.xsd")},
        "policies/access.cedar": POLICY,
        "policies/trial/strict.cedar": 'forbid (principal in Role::"masked", action, resource);',
    }
    running.write_workspace(folder, files)
    keys = {
        name: make_key(folder, [name], tenant="north")
        for name in ("all", "narrow", "masked", "tokens", "mixed", "payer", "nothing", "looker")
    }
    keys["homeless"] = make_key(folder, ["narrow"])
    keys["southern"] = make_key(folder, ["tokens"], tenant="south")
    keys["both"] = make_key(folder, ["narrow", "masked"], tenant="north")
    keys["narrowed"] = make_key(folder, ["all"], scopes=["read"])
    with running.serving(folder, extra={"ACCESS_DSN": postgres.dsn}) as gateway:
        yield World(gateway, postgres, keys)


@pytest.fixture
def shop(world: World) -> World:
    """The world, its table filled anew: 30 customers, 10 each of north, south and of no region."""
    _fill(world.server)
    return world
