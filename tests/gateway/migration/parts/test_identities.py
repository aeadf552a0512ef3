"""Each side is shown its own credential, in each caller's name, and never the other side's."""

from __future__ import annotations

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
    reads: {stage: canary, weight: 50}
    cohorts: {"team:none": replacement}
    sample: 100
    owner: team-things
    expires: 2099-12-31
"""
MORE = (
    "auth: {api_key: {header: X-Old-Key, value: env:OLD_KEY}}, caller: {header: X-Old-User}",
    "callers: {alice: {bearer: env:NEW_ALICE}, 'role:writer': {basic: {username: writer, password: env:NEW_WRITER}}}",
)
SECRETS = {"OLD_KEY": "s3cret-of-the-old", "NEW_ALICE": "s3cret-of-alice", "NEW_WRITER": "s3cret-of-writers"}
OWN = ("x-old-key", "x-old-user", "authorization")


def thing(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
    return 200, {"path": path}


@pytest.fixture(scope="module")
def canary(both: Any) -> Iterator[Any]:
    with both((thing, thing), PATHS, GROUPS, more=MORE, extra=SECRETS) as served:
        yield served


def test_neither_side_sees_what_the_other_is_shown(canary: Any) -> None:
    gateway = canary.gateway
    sides = set()
    for who, key in (("alice", gateway.reader), ("wendy", gateway.writer)):
        with gateway.client(key) as client:
            for number in range(12):
                answer = client.get(f"/things/{who}-{number}")
                assert answer.status_code == 200, answer.text
                sides.add((who, answer.headers["figway-served-by"]))
    assert len(sides) == 4
    shown = {"alice": "Bearer s3cret-of-alice", "wendy": "Basic d3JpdGVyOnMzY3JldC1vZi13cml0ZXJz"}
    for path, _, headers in canary.old.asked:
        who = path.split("/")[2].split("-")[0]
        assert {name: headers[name] for name in OWN if name in headers} == {
            "x-old-key": SECRETS["OLD_KEY"],
            "x-old-user": who,
        }
    for path, _, headers in canary.new.asked:
        who = path.split("/")[2].split("-")[0]
        assert {name: headers[name] for name in OWN if name in headers} == {"authorization": shown[who]}
    # Nor the caller's own credential, in any header field.
    keys = [gateway.reader.split()[1], gateway.writer.split()[1]]
    for system in (canary.old, canary.new):
        assert not any(key in value for *_, headers in system.asked for value in headers.values() for key in keys)


def test_who_has_no_name_at_the_replacement_is_refused_there_and_nothing_is_sent(
    canary: Any, running: ModuleType
) -> None:
    key = running.create_key(canary.folder, "reader", principal="carol")
    with canary.gateway.client(key) as carol:
        answers = {number: carol.get(f"/things/carol-{number}") for number in range(16)}
    told = {(each.status_code, each.headers["figway-served-by"]) for each in answers.values()}
    assert told == {(200, "legacy"), (403, "replacement")}
    assert not any("carol" in path for path, *_ in canary.new.asked)
