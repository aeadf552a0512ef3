"""Two shops that keep customers, each a real HTTP server with a ledger, and a gateway between them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from beside import beside

TEXT = {"type": "string"}
MONEY = {"type": "string", "format": "decimal"}
ENTITY = {"id": TEXT, "name": TEXT, "city": TEXT, "limit": MONEY, "seen": TEXT}
ITEM = dict.fromkeys(("id", "name", "city"), TEXT)
CHANGES = {"name": TEXT, "city": TEXT, "limit": MONEY}
ID = {"name": "customer_id", "in": "path", "required": True, "schema": TEXT}
SIDES = {"legacy": "old", "replacement": "new"}
PAGING = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}},
    {"name": "cursor", "in": "query", "schema": TEXT},
]
POLICY = """
permit (principal in Role::"reader", action in Action::"read", resource);
permit (principal in Role::"writer", action, resource);
permit (principal in Role::"admin", action == Action::"gateway:administer", resource);
permit (principal in Role::"approver", action == Action::"gateway:approve", resource);
"""


_shop = beside(__file__, "shop")


def contract(*, listed: bool = True) -> str:
    """The customers' contract: the list shows less than the customer's own route."""
    shown = ", ".join(f"{name}: {name}" for name in ITEM)
    page = {"items": {"type": "array", "items": _object(ITEM)}, "next": {"type": ["string", "null"]}}
    walk = {
        "input": {"limit": "list.limit", "after": "list.after"},
        "output": f"{{items: data[].{{{shown}}}, next: next}}",
    }
    changes = {"id": "path.customer_id", **{name: f"body.{name}" for name in CHANGES}}
    one, all_of_them = "/customers/{id}", "/customers"
    listing = _route("list_customers", "read", f"GET {all_of_them}", walk, reply=page, parameters=PAGING)
    made = _route("create_customer", "write", f"POST {all_of_them}", {"input": {**changes, "id": "body.id"}},
                  body={"id": TEXT, **CHANGES}, status="201")  # fmt: skip
    path = {
        "get": _route("get_customer", "read", f"GET {one}", {"input": {"id": "path.customer_id"}}, parameters=[ID]),
        "patch": _route("update_customer", "idempotent_write", f"PATCH {one}", {"input": changes}, body=CHANGES,
                        parameters=[ID]),
        "delete": _route("delete_customer", "idempotent_write", f"DELETE {one}", {"input": {"id": "path.customer_id"}},
                         parameters=[ID], reply={}),
    }  # fmt: skip
    paths = {"/customers": {**({"get": listing} if listed else {}), "post": made}, "/customers/{customer_id}": path}
    return json.dumps({"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": paths})


def _object(members: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(members)}


def _json(members: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": _object(members)}}


def _route(
    name: str, effect: str, operation: str, binding: Mapping[str, Any], *, reply: Mapping[str, Any] = ENTITY,
    parameters: Sequence[Any] = (), body: Mapping[str, Any] | None = None, status: str = "200",
) -> dict[str, Any]:  # fmt: skip
    sides = {side: {"upstream": at, "operation": operation, **binding} for side, at in SIDES.items()}
    asked = {} if body is None else {"requestBody": {"required": True, "content": _json(body)}}
    return {
        "operationId": name,
        "tags": ["customers"],
        "summary": "A route",
        "parameters": list(parameters),
        **asked,
        "responses": {status: {"description": "Done.", "content": _json(reply)}},
        "x-gateway": {"effect": effect, "group": "customers", **sides},
    }


def migration(writes: str = "dual_legacy", reads: str = "shadow", extra: str = "", rate: str = "1000/s") -> str:
    """migration.yaml; `extra` are further keys of the group."""
    return f"""
