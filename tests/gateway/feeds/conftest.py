"""A gateway over a database whose changes are captured, and callers who may see some of it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest

from adapters.changes import Batch, Change, What
from gateway.call import Principal
from gateway.cli.key import Desk
from gateway.events.loads import LoadedFile
from gateway.events.log import EventLog
from gateway.feeds.deliveries import Deliveries
from gateway.feeds.delivery import Deliverer
from gateway.feeds.kept import Kept
from gateway.feeds.positions import Positions
from gateway.identity.signing import Keyring
from gateway.limit_errors import Stopped
from gateway.policy.decide import Policies
from gateway.routing.load import compile_workspace

FILE = "deliveries.db"

POLICY = """
permit (principal in Role::"all", action, resource);
permit (principal in Role::"narrow", action == Action::"gateway:read_events", resource);
@rows("region = principal.tenant")
@mask("secret")
permit (principal in Role::"narrow", action in Action::"read", resource);
permit (principal in Role::"routes", action in Action::"read", resource);
permit (principal in Role::"events", action == Action::"gateway:read_events", resource);
"""
_TABLES = """
tables:
  stock:
    primary_key: [sku]
    columns:
      - {name: sku, type: text}
      - {name: region, type: text, nullable: true}
      - {name: secret, type: text, nullable: true}
      - {name: internal, type: text, nullable: true}
"""
_GATEWAY = """
upstreams:
  erp:
    kind: odbc
    dsn: env:ERP_DSN
    read_only: false
    changes:
      stock: {method: outbox}
      untold: {method: diff, operation: stock.list, key: [sku], every: 1h, items: "items[]"}
"""
_CONTRACT = """
openapi: 3.1.0
info: {title: Stock, version: "1"}
paths:
  /stock/{code}:
    parameters: [{name: code, in: path, required: true, schema: {type: string}}]
    get:
      operationId: get_stock
      tags: [stock]
      responses:
        "200":
          description: One.
          content:
            application/json:
              schema:
                type: object
                required: [code]
                properties: {code: {type: string}, region: {type: [string, "null"]}, secret: {type: [string, "null"]}}
      x-gateway:
        effect: read
        legacy:
          upstream: erp
          operation: stock.get
          input: {sku: path.code}
          output: "{code: sku, region: region, secret: secret}"
        enforcement: shape
"""

FILES = {
    "gateway.yaml": _GATEWAY,
    "openapi/stock.yaml": _CONTRACT,
    "openapi/sources/erp/tables.yaml": _TABLES,
    "policies/access.cedar": POLICY,
}


class World:
    """A workspace with its database, and a gateway on it."""

    def __init__(self, folder: Path, running: ModuleType, servers: ModuleType) -> None:
        self.base, self.workspace, self.gateway = folder / "base.db", folder / "ws", Any
        self.sql(
            "PRAGMA journal_mode = WAL;"
            "CREATE TABLE stock (sku TEXT PRIMARY KEY, region TEXT, secret TEXT, internal TEXT);"
        )
        self.environment = {"ERP_DSN": servers.sqlite_dsn(self.base)}
        running.write_workspace(self.workspace, FILES)
        install = ("changes", "install", "erp.stock", "--run", "--workspace", str(self.workspace))
        running.figway(*install, extra=self.environment, check=True)

    def sql(self, text: str) -> None:
        with closing(sqlite3.connect(self.base, timeout=20)) as connection:
            connection.executescript(text)

    def key(self, role: str, tenant: str | None = None) -> str:
        with Desk.open(self.workspace) as desk:
            text, _ = desk.create(expires=None, principal=role, roles=(role,), tenant=tenant)
        return f"Bearer {text}"

    def revoke(self, key: str) -> None:
        with Desk.open(self.workspace) as desk:
            assert desk.revoke(key.removeprefix("Bearer ").split("_")[1])

    @contextmanager
    def reading(self, key: str, query: str = "", last: str | None = None) -> Iterator[Reader]:
        headers = {"authorization": key} | ({} if last is None else {"last-event-id": last})
        with (
            httpx.Client(base_url=self.gateway.url, headers=headers, timeout=30, trust_env=False) as client,
            client.stream("GET", f"/-/events{query}") as response,
        ):
            assert response.status_code == 200, response.read()
            yield Reader(response)

    def loaded(self, key: str) -> None:
        """Waits until the first load is told."""
        with self.reading(key, "?after=first") as reader:
            assert reader.next()["type"] == "figway.change.loaded"


class Reader:
    """The events of one stream."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()
        self.last = ""

    def next(self) -> dict[str, Any]:
        """The next event, or the problem that ends the stream."""
        kind, data = "message", ""
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.last = value
            elif name == "event":
                kind = value
            elif name == "data":
                data = value
            elif not line and data:
                found: dict[str, Any] = json.loads(data)
                return found if kind == "message" else {kind: found}
        raise AssertionError("the stream ended")


