"""Operations of a SOAP service that are captured by polling, and the routes that their replica answers."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from gateway.demo.crm.store import fill
from gateway.demo.place import HERE, sources

_REPLICA = "figway; hit; detail=replica"
_CAPTURE = """
        method: diff
        operation: ListCustomers
        input: {Limit: 5}
        items: Customers.Customer
        key: [Id]
        pages: {limit: Limit, after: AfterId, next: NextAfterId}
        filters: {City: Address.City, Status: Status}
        gets: {operation: GetCustomer, key: [CustomerId], item: Customer}
        every: 1s
"""
_GATEWAY = f"""
upstreams:
  crm:
    kind: soap
    wsdl: openapi/sources/crm/crm.wsdl
    address: env:CRM_URL
    auth: {{wsse: {{username: figway, password: env:CRM_PASSWORD}}}}
    changes:
      customers:{_CAPTURE}
"""
_FILES = {
    "openapi/sources/crm/crm.wsdl": (sources("crm") / "crm.wsdl").read_text(),
    "openapi/customers.yaml": Path(__file__).with_name("crm.yaml").read_text(),
    "policies/access.cedar": 'permit (principal in Role::"reader", action, resource);\n',
}
_INSERT = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
    "INSERT INTO customers SELECT printf('C-%05d', {first} + i), 'Name ' || i, 'ACTIVE', NULL, 0, '+47 ' || i, '1.00', "
    "'2.00', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 'Street', iif(i % 2, 'Oslo', 'Bergen'), '1', 'NO', NULL, "
    "'[]', '[]' FROM n;"
)


class World:
    """A CRM in PHP, and a gateway that captures it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.store, self.workspace = folder / "crm.db", folder / "ws"
        self.environment = {"CRM_URL": f"http://127.0.0.1:{port}/soap", "CRM_PASSWORD": "secret"}

    def sql(self, text: str) -> None:
        with closing(sqlite3.connect(self.store, timeout=20)) as connection:
            connection.executescript(text)

    def calls(self) -> int:
        """How often one customer was asked for at the CRM."""
        with closing(sqlite3.connect(self.store)) as connection:
            return int(connection.execute("SELECT count(*) FROM ledger WHERE operation = 'GetCustomer'").fetchone()[0])


def until(told: Callable[[], Any], wanted: Any) -> None:
    end = time.monotonic() + 60
    while (found := told()) != wanted:
        assert time.monotonic() < end, f"{found} isn't {wanted}"
        time.sleep(0.05)


