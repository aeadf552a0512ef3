"""`figway serve --mock`: every route answered by an example, governed as ever, and nothing asked of anybody."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[3]
GATEWAY = """
upstreams:
  shop: {kind: http, base_url: "http://127.0.0.1:PORT", auth: {bearer: env:NOBODY_SET_THIS}}
stores: {limits: "redis://127.0.0.1:PORT/0"}
notify: [{url: "http://127.0.0.1:PORT/hook", secret: env:NOR_THIS}]
identity: {issuers: [{issuer: "http://127.0.0.1:PORT", audience: figway}]}
"""
THING = (
    "{type: object, required: [id], properties: "
    "{id: {type: string}, price: {type: string, format: decimal}, secret: {type: string}}}"
)
CONTRACT = """
openapi: 3.1.0
info: {title: Shop, version: "1"}
paths:
  /things:
    get:
      operationId: list_things
      tags: [things]
      parameters:
        - {name: limit, in: query, schema: {type: integer}}
        - {name: cursor, in: query, schema: {type: string}}
        - {name: price, in: query, schema: {type: string}}
      responses:
        "200":
          description: They.
          content:
            application/json:
              schema:
                type: object
                required: [items, next]
                properties: {items: {type: array, items: THING}, next: {type: [string, "null"]}}
              example: {items: [{id: T-1, price: "1.50", secret: x}], next: null}
      x-gateway:
        effect: read
        legacy:
          upstream: shop
          operation: GET /things
          input: {query.price: query.price, query.n: list.limit, query.a: list.after}
    post:
      operationId: add_thing
      tags: [things]
      requestBody: {required: true, content: {application/json: {schema: THING}}}
      responses: {"201": {description: It., content: {application/json: {schema: THING}}}}
      x-gateway:
        effect: write
        location: "/things/{id}"
        legacy: {upstream: shop, operation: POST /things, input: {body: body}}
  /things/{thing_id}:
    parameters: [{name: thing_id, in: path, required: true, schema: {type: string, pattern: "^T-"}}]
    get:
      operationId: get_thing
      tags: [things]
      responses:
        "200":
          description: It.
          content: {application/json: {schema: THING, example: {id: T-1, price: "1.50", secret: x}}}
      x-gateway: {effect: read, legacy: {upstream: shop, operation: "GET /things/{id}", input: {id: path.thing_id}}}
    delete:
      operationId: drop_thing
      tags: [things]
      responses: {"204": {description: Gone.}}
      x-gateway:
        effect: idempotent_write
        legacy: {upstream: shop, operation: "DELETE /things/{id}", input: {id: path.thing_id}}
  /whole/{thing_id}:
    get:
      operationId: get_whole
      tags: [whole]
      parameters: [{name: thing_id, in: path, required: true, schema: {type: string}}]
      responses:
        "200":
          description: It.
          content: {application/json: {schema: {type: object, properties: {thing: THING}}}}
      x-gateway:
        effect: read
        compose: {steps: {thing: {route: get_thing, input: {thing_id: path.thing_id}}}, output: "{thing: thing}"}
