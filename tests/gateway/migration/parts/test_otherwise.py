"""A replacement that names and pages otherwise: callers notice nothing, whichever side answers them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest

PATHS = """
  /people:
    get:
      operationId: list_people
      tags: [people]
      summary: People
      parameters:
        - {name: limit, in: query, schema: {type: integer}}
        - {name: cursor, in: query, schema: {type: string}}
        - {name: sort, in: query, schema: {type: string}}
        - {name: town, in: query, schema: {type: string}}
        - {name: since.ge, in: query, schema: {type: string}}
      responses:
        "200":
          description: They.
          content:
            application/json:
              schema:
                type: object
                required: [items, next]
                properties:
                  next: {type: [string, "null"]}
                  items:
                    type: array
                    items:
                      type: object
                      required: [person_id, name]
                      properties: {person_id: {type: string}, name: {type: string}, town: {type: string}, since: {}}
      x-gateway:
        effect: read
        legacy:
          upstream: old
          operation: GET /people
          output: "{items: items[].{person_id: ID, name: NAME, town: TOWN, since: SINCE}, next: next}"
        replacement:
          upstream: new
          operation: GET /v2/people
          output: "{items: items[].{person_id: ref, name: full_name, town: city, since: from}, next: next}"
  /people/{person_id}:
    patch:
      operationId: rename_person
      tags: [naming]
      summary: Another name
      parameters: [{name: person_id, in: path, required: true, schema: {type: string}}]
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, properties: {name: {type: string}}}}}
      responses: {"200": {description: It., content: {application/json: {schema: {type: object}}}}}
      x-gateway:
        effect: idempotent_write
        replacement:
          upstream: new
          operation: PATCH /v2/people/{ref}
          input: {ref: path.person_id, body.person.full_name: body.name}
"""
LISTS = (
    'lists: {"GET /people": {style: offset, items: rows, limit: n, position: start, largest: 50, sort: by, '
    "filters: {TOWN: TOWN, SINCE.ge: SINCE_FROM}}}",
    'lists: {"GET /v2/people": {style: page, items: data, total: meta.count, limit: per_page, position: page, '
    "largest: 3, sort: order, filters: {city: city, from.ge: start}}}",
)
GROUPS = """
groups:
  people:
    reads: {stage: STAGE}
    cohorts: {"principal:wendy": replacement, "principal:alice": legacy}
    sample: SAMPLE
    owner: team-people
    expires: 2099-12-31