@contextlib.contextmanager
def _crm(world: World, folder: Path, port: int) -> Iterator[None]:
    fill(world.store, [])
    world.sql(_INSERT.format(first=10_000, last=12))
    (folder / "crm.switch").write_text('{"latency": 0}')
    environment = {
        **os.environ, "CRM_STORE": str(world.store), "CRM_SWITCH": str(folder / "crm.switch"), "CRM_USER": "figway",
        "CRM_PASSWORD": "secret", "CRM_WSDL": str(sources("crm") / "crm.wsdl"), "PHP_CLI_SERVER_WORKERS": "4",
    }  # fmt: skip
    server = HERE / "crm/server"
    command = ["php", "-S", f"127.0.0.1:{port}", "-t", str(server), str(server / "index.php")]
    with (folder / "php.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Iterator[Any]:
    folder, port = tmp_path_factory.mktemp("operations"), running.free_port()
    made = World(folder, port)
    running.write_workspace(made.workspace, {**_FILES, "gateway.yaml": _GATEWAY})
    key = running.create_key(made.workspace, "reader")
    serving = running.serving(made.workspace, extra=made.environment)
    with _crm(made, folder, port), serving as gateway, gateway.client(key) as client:
        until(lambda: client.get("/customers/C-10001").headers.get("cache-status"), _REPLICA)
        made.client = client  # type: ignore[attr-defined]
        yield made


@pytest.fixture
def client(world: Any) -> httpx.Client:
    found: httpx.Client = world.client
    return found


def test_one_entity_and_pages_of_them_are_answered_without_the_service(world: World, client: httpx.Client) -> None:
    before = world.calls()
    reply = client.get("/customers/C-10002")
    assert reply.json() == {"id": "C-10002", "name": "Name 2", "city": "Bergen", "phone": "+47 2"}
    assert reply.headers["cache-status"] == _REPLICA
    assert int(reply.headers["age"]) < 20
    path, seen = "/customers?limit=5&city=Oslo", []
    while path is not None:
        reply = client.get(path)
        assert (reply.status_code, reply.headers["cache-status"]) == (200, _REPLICA), reply.text
        seen += [each["id"] for each in reply.json()["items"]]
        path = reply.json()["next"]
    assert seen == [f"C-{10_000 + each}" for each in range(1, 13, 2)]
    assert world.calls() == before


def test_what_the_capture_does_not_name_is_asked_of_the_service(world: World, client: httpx.Client) -> None:
    reply = client.get("/customers", params={"name_starts_with": "name 1", "limit": 9})
    assert reply.headers["cache-status"] == "figway; fwd=miss"
    assert len(reply.json()["items"]) == 4
    before = world.calls()
    assert client.get("/customers/C-99999").status_code == 404
    assert world.calls() == before + 1


def test_changes_behind_the_gateway_and_through_it_are_seen(world: World, client: httpx.Client) -> None:
    world.sql("UPDATE customers SET phone = '+47 99' WHERE id = 'C-10003'; DELETE FROM customers WHERE id = 'C-10004';")
    world.sql(_INSERT.format(first=20_000, last=1))
    until(lambda: client.get("/customers/C-10003").json().get("phone"), "+47 99")
    until(lambda: client.get("/customers/C-10004").status_code, 404)
    until(lambda: client.get("/customers/C-20001").headers.get("cache-status"), _REPLICA)
    for count in range(5):
        said = f"+47 10{count}"
        assert client.put("/customers/C-10005", json={"phone": said}).status_code == 200
        assert client.get("/customers/C-10005").json()["phone"] == said
    until(lambda: client.get("/customers/C-10005").headers["cache-status"], _REPLICA)
    assert client.get("/customers/C-10005").json()["phone"] == "+47 104"


def test_while_it_is_read_anew_it_goes_on_answering(client: httpx.Client) -> None:
    end, told, ages = time.monotonic() + 1.8, set(), []
    while time.monotonic() < end:
        reply = client.get("/customers/C-10001")
        told.add(reply.headers["cache-status"])
        ages.append(reply.headers["figway-as-of"])
        time.sleep(0.01)
    assert told == {_REPLICA}
    assert ages == sorted(ages)
    assert len(set(ages)) > 1


def test_many_that_are_gone_at_once_stay_until_somebody_agrees(
    world: World, client: httpx.Client, running: ModuleType
) -> None:
    world.sql(_INSERT.format(first=30_000, last=30))
    until(lambda: client.get("/customers/C-30030").headers.get("cache-status"), _REPLICA)
    world.sql("DELETE FROM customers WHERE id > 'C-30000'")
    key = running.create_key(world.workspace, "reader", principal="watcher")
    headers = {"authorization": key}
    problem = "more than 20%"
    until(lambda: problem in str(client.get("/-/changes", headers=headers).json()["captures"][0]["problem"]), True)
    assert client.get("/customers/C-30007").headers["cache-status"] == _REPLICA
    options = ("--json", "--workspace", str(world.workspace))
    done = running.figway("changes", "load", "crm.customers", "--accept-deletes", *options, extra=world.environment)
    assert done.returncode == 0, done.stderr
    until(lambda: client.get("/customers/C-30007").status_code, 404)
    assert client.get("/customers/C-10001").headers["cache-status"] == _REPLICA


_GETS = "gets: {operation: GetCustomer, key: [CustomerId], item: Customer}"


@pytest.mark.parametrize(
    ("file", "replaced", "by", "sentence"),
    [
        ("gateway.yaml", "operation: GetCustomer", "operation: GetNobody", "no operation 'GetNobody'"),
        ("gateway.yaml", "key: [CustomerId]", "key: [CustomerId, Name]", "the key has 1 members (Id), and gets.key 2"),
        ("gateway.yaml", "key: [CustomerId]", "key: [Number]", "'GetCustomer' takes no 'Number'"),
        ("gateway.yaml", "item: Customer", "item: Customer.Address", "describe their entities differently at"),
        ("gateway.yaml", "City: Address.City", "City: Address.Town", "'Address.Town' isn't a text"),
        ("gateway.yaml", "after: AfterId", "after: Behind", "'ListCustomers' takes no 'Behind'"),
        ("gateway.yaml", _GETS, "", "no replica can answer 'GetCustomer'"),
        ("gateway.yaml", "operation: GetCustomer", "operation: UpdateCustomer", "'UpdateCustomer' writes"),
        ("openapi/customers.yaml", "City: query.city", "City: query.city, Status: \"'ACTIVE'\"", ""),
        ("gateway.yaml", "input: {Limit: 5}", "input: {Limit: 5, Status: CLOSED}", "the capture asks with 'Status'"),
        ("gateway.yaml", "next: NextAfterId", "next: Customers", "its result also has 'NextAfterId'"),
    ],
)
def test_what_cannot_be_answered_is_refused_when_it_is_loaded(
    tmp_path: Path, running: ModuleType, file: str, replaced: str, by: str, sentence: str
) -> None:
    files = {**_FILES, "gateway.yaml": _GATEWAY}
    assert replaced in files[file]
    files[file] = files[file].replace(replaced, by)
    running.write_workspace(tmp_path, files)
    extra = {"CRM_URL": "http://127.0.0.1:1/soap", "CRM_PASSWORD": "secret"}
    done = running.figway("check", "--workspace", str(tmp_path), extra=extra)
    assert done.returncode == (1 if sentence else 0), done.stdout + done.stderr
    assert sentence in done.stdout + done.stderr