class Place:
    """A log and a worker that tells subscribers of it, without a gateway."""

    def __init__(self, folder: Path, files: dict[str, str], events: str, environment: dict[str, str]) -> None:
        self.folder, self.log = folder, EventLog(folder / "events.db")
        files = {**files, "gateway.yaml": files["gateway.yaml"] + events}
        encoded = {name: text.encode() for name, text in files.items()}
        environment = {"ERP_DSN": "Driver=SQLite3", **environment}
        loaded = compile_workspace(encoded, cache=folder / "cache", environment=environment, strict_secrets=False)
        upstreams = {name: SimpleNamespace(adapter=adapter) for name, adapter in loaded.adapters.items()}
        policies = Policies(loaded.compiled.rules)
        self.served: Any = SimpleNamespace(version=1, compiled=loaded.compiled, policies=policies, upstreams=upstreams)
        self.positions = Positions(Keyring.open(folder / "keys", "cursor"))
        self.stopped: set[str] = set()
        """Principals that a person has stopped."""

    async def permit(self, principal: Principal) -> None:
        if principal.id in self.stopped:
            raise Stopped("A person has stopped it: it loops")

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker that is cut off in the end, wherever it is."""
        kept, pauses = Kept(self.folder / FILE), ((0.01, 0.01), (0.01, 0.05))
        made = Deliverer(self.log, lambda: self.served, self.folder, self.positions, kept, self.permit, pauses)
        task, self.deliverer = asyncio.create_task(made.work()), made
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            kept.close()

    async def write(self, *changes: tuple[str, str]) -> None:
        """Rows that come: (code, region) each."""
        rows = [{"sku": sku, "region": region, "secret": "s", "internal": None} for sku, region in changes]
        await self.change(*(Change(f"w/{row['sku']}", What.INSERT, (row["sku"],), row) for row in rows))

    async def change(self, *changes: Change) -> None:
        """Changes of the table `stock`, as its capture tells them."""
        await self.log.write(LoadedFile.enrol, "erp.stock", "d")
        await self.log.write(LoadedFile.write, "erp.stock", Batch(list(changes), "", False))

    async def reached(self, subscriber: str, sequence: int) -> None:
        """Waits until a subscriber is done with so many events."""
        async with asyncio.timeout(60):
            while self.kept(lambda file: file.place(subscriber, 0)) < sequence:  # noqa: ASYNC110 - a test waits
                await asyncio.sleep(0.02)

    def begin(self, subscriber: str) -> None:
        """A subscriber begins with the first event."""
        self.kept(lambda file: file.place(subscriber, 0))

    def kept(self, do: Callable[[Deliveries], Any]) -> Any:
        file = Deliveries(self.folder / FILE)
        try:
            return do(file)
        finally:
            file.close()


@pytest.fixture
def make_place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """`make_place(events, environment, files, name)`: a place whose gateway.yaml ends with this `events`."""
    made: list[Place] = []

    def make(events: str, environment: dict[str, str] | None = None, files: Any = None, name: str = "") -> Place:
        made.append(Place(tmp_path / name, files or FILES, events, environment or {}))
        return made[-1]

    yield make
    for each in made:
        each.log.close()


@pytest.fixture
def world(tmp_path: Path, running: ModuleType, servers: ModuleType) -> Iterator[World]:
    made = World(tmp_path, running, servers)
    with running.serving(made.workspace, extra=made.environment) as gateway:
        made.gateway = gateway
        yield made


@pytest.fixture(scope="session")
def workspace_files() -> dict[str, str]:
    """The workspace's files, by name."""
    return FILES


def _beside(name: str) -> ModuleType:
    """A plain module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"figway_feeds_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def nats_servers() -> ModuleType:
    """nats_servers.py: `Hub`."""
    return _beside("nats_servers")


@pytest.fixture(scope="session")
def judged() -> ModuleType:
    """judged.py: policies by chance, and an oracle of what they show."""
    return _beside("judged")


@pytest.fixture(scope="module")
def hub(nats_servers: ModuleType, servers: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server of NATS that knows nobody, shared by a file's tests: each makes streams of its own."""
    made = nats_servers.Hub(tmp_path_factory.mktemp("hub"), servers.free_port())
    made.start()
    yield made
    made.kill()