extra_calls: {{old: {rate}}}
groups:
  customers:
    state: replicated
    key: path.customer_id
    owner: shop
    expires: 2099-12-31
    reads: {{stage: {reads}}}
    writes: {{stage: {writes}}}
    sample: 0
    parity: {{ignore: [/seen], tolerance: {{/limit: {{abs: "0.01"}}}}}}
{extra}
"""


@dataclass
class Moving:
    """The gateway, its shops and its people."""

    gateway: Any
    old: Any
    new: Any
    folder: Path
    running: ModuleType
    clients: dict[str, httpx.Client]

    def figway(self, *words: str, who: str = "anna") -> subprocess.CompletedProcess[str]:
        """A verb at the gateway, in somebody's name."""
        token = self.clients[who].headers["authorization"]
        return self.running.figway(*words, "--server", self.gateway.url, extra={"FIGWAY_TOKEN": token})

    def host(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A verb at this host."""
        return self.running.figway(*words, "--workspace", str(self.folder))

    def reconciliation(self) -> dict[str, Any]:
        return dict(self.clients["anna"].get("/-/admin/groups/customers/reconciliation").json())

    def sweep(self, **body: Any) -> dict[str, Any]:
        """A sweep to its end; its document."""
        answer = self.clients["anna"].post("/-/admin/groups/customers/reconciliation", json=body)
        assert answer.status_code == 202, answer.text
        return self.ended(answer.json()["id"])

    def ended(self, id: int) -> dict[str, Any]:
        self.until(lambda: self.reconciliation()["sweep"]["state"] != "running")
        run = self.reconciliation()["sweep"]
        assert run["id"] == id
        return dict(run)

    def repairs(self) -> dict[str, Any]:
        return dict(self.clients["anna"].get("/-/admin/groups/customers/repairs").json())

    def propose(self) -> list[dict[str, Any]]:
        answer = self.clients["anna"].post("/-/admin/groups/customers/repairs", json={"do": "propose"})
        assert answer.status_code == 202, answer.text
        self.until(lambda: self.repairs()["proposing"]["state"] != "running")
        return [each for each in self.repairs()["repairs"] if each["state"] == "proposed"]

    def apply(self) -> httpx.Response:
        return self.clients["anna"].post("/-/admin/groups/customers/repairs", json={"do": "apply"})

    def approved(self) -> None:
        """Has what is proposed applied, with bob's yes."""
        refused = self.apply()
        assert refused.status_code == 403, refused.text
        id = refused.json()["errors"][0]["pointer"].rsplit("/", 1)[1]
        assert self.clients["bob"].post(f"/-/approvals/{id}/approve", json={}).status_code == 200
        assert self.apply().status_code == 202

    def kinds(self) -> dict[str, str]:
        return {each["entity"]: each["kind"] for each in self.reconciliation()["examples"]}

    def until(self, done: Callable[[], bool], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, f"{self.reconciliation()}\n{self.repairs()}\n{self.gateway.logged()[-3000:]}"
            time.sleep(0.02)


def customers(count: int) -> dict[str, dict[str, Any]]:
    """So many customers."""
    return {
        f"C-{n:04}": {"id": f"C-{n:04}", "name": f"Name {n}", "city": "Bergen", "limit": f"{n}.00", "seen": "x"}
        for n in range(count)
    }


@pytest.fixture
def shops() -> Iterator[tuple[Any, Any]]:
    """Both shops, empty."""
    with _shop.shop_server(_shop.Shop()) as old, _shop.shop_server(_shop.Shop()) as new:
        yield old, new


@pytest.fixture
def fill() -> Callable[[int], dict[str, dict[str, Any]]]:
    return customers


@pytest.fixture
def moving(
    tmp_path: Path, running: ModuleType, shops: tuple[Any, Any]
) -> Callable[..., AbstractContextManager[Moving]]:
    """A gateway over both shops; again and again in the same folder."""
    old, new = shops

    @contextmanager
    def serve(
        *arguments: str, files: Mapping[str, str] | None = None, listed: bool = True, **said: str
    ) -> Iterator[Moving]:
        upstreams = "".join(
            f'  {name}: {{kind: http, base_url: "{shop.url}", lookup: "GET /keys/{{idempotency_key}}"}}\n'
            for name, shop in (("old", old), ("new", new))
        )
        workspace = {
            "gateway.yaml": f"upstreams:\n{upstreams}",
            "openapi/shop.yaml": contract(listed=listed),
            "policies/access.cedar": POLICY,
            "policies/migration.yaml": migration(**said),
        }
        running.write_workspace(tmp_path, {**workspace, **(files or {})})
        with running.serving(tmp_path, *arguments) as gateway:
            keys = {"anna": running.create_key(tmp_path, "admin", "reader", "writer", principal="anna")}
            keys |= {who: running.create_key(tmp_path, "approver", principal=who) for who in ("bob", "carol")}
            clients = {who: gateway.client(key) for who, key in keys.items()}
            try:
                yield Moving(gateway, old, new, tmp_path, running, clients)
            finally:
                for each in clients.values():
                    each.close()

    return serve
