"""Two shops that keep customers, each a real HTTP server with a ledger, and a gateway between them."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

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


@dataclass
class Shop:
    """One shop: what it holds, and what it was told. Everything under its lock."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    ledger: list[tuple[str, str, str | None]] = field(default_factory=list)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    backwards: bool = False
    """Whether its list goes from the last to the first."""
    latency: float = 0.0
    write_latency: float = 0.0
    refuses: bool = False
    fails: bool = False
    """Whether its detail answers 500."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    url: str = ""

    def list(self, after: str | None, limit: int) -> dict[str, Any]:
        with self.lock:
            ids = sorted(self.kept, reverse=self.backwards)
            if after is not None:
                ids = [each for each in ids if (each < after if self.backwards else each > after)]
            page = [dict(self.kept[each]) for each in ids[:limit]]
        return {"data": page, "next": page[-1]["id"] if len(ids) > limit else None}

    def do(self, method: str, id: str, body: Any, key: str | None) -> tuple[int, Any]:
        """A write, once for each key."""
        with self.lock:
            if key is not None and key in self.answers:
                return self.answers[key]
            if self.refuses:
                return 409, {"title": "refused"}
            self.ledger.append((method, id, key))
            answer = self._done(method, id, body)
            if key is not None:
                self.answers[key] = answer
            return answer

    def _done(self, method: str, id: str, body: Any) -> tuple[int, Any]:
        if method == "POST":
            self.kept[body["id"]] = {"seen": str(time.time()), **body}
            return 201, self.kept[body["id"]]
        if id not in self.kept:
            return 404, {"title": "no such customer"}
        if method == "DELETE":
            del self.kept[id]
            return 200, {}
        self.kept[id] |= {name: value for name, value in body.items() if value is not None}
        return 200, dict(self.kept[id])

    def writes(self, id: str | None = None) -> list[str]:
        with self.lock:
            return [method for method, who, _ in self.ledger if id in (None, who)]


def _handler(shop: Shop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def _answer(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            time.sleep(shop.latency)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            place = parts.path.strip("/").split("/")
            if place[0] == "keys":
                found = shop.answers.get(place[1])
                self._answer(*(found or (404, {})))
            elif len(place) == 1:
                self._answer(200, shop.list(query.get("after"), int(query.get("limit", 50))))
            else:
                with shop.lock:
                    customer = dict(shop.kept.get(place[1], {}))
                self._answer(500 if shop.fails else 200 if customer else 404, customer)

        def _write(self) -> None:
            time.sleep(shop.write_latency)
            size = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(size) or b"null")
            place = self.path.strip("/").split("/")
            id = place[1] if len(place) > 1 else body["id"]
            self._answer(*shop.do(self.command, id, body, self.headers.get("idempotency-key")))

        def do_POST(self) -> None:
            self._write()

        def do_PATCH(self) -> None:
            self._write()

        def do_DELETE(self) -> None:
            self._write()

    return Handler


@contextmanager
def shop_server(shop: Shop) -> Iterator[Shop]:
    """The shop on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(shop))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    shop.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


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
    old: Shop
    new: Shop
    folder: Path
    running: ModuleType
    clients: dict[str, httpx.Client]

    def figway(self, *words: str, who: str = "anna") -> subprocess.CompletedProcess[str]:
        """A verb at the gateway, in somebody's name."""
        token = self.clients[who].headers["authorization"]
        environment = self.running.environment({"FIGWAY_TOKEN": token})
        command = [*self.running.FIGWAY, *words, "--server", self.gateway.url]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    def host(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A verb at this host."""
        command = [*self.running.FIGWAY, *words, "--workspace", str(self.folder)]
        environment = self.running.environment()
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

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
def shops() -> Iterator[tuple[Shop, Shop]]:
    """Both shops, empty."""
    with shop_server(Shop()) as old, shop_server(Shop()) as new:
        yield old, new


@pytest.fixture
def fill() -> Callable[[int], dict[str, dict[str, Any]]]:
    return customers


@pytest.fixture
def moving(
    tmp_path: Path, running: ModuleType, shops: tuple[Shop, Shop]
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
