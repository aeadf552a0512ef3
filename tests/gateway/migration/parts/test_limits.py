"""Limits that name an upstream count the calls that it answers, whichever side that is."""

from __future__ import annotations

from collections.abc import Mapping
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
      responses: {"200": {description: It., content: {application/json: {schema: {type: object}}}}}
      x-gateway:
        effect: read
        legacy: {upstream: old, operation: "GET /things/{id}", input: {id: path.thing_id}}
        replacement: {upstream: new, operation: "GET /things/{id}", input: {id: path.thing_id}}
"""
GROUPS = """
groups:
  things:
    key: path.thing_id
    reads: {stage: STAGE}
    cohorts: {"principal:wendy": replacement, "principal:alice": legacy}
    sample: 100
    owner: team-things
    expires: 2099-12-31
"""
LIMITS = """
rules:
  - {match: {upstream: old}, rate: 1/h, burst: 2}
  - {match: {upstream: new}, rate: 1/h, burst: 3}
  - {match: {principal: "*", route: get_thing}, rate: 1/h, burst: 100}
"""


def thing(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
    return 200, {"path": path}


def statuses(client: Any, count: int) -> list[int]:
    return [client.get(f"/things/{number}").status_code for number in range(count)]


@pytest.mark.parametrize(
    ("stage", "alices", "wendys"),
    [
        ("legacy", [200, 200, 429], [429]),
        ("shadow", [200, 200, 429], [429]),
        ("canary, weight: 50", [200, 200, 429], [200, 200, 200, 429]),
        ("live", [200, 200, 429], [200, 200, 200, 429]),
        ("new_only, probe: off", [200, 200, 200, 429], [429]),
    ],
    ids=["legacy", "shadow", "canary", "live", "new_only"],
)
def test_each_upstreams_limit_counts_what_it_answers(
    both: Any, stage: str, alices: list[int], wendys: list[int]
) -> None:
    files = {"policies/limits.yaml": LIMITS}
    with both((thing, thing), PATHS, GROUPS.replace("STAGE", stage), files=files) as served:
        gateway = served.gateway
        with gateway.client(gateway.reader) as alice, gateway.client() as wendy:
            assert statuses(alice, len(alices)) == alices
            assert statuses(wendy, len(wendys)) == wendys
            assert alice.get("/things/1").json()["type"] == "urn:figway:problem:rate-limited"


def test_a_split_read_counts_at_both(both: Any, running: ModuleType) -> None:
    split = PATHS.replace(
        'new, operation: "GET /things/{id}", input: {id: path.thing_id}',
        'new, operation: "GET /things/{id}", input: {id: path.thing_id}, fields: [colour]',
    ).replace("schema: {type: object}", "schema: {type: object, properties: {colour: {type: string}}}")
    files = {"policies/limits.yaml": LIMITS}
    groups = GROUPS.replace("STAGE", "canary, weight: 50").replace("sample: 100", "sample: 0")
    with both((thing, thing), split, groups, files=files) as served, served.gateway.client() as wendy:
        assert statuses(wendy, 3) == [200, 200, 429]  # legacy's limit is the tighter one
        assert (len(served.old.asked), len(served.new.asked)) == (2, 2)