"""
POLICIES = """
permit (principal in Role::"auditor", action == Action::"gateway:read_audit", resource);
permit (principal in Role::"writer", action, resource);
@mask("secret")
permit (principal in Role::"reader", action == Action::"get_thing", resource);
@mask("thing.secret")
permit (principal in Role::"reader", action == Action::"get_whole", resource);
"""


class Nobody:
    """A port on which nobody may be asked anything."""

    def __init__(self) -> None:
        self.asked = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self._listener.accept()[0].close()
            except OSError:
                return
            self.asked += 1

    def close(self) -> None:
        # What waits in `accept` is woken by it, where `close` alone isn't enough.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(scope="module")
def nobody() -> Iterator[Nobody]:
    listener = Nobody()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def mocked(running: ModuleType, nobody: Nobody, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("mocked")
    files = {
        "gateway.yaml": GATEWAY.replace("PORT", str(nobody.port)),
        "openapi/shop.yaml": CONTRACT.replace("THING", THING),
        "policies/access.cedar": POLICIES,
        "policies/limits.yaml": 'rules:\n  - {match: {principal: "carol"}, rate: 1/h, burst: 2}\n',
    }
    running.write_workspace(folder, files)
    with running.serving(folder, "--mock") as gateway:
        yield gateway


def kept(client: httpx.Client, path: str) -> Any:
    """What is kept of a call that was made just now: a read is written down a moment after its reply."""
    until = time.monotonic() + 30
    while (answer := client.get(path)).status_code == 404 and time.monotonic() < until:
        time.sleep(0.05)
    return answer.json()


def test_every_reply_says_that_it_is_an_example(mocked: Any) -> None:
    with mocked.client() as wendy:
        answers = [wendy.get("/things/T-7"), wendy.get("/things"), wendy.get("/whole/T-7"), wendy.delete("/things/T-7")]
        answers.append(wendy.post("/things", json={"id": "T-9"}))
    assert [each.status_code for each in answers] == [200, 200, 200, 204, 201]
    for each in answers:
        assert each.headers["figway-served-by"] == "mock"
        assert (each.headers["figway-mock"], each.headers["cache-control"]) == ("true", "no-store")
        assert "example" in each.headers["figway-warning"]
    assert answers[0].json() == {"id": "T-7", "price": "1.50", "secret": "x"}
    assert answers[2].json() == {"thing": answers[0].json()}
    assert answers[3].content == b""
    assert (answers[4].json()["id"], answers[4].headers["location"]) == ("T-9", "/things/T-9")


def test_lists_page_and_obey_their_limit(mocked: Any) -> None:
    with mocked.client() as wendy:
        pages = [wendy.get("/things?limit=2&price=9.99").json()]
        while pages[-1]["next"] is not None and len(pages) < 9:
            pages.append(wendy.get(pages[-1]["next"]).json())
        assert wendy.get("/things?limit=0").status_code == 400
        assert wendy.get(pages[0]["next"].replace("9.99", "1.11")).status_code == 400
    assert [[each["id"] for each in page["items"]] for page in pages] == [["T-1", "T-2"], ["T-3", "T-4"], ["T-5"]]
    assert {each["price"] for page in pages for each in page["items"]} == {"9.99"}


def test_it_is_governed_as_ever(mocked: Any, running: ModuleType) -> None:
    carol = running.create_key(mocked.folder, "writer", principal="carol")
    assert httpx.get(f"{mocked.url}/things/T-1").status_code == 401
    with mocked.client(mocked.reader) as alice:
        assert alice.get("/things").status_code == 403
        assert alice.get("/things/T-1").json() == {"id": "T-1", "price": "1.50"}
        assert alice.get("/whole/T-1").json() == {"thing": {"id": "T-1", "price": "1.50"}}
    with mocked.client() as wendy:
        assert wendy.get("/things/X-1").status_code == 400
        assert wendy.post("/things", json={"price": "1.00"}).status_code == 400
    with mocked.client(carol) as limited:
        assert [limited.get("/things/T-1").status_code for _ in range(3)] == [200, 200, 429]


def test_writes_are_kept_and_tried_as_ever(mocked: Any) -> None:
    key = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    with mocked.client() as wendy:
        first, second = (wendy.post("/things", json={"id": "T-5"}, headers=key) for _ in range(2))
        other = wendy.post("/things", json={"id": "T-6"}, headers=key)
        tried = wendy.post("/things", json={"id": "T-5"}, headers={"prefer": "dry-run"})
    assert (first.json(), first.headers.get("figway-replayed")) == (second.json(), None)
    assert "figway-replayed" in second.headers
    assert (second.headers["figway-mock"], other.status_code) == ("true", 422)
    assert (tried.status_code, tried.headers["preference-applied"]) == (200, "dry-run")
    assert tried.headers["figway-mock"] == "true"


def test_lineage_and_audit_know(mocked: Any, running: ModuleType) -> None:
    with mocked.client() as wendy:
        ids = [wendy.get(path).headers["figway-lineage"] for path in ("/things/T-7", "/whole/T-7")]
        lineage = [kept(wendy, f"/-/lineage/{each}") for each in ids]
    auditor = running.create_key(mocked.folder, "auditor", principal="otto")
    with mocked.client(auditor) as otto:
        audit = kept(otto, f"/-/audit/{ids[1]}")["items"][0]
    for each in lineage:
        assert (each["served_by"], each["calls"], each["fields"]) == ("mock", [], [])
        assert "example" in each["note"]
    assert audit["served_by"] == "mock"
    assert audit["noted"]["mocked"] == ["get_thing"]


def test_it_is_told_loudly(mocked: Any, running: ModuleType) -> None:
    ready = httpx.get(f"{mocked.url}/-/ready").json()
    assert (ready["mocked_routes"], ready["upstreams"]) == (5, {"shop": "mocked"})
    assert "MOCK: examples answer all 5 routes, no upstream is asked (shop)" in mocked.logged()
    listing, token = ("route", "list", "--server", mocked.url), {"FIGWAY_TOKEN": mocked.writer}
    told = running.figway(*listing, extra=token, check=True).stdout
    assert "4 (4 mocked)" in told
    groups = json.loads(running.figway(*listing, "--json", extra=token, check=True).stdout)
    assert groups[0]["mocked"] == groups[0]["routes"]


def test_nobody_was_asked_and_nothing_real_was_touched(mocked: Any, nobody: Nobody) -> None:
    token = "Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6ImEiLCJ0eXAiOiJKV1QifQ.e30.AAAA"
    assert httpx.get(f"{mocked.url}/things/T-1", headers={"authorization": token}).status_code in (401, 503)
    assert nobody.asked == 0
    state = mocked.folder / ".figway"
    assert {each.name for each in state.iterdir()} >= {"mock", "state.db", "keys"}
    assert not {"operations.db", "outbox.db", "limits", "evidence"} & {each.name for each in state.iterdir()}
