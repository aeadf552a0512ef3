"""What is handed over: streamed, complete, in the order of time, and valid by the tables of each format."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.archive import folder_archive
from gateway.audit.export import FORMATS, export
from gateway.audit.export_cloudevents import cloudevent
from gateway.audit.export_ocsf import ocsf
from gateway.audit.question import Question

Make = Callable[..., dict[str, Any]]
COUNT = 400


def as_it_is(record: dict[str, Any]) -> dict[str, Any]:
    return record


def lines(written: Any, format: str = "ndjson", question: Question | None = None) -> list[bytes]:
    with folder_archive(written.folder) as archive:
        return list(export(archive, question or Question(), format, as_it_is))


# How the record comes back out of a line of each format.
IMPORT: dict[str, Callable[[dict[str, Any]], Any]] = {
    "ndjson": lambda document: document,
    "cloudevents": lambda document: document["data"],
    "ocsf": lambda document: json.loads(document["raw_data"]),
}


@pytest.fixture
def records(written: Any, make: Make) -> list[dict[str, Any]]:
    """Four hundred records of three writers, oldest first; writers don't write in the order in which calls began."""
    records = [make(number) for number in range(COUNT)]
    for writer in range(3):
        own = records[writer::3]
        own[10], own[11] = own[11], own[10]
        written.write(own, writer, group=7)
    return records


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_handed_over_is_what_was_written(written: Any, records: list[dict[str, Any]], format: str) -> None:
    found = [IMPORT[format](json.loads(line)) for line in lines(written, format)]
    assert sorted(found, key=lambda each: str(each["id"])) == records
    out_of_order = [each["id"] for each, other in zip(found, records, strict=True) if each != other]
    assert len(out_of_order) <= 30, "but for what a writer wrote out of order"


def test_of_one_writer_the_bytes_are_those_of_the_log_in_its_order(written: Any, records: list[dict[str, Any]]) -> None:
    with folder_archive(written.folder) as archive:
        bodies = [b"".join(segment.body for segment in source.segments()) for source in archive]
    exported = lines(written)
    for body in bodies:
        own = set(body.splitlines(keepends=True))
        assert b"".join(line for line in exported if line in own) == body


def test_a_part_is_handed_over(written: Any, records: list[dict[str, Any]]) -> None:
    question = Question({"principal": "person-3"}, most_status=299)
    found = [json.loads(line)["id"] for line in lines(written, question=question)]
    assert sorted(found) == [each["id"] for each in records if each["principal"] == "person-3" and each["status"] < 300]


def test_no_amount_needs_much_memory(written: Any, make: Make) -> None:
    for writer in range(2):
        written.write((make(number, pad="x" * 2000) for number in range(writer, 9_000, 2)), writer, group=100)
    tracemalloc.start()
    with folder_archive(written.folder) as archive:
        count = sum(1 for _ in export(archive, Question(), "cloudevents", as_it_is))
        _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 9_000
    assert most < 12 * 2**20, "of some 26 MB"


# ── CloudEvents 1.0.2 §3: the required attributes, and how names and values look ─────────────────────────────────


def check_cloudevent(event: dict[str, Any]) -> None:
    for name in ("id", "source", "specversion", "type"):
        assert isinstance(event[name], str), name
        assert event[name], name
    assert event["specversion"] == "1.0"
    for name, value in event.items():
        assert name.isascii(), name
        assert name.isalnum(), name
        assert name == name.lower(), name
        assert name == "data" or (isinstance(value, str) and value), name
    assert event["time"].endswith("Z")
    assert event["datacontenttype"] == "application/json"


def test_cloudevents_are_valid_and_of_different_ids(written: Any, make: Make) -> None:
    intent = {name: value for name, value in make(1, kind="intent").items() if name != "status"}
    control = make(2, kind="control", operation="", route="key:abc", traceparent="")
    written.write([intent, make(1), control])
    events = [json.loads(line) for line in lines(written, "cloudevents")]
    for event in events:
        check_cloudevent(event)
    assert [event["type"].rpartition(".")[2] for event in events] == ["intent", "call", "control"]
    assert len({(event["source"], event["id"]) for event in events}) == 3
    assert [event["subject"] for event in events] == ["get_1", "get_1", "key:abc"]
    assert ["traceparent" in event for event in events] == [True, True, False]


# ── OCSF 1.3.0: required attributes by class and object, enumerations, and "at least one of" ─────────────────────

