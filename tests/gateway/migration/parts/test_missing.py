"""A replacement that isn't built yet: a clear no, or an example that says that it is one, and never any evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest

PATHS = """
  /things/{thing_id}:
    get:
      operationId: get_thing
      tags: [things]
      summary: One
      parameters: [{name: thing_id, in: path, required: true, schema: {type: string}}]
      responses:
        "200":
          description: It.
          content:
            application/json:
              schema:
                type: object
                required: [thing_id, price]
                properties: {thing_id: {type: string}, price: {type: string, format: decimal}, made: {type: string}}
              EXAMPLE
      x-gateway:
        effect: EFFECT
        legacy: {upstream: old, operation: "GET /things/{id}", input: {id: path.thing_id}}
        replacement: {missing: MISSING}
  /things:
    get:
      operationId: list_things
      tags: [things]
      summary: Some
      parameters:
        - {name: limit, in: query, schema: {type: integer}}
        - {name: cursor, in: query, schema: {type: string}}
      responses:
        "200":
          description: They.
          content:
            application/json:
              schema:
                type: object
                required: [items, next]
                properties:
                  items:
                    type: array
                    items: {type: object, required: [thing_id], properties: {thing_id: {type: string}}}
                  next: {type: [string, "null"]}
      x-gateway:
        effect: read
        legacy: {upstream: old, operation: GET /things, input: {query.limit: list.limit, query.after: list.after}}
        replacement: {missing: MISSING}
"""
GROUPS = """
groups:
  things:
    key: path.thing_id
    reads: {stage: STAGE, weight: 50}
    cohorts: {"principal:wendy": replacement, "principal:alice": legacy}
    sample: 100
    owner: team-things
    expires: 2099-12-31
"""


def paths(missing: str, example: str = "", effect: str = "read") -> str:
    return (
        PATHS.replace("MISSING", missing)
        .replace("EXAMPLE", example or "{}")
        .replace("EFFECT", effect)
        .replace("              {}\n", "")
    )


def old(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
    if path == "/things":
        return 200, {"items": [{"thing_id": "T1"}], "next": None}
    return 200, {"thing_id": path.rpartition("/")[2], "price": "2.50"}


def nothing(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
    return 200, {}


@pytest.fixture(scope="module", params=["fail", "mock"])
def served(both: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    groups = GROUPS.replace("STAGE", "canary")
    with both((old, nothing), paths(request.param, "example: {thing_id: T0, price: '9.99'}"), groups) as running:
        running.mode = request.param
        yield running


def test_its_callers_are_told(served: Any) -> None:
    with served.gateway.client() as wendy:
        one, listed = wendy.get("/things/T7"), wendy.get("/things?limit=2")
    assert served.old.asked == served.new.asked == []
    said = "mock" if served.mode == "mock" else "replacement"
    assert one.headers["figway-served-by"] == listed.headers["figway-served-by"] == said
    if served.mode == "fail":
        for answer in (one, listed):
            assert (answer.status_code, answer.json()["type"]) == (501, "urn:figway:problem:not-built")
        return
    assert one.json() == {"thing_id": "T7", "price": "9.99"}
    assert len(listed.json()["items"]) == 2
    for answer in (one, listed):
        assert answer.headers["figway-mock"] == "true"
        assert "example" in answer.headers["figway-warning"]


def test_legacys_callers_notice_nothing(served: Any) -> None:
    served.old.asked.clear()
    with served.gateway.client(served.gateway.reader) as alice:
        answer = alice.get("/things/T7")
    assert (answer.json()["price"], answer.headers["figway-served-by"]) == ("2.50", "legacy")
    assert "figway-mock" not in answer.headers
    assert len(served.old.asked) == 1


def test_nothing_of_it_is_evidence(served: Any, running: ModuleType) -> None:
    with served.gateway.client() as wendy:
        for number in range(30):
            wendy.get(f"/things/N{number}")
    with served.gateway.client(served.gateway.reader) as alice:
        alice.get("/things/T1")
    told = json.loads(running.figway("route", "parity", "things", "--json", "--workspace", str(served.folder)).stdout)
    assert sum(told["verdicts"].values()) == 0
    key = running.create_key(served.folder, "writer", principal="wendy")
    with served.gateway.client(key) as wendy:
        id = wendy.get("/things/T7").headers["figway-lineage"]
        lineage = wendy.get(f"/-/lineage/{id}").json()
    assert lineage["calls"] == lineage["fields"] == []


@pytest.mark.parametrize(
    ("contract", "stage", "sentence"),
    [
        (paths("mock"), "live", "reads can't be at live: get_thing, list_things has no replacement yet"),
        (paths("fail"), "new_only", "reads can't be at new_only: get_thing, list_things has no replacement yet"),
        (paths("fail").replace("missing: fail", "missing: fail, upstream: new"), "legacy", "missing stands alone"),
        (paths("fail").replace("{missing: fail}", "{upstream: new}"), "legacy", "give upstream and operation"),
        (paths("fail").replace("    get:\n      operationId: get", "    put:\n      operationId: get").replace(
            "effect: read", "effect: idempotent_write", 1), "legacy", "a write can't be answered by nothing"),
        (paths("mock").replace("made: {type: string}", "made: {type: string, pattern: '^(?=a)b'}").replace(
            "required: [thing_id, price]", "required: [thing_id, made]"), "legacy", "no example of the reply can be"),
    ],
    ids=["mock at live", "fail at new_only", "beside a binding", "half a binding", "a write", "nothing to show"],
)  # fmt: skip
def test_what_cant_be_is_told_by_check(
    running: ModuleType, tmp_path: Any, contract: str, stage: str, sentence: str
) -> None:
    gateway = "upstreams:\n" + "".join(
        f"  {each}: {{kind: http, base_url: http://x.test}}\n" for each in ("old", "new")
    )
    head = 'openapi: 3.1.0\ninfo: {title: Parts, version: "1"}\npaths:\n'
    groups = GROUPS.replace("STAGE, weight: 50", stage)
    running.write_workspace(
        tmp_path, {"gateway.yaml": gateway, "openapi/parts.yaml": head + contract, "policies/migration.yaml": groups}
    )
    done = running.figway("check", "--workspace", str(tmp_path))
    assert done.returncode == 1
    assert sentence in done.stdout + done.stderr, done.stdout + done.stderr