"""
PEOPLE = [
    (f"P{number:02}", f"Name {number}", "Ely" if number % 2 else "Ware", f"20{number:02}") for number in range(11)
]


def chosen(town: str | None, since: str | None, order: str) -> list[tuple[str, ...]]:
    found = [each for each in PEOPLE if town in (None, each[2]) and (since is None or each[3] >= since)]
    return sorted(found, reverse=order.startswith("-"))


def old(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
    found = chosen(query.get("TOWN"), query.get("SINCE_FROM"), query.get("by", ""))
    start = int(query.get("start", 0))
    names = ("ID", "NAME", "TOWN", "SINCE")
    return 200, {"rows": [dict(zip(names, each, strict=True)) for each in found[start : start + int(query["n"])]]}


def new(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
    if path == "/v2/people/P1":
        return 422, {"errors": [{"pointer": "/person/full_name", "detail": "is too long"}]}
    if query.get("city") == "nowhere":
        return 422, {"errors": [{"pointer": "/city", "detail": "is no town"}]}
    found = chosen(query.get("city"), query.get("start"), query.get("order", ""))
    page, size = int(query.get("page", 1)), int(query["per_page"])
    names = ("ref", "full_name", "city", "from")
    data = [dict(zip(names, each, strict=True)) for each in found[(page - 1) * size : page * size]]
    return 200, {"data": data, "meta": {"count": len(found)}}


def pages(client: Any, path: str) -> Iterator[Any]:
    while path:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        yield answer
        path = answer.json()["next"]


@pytest.fixture(scope="module")
def canary(both: Any) -> Iterator[Any]:
    groups = GROUPS.replace("STAGE", "canary, weight: 50").replace("SAMPLE", "0")
    with both((old, new), PATHS, groups, more=LISTS) as served:
        yield served


@pytest.mark.parametrize(
    "question", ["limit=4", "limit=5&town=Ely", "limit=2&since.ge=2003&sort=-person_id", "limit=11", "limit=50"]
)
def test_either_side_answers_the_same_pages(canary: Any, question: str) -> None:
    told = []
    for key, side in ((canary.gateway.reader, "legacy"), (canary.gateway.writer, "replacement")):
        with canary.gateway.client(key) as client:
            found = list(pages(client, f"/people?{question}"))
        assert {page.headers["figway-served-by"] for page in found} == {side}
        told.append([page.json()["items"] for page in found])
    assert told[0] == told[1]
    assert any(told[0])


def test_names_of_fields_reach_each_side_in_its_own_terms(canary: Any) -> None:
    for key, system, wanted in (
        (canary.gateway.reader, canary.old, {"TOWN": "Ely", "SINCE_FROM": "2003", "by": "-ID"}),
        (canary.gateway.writer, canary.new, {"city": "Ely", "start": "2003", "order": "-ref"}),
    ):
        system.asked.clear()
        with canary.gateway.client(key) as client:
            assert client.get("/people?town=Ely&since.ge=2003&sort=-person_id&limit=2").status_code == 200
        _, query, _ = system.asked[0]
        assert {name: query[name] for name in wanted} == wanted


def test_a_cursor_stays_with_its_side(canary: Any) -> None:
    with canary.gateway.client() as wendy, canary.gateway.client(canary.gateway.reader) as alice:
        begun = wendy.get("/people?limit=4").json()["next"]
        # Whoever follows it, and whichever side would be theirs.
        answer = alice.get(begun)
        assert answer.headers["figway-served-by"] == "replacement"
        assert [each["person_id"] for each in answer.json()["items"]] == ["P04", "P05", "P06", "P07"]


def test_what_a_side_says_is_wrong_is_said_in_the_routes_terms(canary: Any) -> None:
    with canary.gateway.client() as wendy:
        answer = wendy.get("/people?town=nowhere")
        assert (answer.status_code, answer.json()["errors"]) == (
            422,
            [{"pointer": "/query/town", "detail": "is no town"}],
        )
        answer = wendy.patch("/people/P1", json={"name": "x"})
        assert (answer.status_code, answer.json()["errors"]) == (
            422,
            [{"pointer": "/body/name", "detail": "is too long"}],
        )


def test_pages_of_sides_that_page_otherwise_are_alike(both: Any, running: ModuleType) -> None:
    groups = GROUPS.replace("STAGE", "shadow").replace("SAMPLE", "100")
    with both((old, new), PATHS, groups, more=LISTS) as served, served.gateway.client() as wendy:
        questions = ["limit=4", "limit=5&town=Ely", "limit=11", "limit=10", "limit=50", "town=none"]
        for each in questions:
            assert wendy.get(f"/people?{each}").status_code == 200
        until = time.monotonic() + 15
        command = ["route", "parity", "people", "--json", "--workspace", str(served.folder)]
        while True:
            told = json.loads(running.figway(*command).stdout)
            if sum(told["verdicts"].values()) == len(questions):
                break
            assert time.monotonic() < until, told
            time.sleep(0.1)
        assert told["verdicts"]["match"] == len(questions), told


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("filters: {city: city, from.ge: start}", "filters: {city: city}"), "can't be filtered by 'from.ge', only by"),
        (("sort: order, ", ""), "can't be sorted: remove the parameter 'sort'"),
        (("position: page, ", ""), "style page needs position"),
        (("style: page", "style: pages"), "upstreams.new.lists.GET /v2/people.style"),
    ],
    ids=["filter", "sort", "position", "style"],
)
def test_what_a_side_cant_be_asked_is_told_by_check(
    running: ModuleType, tmp_path: Any, change: tuple[str, str], sentence: str
) -> None:
    more = [each.replace(*change) for each in LISTS]
    gateway = "upstreams:\n" + "".join(
        f"  {name}: {{kind: http, base_url: http://x.test, {lists}}}\n"
        for name, lists in zip(("old", "new"), more, strict=True)
    )
    head = 'openapi: 3.1.0\ninfo: {title: Parts, version: "1"}\npaths:\n'
    running.write_workspace(tmp_path, {"gateway.yaml": gateway, "openapi/parts.yaml": head + PATHS})
    done = running.figway("check", "--workspace", str(tmp_path))
    assert (done.returncode, sentence in done.stdout + done.stderr) == (1, True), done.stdout + done.stderr