BASE = {
    "activity_id": int, "category_uid": int, "class_uid": int, "metadata": dict, "severity_id": int, "time": int,
    "type_uid": int,
}  # fmt: skip
REQUIRED: dict[int, dict[str, type]] = {
    6003: {**BASE, "actor": dict, "api": dict, "src_endpoint": dict},
    3002: {**BASE, "user": dict},
}
CATEGORY = {6003: 6, 3002: 3}
ACTIVITIES = {6003: {0, 1, 2, 3, 4, 99}, 3002: {0, 1, 2, 3, 4, 5, 6, 7, 99}}
AT_LEAST_ONE = {
    "actor": {"process", "user", "invoked_by", "session", "app_name", "app_uid"},
    "user": {"account", "name", "uid"},
    "src_endpoint": {"ip", "uid", "name", "hostname", "svc_name", "instance_uid", "interface_uid", "interface_name"},
}


def check_ocsf(event: dict[str, Any]) -> None:
    kind = event["class_uid"]
    for name, expected in REQUIRED[kind].items():
        assert type(event[name]) is expected, name
    assert event["category_uid"] == CATEGORY[kind]
    assert event["activity_id"] in ACTIVITIES[kind]
    assert event["type_uid"] == kind * 100 + event["activity_id"]
    assert event["severity_id"] in {0, 1, 2, 3, 4, 5, 6, 99}
    assert event["status_id"] in {0, 1, 2, 99}
    assert event["metadata"]["version"] == "1.3.0"
    assert event["metadata"]["product"]["vendor_name"]
    if kind == 6003:
        assert event["api"]["operation"]
        assert event["actor"]["user"].keys() & AT_LEAST_ONE["user"]
    else:
        assert event.keys() & {"service", "dst_endpoint"}, "a constraint of Authentication"
    for name, choice in AT_LEAST_ONE.items():
        assert name not in event or event[name].keys() & choice, name
    if "action_id" in event:
        assert (event["action_id"], event["disposition_id"]) in {(1, 1), (2, 2)}
        assert "security_control" in event["metadata"]["profiles"]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, {"class_uid": 6003, "activity_id": 2, "status_id": 1, "severity_id": 1, "action_id": 1}),
        ({"method": "POST", "effect": "write"}, {"activity_id": 1}),
        ({"method": "PATCH", "effect": "write"}, {"activity_id": 3}),
        ({"method": "DELETE", "effect": "write"}, {"activity_id": 4}),
        ({"method": "POST", "effect": "read"}, {"activity_id": 2}),
        ({"method": "", "effect": "write", "kind": "control", "status": 0}, {"activity_id": 99, "status_id": 1}),
        ({"status": 403, "problem": "forbidden", "decision": "deny"},
         {"class_uid": 6003, "status_id": 2, "severity_id": 3, "action_id": 2, "disposition_id": 2}),
        ({"status": 401, "problem": "unauthenticated", "principal": "", "decision": ""},
         {"class_uid": 3002, "activity_id": 1, "status_id": 2}),
        ({"status": 503, "problem": "upstream-unavailable"}, {"status_id": 2, "severity_id": 2}),
        ({"kind": "intent", "status": None, "effect": "write", "method": "PUT"}, {"activity_id": 3, "status_id": 0}),
    ],
)  # fmt: skip
def test_each_record_becomes_an_event_of_the_class_that_fits(
    make: Make, members: dict[str, Any], expected: dict[str, int]
) -> None:
    record = make(1, **members)
    if record["status"] is None:
        del record["status"]
    event = ocsf(record)
    check_ocsf(event)
    assert {name: event[name] for name in expected} == expected
    assert ("action_id" in event) == bool(record["decision"])


def test_an_event_says_who_did_it_through_what(make: Make) -> None:
    event = ocsf(make(1, peer="192.0.2.7"))
    assert event["actor"]["user"]["uid"] == "person-1"
    assert event["actor"]["app_name"] == "agent-1"
    assert event["src_endpoint"]["ip"] == "192.0.2.7"
    assert event["metadata"]["correlation_uid"] == sha256(b"1").hexdigest()[:32]
    assert event["resources"] == [{"name": "crm", "type": "upstream"}]


text = st.text(max_size=20)


@settings(deadline=None, max_examples=60, database=None)
@given(
    members=st.fixed_dictionaries(
        {},
        optional={
            "principal": text, "agent": st.none() | text, "tenant": st.none() | text, "method": text, "route": text,
            "operation": text, "traceparent": text, "problem": st.none() | text, "peer": st.none() | text,
            "kind": st.sampled_from(["call", "intent", "control"]), "decision": st.sampled_from(["allow", "deny", ""]),
            "status": st.integers(0, 599), "policies": st.lists(text, max_size=3), "issuer": text,
            "effect": st.sampled_from(["read", "write", "idempotent_write", ""]),
        },
    )
)  # fmt: skip
def test_whatever_a_record_holds_the_events_are_valid(members: dict[str, Any]) -> None:
    record = {"id": "01J", "time": "2026-03-01T12:00:00.000001Z", "route": "/a", **members}
    event = ocsf(record)
    check_ocsf(event)
    assert json.loads(event["raw_data"]) == record
    check_cloudevent(cloudevent(record))
