"""A replacement that answers some fields: both systems are asked, and the reply is put together of both, or fails."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PATHS = Path(__file__).with_name("people.yaml").read_text()
GROUPS = """
groups:
  people:
    key: path.person_id
    reads: {stage: STAGE}
    cohorts: {"principal:wendy": replacement, "principal:alice": legacy}
    sample: 100
    owner: team-people
    expires: 2099-12-31
"""
POLICY = """
permit (principal in Role::"reader", action in Action::"read", resource);
@rows("region = 'north'")
permit (principal in Role::"north", action in Action::"read", resource);
@mask("phone")
permit (principal in Role::"deaf", action in Action::"read", resource);
permit (principal in Role::"admin", action, resource);
"""
COUNT = 7


def old(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
    def person(number: int) -> dict[str, Any]:
        region = "north" if number % 2 else "south"
        address = {"street": f"{number} Road", "city": "Oldtown"}
        return {
            "person_id": f"P{number}",
            "name": f"Name {number}",
            "email": "old@example.com",
            "phone": "1",
            "region": region,
            "address": address,
        }

    return answered(path, query, person)


def new(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
    def person(number: int) -> dict[str, Any]:
        return {"ref": f"P{number}", "mail": f"new{number}@example.com", "town": "Newtown", "phone": "2"}

    return answered(path.removeprefix("/v2"), query, person)


def answered(path: str, query: Mapping[str, str], person: Callable[[int], dict[str, Any]]) -> tuple[int, Any]:
    if path == "/people":
        start = int(query.get("after", 0))
        end = min(start + int(query["limit"]), COUNT)
        return 200, {"items": [person(each) for each in range(start, end)], "next": str(end) if end < COUNT else None}
    number = path.rpartition("/P")[2]
    return (200, person(int(number))) if number.isdigit() and int(number) < COUNT else (404, {})


@pytest.fixture(scope="module")
def canary(both: Any) -> Iterator[Any]:
    groups = GROUPS.replace("STAGE", "canary, weight: 50").replace("sample: 100", "sample: 0")
    with both((old, new), PATHS, groups, files={"policies/access.cedar": POLICY}) as served:
        yield served


@pytest.fixture
def systems(canary: Any) -> Iterator[Any]:
    canary.old.asked.clear()
    canary.new.asked.clear()
    yield canary
    canary.old.answer, canary.new.answer = old, new


def test_the_reply_is_legacys_with_the_replacements_fields(systems: Any) -> None:
    with systems.gateway.client() as wendy:
        answer = wendy.get("/people/P3")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "person_id": "P3",
        "name": "Name 3",
        "email": "new3@example.com",
        "phone": "1",
        "region": "north",
        "address": {"street": "3 Road", "city": "Newtown"},
    }
    assert answer.headers["figway-served-by"] == "both"
    assert [path for path, *_ in systems.old.asked] == ["/people/P3"]
    assert [path for path, *_ in systems.new.asked] == ["/v2/people/P3"]


def test_legacy_alone_answers_whose_bucket_is_its(systems: Any) -> None:
    with systems.gateway.client(systems.gateway.reader) as alice:
        answer = alice.get("/people/P3")
    assert (answer.json()["email"], answer.headers["figway-served-by"]) == ("old@example.com", "legacy")
    assert systems.new.asked == []


def test_what_the_replacement_leaves_out_is_left_out(systems: Any) -> None:
    systems.new.answer = lambda *_: (200, {"ref": "P3", "mail": "m@example.com"})
    with systems.gateway.client() as wendy:
        assert wendy.get("/people/P3").json()["address"] == {"street": "3 Road"}
        systems.new.answer = lambda *_: (200, {"ref": "P3", "town": "Newtown"})
        answer = wendy.get("/people/P3")
    # Never legacy's in its place, also where the contract requires it.
    assert (answer.status_code, answer.json()["type"]) == (502, "urn:figway:problem:bad-upstream-reply")


@pytest.mark.parametrize(
    ("failing", "status", "expected"),
    [
        ("old", 500, (503, "legacy")),
        ("new", 500, (503, "replacement")),
        ("old", 404, (404, "legacy")),
        ("new", 404, (502, "replacement")),
    ],
)
def test_the_side_that_fails_makes_the_call_fail(
    systems: Any, failing: str, status: int, expected: tuple[int, str]
) -> None:
    getattr(systems, failing).answer = lambda *_: (status, {})
    with systems.gateway.client() as wendy:
        answer = wendy.get("/people/P3")
    assert (answer.status_code, answer.headers["figway-served-by"]) == expected, answer.text


def test_both_are_asked_at_once(systems: Any) -> None:
    # Each answers only when the other has been asked as well.
    def after(other: Any, answer: Any) -> Any:
        def waiting(*asked: Any) -> Any:
            until = time.monotonic() + 5
            while not other.asked and time.monotonic() < until:
                time.sleep(0.01)
            return answer(*asked) if other.asked else (500, {})

        return waiting

    systems.old.answer, systems.new.answer = after(systems.new, old), after(systems.old, new)
    with systems.gateway.client() as wendy:
        assert wendy.get("/people/P3").status_code == 200


def pages(client: Any, path: str) -> Iterator[Any]:
    while path:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        yield answer
        path = answer.json()["next"]


def test_items_are_joined_by_their_key_over_all_pages(systems: Any) -> None:
    with systems.gateway.client() as wendy:
        found = list(pages(wendy, "/people?limit=3"))
    items = [item for page in found for item in page.json()["items"]]
    assert [(each["person_id"], each["name"], each["email"]) for each in items] == [
        (f"P{number}", f"Name {number}", f"new{number}@example.com") for number in range(COUNT)
    ]
    assert {page.headers["figway-served-by"] for page in found} == {"both"}
    assert [query.get("after") for _, query, _ in systems.new.asked] == [None, "3", "6"]


def test_a_page_whose_items_the_replacement_lacks_fails(systems: Any) -> None:
    def lacking(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
        status, body = new(path, query, headers)
        return status, {**body, "items": body["items"][1:]}

    systems.new.answer = lacking
    with systems.gateway.client() as wendy:
        answer = wendy.get("/people?limit=3")
    assert (answer.status_code, answer.headers["figway-served-by"]) == (502, "replacement")


def test_rows_and_fields_that_a_caller_may_not_see_are_left_out_of_what_is_joined(
    systems: Any, running: ModuleType
) -> None:
    key = running.create_key(systems.folder, "north", principal="wendy")
    with systems.gateway.client(key) as north:
        items = [item for page in pages(north, "/people?limit=2") for item in page.json()["items"]]
        assert [each["person_id"] for each in items] == ["P1", "P3", "P5"]
        assert {each["email"] for each in items} == {f"new{number}@example.com" for number in (1, 3, 5)}
        assert north.get("/people/P2").status_code == 404
        assert north.get("/people/P1").json()["email"] == "new1@example.com"
    key = running.create_key(systems.folder, "deaf", principal="wendy")
    with systems.gateway.client(key) as deaf:
        assert "phone" not in deaf.get("/people/P1").json()


def test_lineage_names_both_systems_and_whose_each_field_is(systems: Any, running: ModuleType) -> None:
    key = running.create_key(systems.folder, "reader", principal="wendy")
    with systems.gateway.client(key) as wendy:
        id = wendy.get("/people/P3").headers["figway-lineage"]
        told = wendy.get(f"/-/lineage/{id}").json()
        listed = wendy.get("/people?limit=2").headers["figway-lineage"]
        list_told = wendy.get(f"/-/lineage/{listed}").json()
    assert told["served_by"] == "both"
    assert sorted(call["upstream"] for call in told["calls"]) == ["new", "old"]
    sources = {each["pointer"]: {origin["upstream"] for origin in each["from"]} for each in told["fields"]}
    assert sources["/email"] == sources["/address/city"] == {"new"}
    assert sources["/name"] == sources["/person_id"] == sources["/address/street"] == {"old"}
    email = next(each for each in told["fields"] if each["pointer"] == "/email")["from"][0]
    assert told["mappings"][email["mappings"][0]]["binding"] == "replacement"
    assert told["calls"][email["calls"][0]]["upstream"] == "new"
    items = {each["pointer"]: {origin["upstream"] for origin in each["from"]} for each in list_told["fields"]}
    assert (items["/items/*/email"], items["/items/*/name"]) == ({"new"}, {"old"})


def test_in_shadow_only_the_replacements_fields_are_compared(both: Any, running: ModuleType) -> None:
    def alike(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
        status, body = new(path, query, headers)
        mended = lambda each: {**each, "mail": "old@example.com", "town": "Oldtown"}  # noqa: E731 - used twice, here
        listed = "items" in body
        return status, {**body, "items": [mended(each) for each in body["items"]]} if listed else mended(body)

    with both((old, alike), PATHS, GROUPS.replace("STAGE", "shadow")) as served, served.gateway.client() as wendy:
        for number in range(5):
            answer = wendy.get(f"/people/P{number}")
            assert (answer.headers["figway-served-by"], answer.json()["email"]) == ("legacy", "old@example.com")
        wendy.get("/people?limit=4")
        verdicts = parity(running, served, 6)
        assert (verdicts["match"], verdicts["mismatch"]) == (6, 0)
        # Legacy was asked by its callers only.
        assert len(served.old.asked) == 6
        served.new.answer = new
        wendy.get("/people/P1")
        assert parity(running, served, 7)["mismatch"] == 1


def parity(running: ModuleType, served: Any, count: int) -> dict[str, int]:
    """How comparisons ended, once there were so many."""
    until = time.monotonic() + 15
    while True:
        told = json.loads(
            running.figway("route", "parity", "people", "--json", "--workspace", str(served.folder)).stdout
        )
        verdicts: dict[str, int] = told["verdicts"]
        if sum(verdicts.values()) >= count:
            return verdicts
        assert time.monotonic() < until, told
        time.sleep(0.1)


def checked(running: ModuleType, folder: Any, paths: str, groups: str) -> str:
    """What `figway check` says of a contract with these paths."""
    gateway = "upstreams:\n" + "".join(
        f"  {each}: {{kind: http, base_url: http://x.test}}\n" for each in ("old", "new")
    )
    head = 'openapi: 3.1.0\ninfo: {title: Parts, version: "1"}\npaths:\n'
    files = {"gateway.yaml": gateway, "openapi/parts.yaml": head + paths, "policies/migration.yaml": groups}
    running.write_workspace(folder, files)
    done = running.figway("check", "--workspace", str(folder))
    assert done.returncode in (0, 1)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "stage", "sentence"),
    [
        (("[email, /address/city]", "[colour]"), "legacy", "fields.0: the reply has no field 'colour'"),
        (("[email, /address/city]", "[address, /address/city]"), "legacy", "stands twice, or within another"),
        (("[email, /address/city]", "[person_id]"), "legacy", "'person_id' is what items are joined by"),
        (("key: path.person_id", "key: principal.id"), "legacy", "the items of this list can't be joined: the key"),
        (("key: path.person_id", "key: path.id"), "legacy", "their schema must require 'id'"),
        (("{type: string}}\n      responses:\n", "{type: string}}\n        - {name: email.like, in: query, schema: "
          "{type: string}}\n      responses:\n"), "legacy", "can be asked by 'email.like', which only the replacement"),
        (("legacy: {upstream: old, operation: \"GET /people/{id}\", input: {id: path.person_id}}", ""), "legacy",
         "there is no legacy to answer the other fields"),
        (("", ""), "new_only", "reads can't be at new_only: get_person, list_people takes some of its fields from"),
    ],
    ids=["unknown", "twice", "the key", "no path key", "key not required", "filter", "no legacy", "stage"],
)  # fmt: skip
def test_what_cant_be_joined_is_told_by_check(
    running: ModuleType, tmp_path: Any, change: tuple[str, str], stage: str, sentence: str
) -> None:
    paths, groups = (each.replace(*change) if change[0] else each for each in (PATHS, GROUPS))
    told = checked(running, tmp_path, paths, groups.replace("STAGE", stage))
    assert sentence in told, told
    assert "openapi/parts.yaml:" in told or "policies/migration.yaml:" in told


def test_a_sound_split_has_no_findings(running: ModuleType, tmp_path: Any) -> None:
    assert "error" not in checked(running, tmp_path, PATHS, GROUPS.replace("STAGE", "live")).lower()
