"""Who still gets what of legacy: counted by caller and field, as each caller saw its replies."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest

PATHS = """
  /things/{thing_id}:
    get:
      operationId: get_thing
      tags: [things]
      summary: One
      parameters:
        - {name: thing_id, in: path, required: true, schema: {type: string}}
        - {name: fields, in: query, schema: {type: string}}
      responses:
        "200":
          description: It.
          content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}
      x-gateway:
        effect: read
        enforcement: "off"
        legacy: {upstream: old, operation: "GET /things/{id}", input: {id: path.thing_id, query.fields: query.fields}}
        replacement:
          {upstream: new, operation: "GET /things/{id}", input: {id: path.thing_id, q: query.fields}, fields: [price]}
components:
  schemas:
    Thing:
      type: object
      properties: {thing_id: {type: string}, price: {type: string}, secret: {type: string}}
"""
GROUPS = """
groups:
  things:
    key: path.thing_id
    reads: {stage: canary, weight: 50}
    cohorts: {"principal:wendy": replacement, "principal:alice": legacy, "principal:dora": legacy}
    sample: 0
    owner: team-things
    expires: 2099-12-31
"""
POLICY = """
permit (principal in Role::"reader", action in Action::"read", resource);
@mask("secret")
permit (principal in Role::"masked", action in Action::"read", resource);
permit (principal in Role::"admin", action, resource);
"""


def old(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
    return 200, {"thing_id": "T", "price": "1", "secret": "s", f"odd-{path}": 1}


def new(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
    return 200, {"price": "2"}


@pytest.fixture(scope="module")
def canary(both: Any) -> Iterator[Any]:
    with both((old, new), PATHS, GROUPS, files={"policies/access.cedar": POLICY}) as served:
        yield served


def counted(look: Callable[[], dict[str, Any]], wanted: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The fields that callers got, once they are as they should be: they are written within a quarter of a second."""
    until = time.monotonic() + 15
    while True:
        told = {each["principal"]: each["fields"] for each in look()["callers"] if each["purpose"] == "callers"}
        if told == wanted or time.monotonic() > until:
            return told
        time.sleep(0.1)


def test_fields_are_counted_by_caller_as_it_saw_them(canary: Any, running: ModuleType) -> None:
    masked = running.create_key(canary.folder, "masked", principal="dora")
    admin = running.create_key(canary.folder, "admin", principal="anna")
    gateway = canary.gateway
    with gateway.client(gateway.reader) as alice, gateway.client() as wendy, gateway.client(masked) as dora:
        assert [alice.get(f"/things/{number}").status_code for number in range(3)] == [200] * 3
        assert alice.get("/things/1?fields=price,%20secret,nonsense").status_code == 200
        wendy_key = running.create_key(canary.folder, "reader", principal="wendy")
        with gateway.client(wendy_key) as wendy_reads:
            assert wendy_reads.get("/things/1").json()["price"] == "2"
        assert "secret" not in dora.get("/things/1").json()
        wendy.get("/nothing")
    wanted = {
        "alice": {"thing_id": 3, "price": 4, "secret": 4, "(others)": 4},
        "wendy": {"thing_id": 1, "secret": 1, "(others)": 1},  # its price came from the replacement
        "dora": {"thing_id": 1, "price": 1, "(others)": 1},
    }
    with gateway.client(admin) as anna:
        told = counted(lambda: anna.get("/-/admin/groups/things/callers").raise_for_status().json(), wanted)
        assert told == wanted
        assert anna.get("/-/admin/groups/none/callers").status_code == 404
        assert anna.get("/-/admin/groups/things/callers?days=0").status_code == 400
    with gateway.client(gateway.reader) as alice:
        assert alice.get("/-/admin/groups/things/callers").status_code == 403
    command = ["route", "callers", "things", "--workspace", str(canary.folder)]
    told = counted(lambda: json.loads(running.figway(*command, "--json", check=True).stdout), wanted)
    assert told == wanted
    shown = running.figway(*command, check=True).stdout
    assert "old GET /things/{id}" in shown
    assert "price 1, " in shown


def test_a_group_that_nobody_asked_says_so(running: ModuleType, both: Any) -> None:
    with both((old, new), PATHS, GROUPS) as served:
        command = ["route", "callers", "things", "--workspace", str(served.folder)]
        assert "Nobody has asked" in running.figway(*command, check=True).stdout
