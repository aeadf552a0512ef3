"""What a caller sees of idempotency keys and operations, on a real gateway."""

from __future__ import annotations

import fcntl
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.audit.verify import records


def until_ended(lab: Any, id: str) -> dict[str, Any]:
    """The operation once it runs no more."""
    until = time.monotonic() + 20
    while (document := lab.operation(id).json())["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.02)
    return document


def test_the_same_request_again_gets_the_same_reply_and_has_no_second_effect(lab: Any) -> None:
    first = lab.post({"n": 1}, "key-1")
    again = lab.post({"n": 1}, "key-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"] == "/items/s"
    assert again.headers["figway-as-of"] == first.headers["figway-as-of"]
    assert "figway-replayed" not in first.headers
    assert again.headers["figway-replayed"] == first.headers["figway-lineage"]
    assert len(lab.effects(1)) == 1


def test_a_key_may_be_quoted(lab: Any) -> None:
    assert lab.post({"n": 2}, '"key-2"').status_code == 201
    assert "figway-replayed" in lab.post({"n": 2}, "key-2").headers
    assert len(lab.effects(2)) == 1


def test_without_a_key_each_request_is_a_change(lab: Any) -> None:
    assert [lab.post({"n": 3}).status_code for _ in range(2)] == [201, 201]
    assert len(lab.effects(3)) == 2
    assert [each["known_by"] for each in lab.effects(3)] == [None, None]


@pytest.mark.parametrize("key", ["", '"', '""', "x" * 256, "a b", "a,b", '"a";p=1', "é", '"é"'])
def test_a_malformed_key_is_refused(lab: Any, key: str) -> None:
    headers = [(b"authorization", lab.gateway.writer.encode()), (b"idempotency-key", key.encode())]
    with lab.gateway.client() as client:
        response = client.post("/items", json={"n": 4}, headers=headers)
    assert response.status_code == 400
    assert lab.effects(4) == []


def test_another_request_with_the_key_is_refused(lab: Any) -> None:
    assert lab.post({"n": 5}, "key-5").status_code == 201
    refused = lab.post({"n": 50}, "key-5")
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:figway:problem:idempotency-mismatch")
    assert lab.effects(50) == []


def test_members_may_stand_in_another_order(lab: Any) -> None:
    assert lab.post({"n": 6, "after": 0}, "key-6").status_code == 201
    assert "figway-replayed" in lab.post({"after": 0, "n": 6}, "key-6").headers


def test_keys_of_different_callers_and_routes_are_different(lab: Any, running: Any) -> None:
    other = running.create_key(lab.gateway.folder, "writer", principal="otto")
    agent = running.create_key(lab.gateway.folder, "writer", principal="wendy", agent="bot")
    assert lab.post({"n": 7}, "key-7").status_code == 201
    assert lab.post({"n": 7}, "key-7", authorization=other).status_code == 201
    assert lab.post({"n": 7}, "key-7", authorization=agent).status_code == 201
    assert lab.post({"n": 7}, "key-7", "/settings").status_code == 200
    # Upstreams, too, can tell them apart.
    assert len({each["known_by"] for each in lab.effects(7)}) == 4


def test_a_reply_is_said_again_only_to_who_may_still_see_as_much(lab: Any, running: Any) -> None:
    less = running.create_key(lab.gateway.folder, "masked", principal="wendy")
    first = lab.post({"n": 26}, "key-26")
    again = lab.post({"n": 26}, "key-26", authorization=less)
    assert (first.json()["name"], again.status_code) == ("put", 409)
    assert again.json()["type"] == "urn:figway:problem:conflict"
    assert "put" not in again.text
    assert lab.operation(first.headers["figway-lineage"]).json()["reply"]["body"]["name"] == "put"
    seen = lab.operation(first.headers["figway-lineage"], less).json()
    assert (seen["state"], "reply" in seen) == ("succeeded", False)
    assert "figway-replayed" in lab.post({"n": 26}, "key-26").headers
    assert len(lab.effects(26)) == 1


def test_a_refusal_says_no_more_to_who_may_see_less(lab: Any, running: Any) -> None:
    less = running.create_key(lab.gateway.folder, "masked", principal="wendy")
    body = {"n": 27, "refuse": "Conflict"}
    first, again = lab.post(body, "key-27"), lab.post(body, "key-27", authorization=less)
    assert (first.status_code, again.status_code) == (409, 409)
    assert first.json()["detail"] not in again.text


def test_the_audit_tells_which_operation_was_said_again(lab: Any) -> None:
    lab.post({"n": 28}, "key-28")
    replayed = lab.post({"n": 28}, "key-28")
    until, kept = time.monotonic() + 20, []
    while not kept:
        assert time.monotonic() < until
        found = records(lab.gateway.folder / ".figway" / "audit")
        kept = [each for each in found if each["id"] == replayed.headers["figway-lineage"]]
    assert kept[0]["noted"]["operation_id"] == replayed.headers["figway-replayed"]


def test_while_the_first_is_under_way_a_second_is_told_so(lab: Any) -> None:
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: lab.post({"n": 8, "after": 0.5}, "key-8"), range(16)))
    told = sorted(reply.status_code for reply in replies)
    assert told.count(201) >= 1
    assert set(told) <= {201, 409}
    busy = next(reply for reply in replies if reply.status_code == 409)
    assert busy.json()["type"] == "urn:figway:problem:idempotency-in-progress"
    assert busy.headers["retry-after"] == "1"
    assert len(lab.effects(8)) == 1


@pytest.mark.parametrize(("error", "status"), [("Conflict", 409), ("NotFound", 404), ("Invalid", 422)])
def test_a_refusal_for_good_is_told_again(lab: Any, error: str, status: int) -> None:
    body = {"n": f"9-{error}", "refuse": error}
    replies = [lab.post(body, f"key-9-{error}") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [status, status]
    assert replies[0].json()["detail"] == replies[1].json()["detail"]
    assert "figway-replayed" in replies[1].headers


@pytest.mark.parametrize("error", ["Unavailable", "Retry"])
def test_what_was_never_sent_may_be_sent_again(lab: Any, error: str) -> None:
    body = {"n": f"10-{error}", "refuse": error}
    replies = [lab.post(body, f"key-10-{error}") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [503, 503]
    assert "figway-replayed" not in replies[1].headers
    # The key is free: it takes even another body.
    assert lab.post({"n": f"10-{error}"}, f"key-10-{error}").status_code == 201


def test_an_unknown_outcome_is_told_as_one_and_never_sent_again(lab: Any) -> None:
    replies = [lab.post({"n": 11, "error": "UnknownOutcome"}, "key-11") for _ in range(3)]
    assert {reply.status_code for reply in replies} == {504}
    assert {reply.json()["type"] for reply in replies} == {"urn:figway:problem:unknown-outcome"}
    (id,) = {reply.json()["operation"] for reply in replies}
    assert {reply.headers["location"] for reply in replies} == {f"/-/operations/{id}"}
    assert len(lab.effects(11)) == 1
    assert lab.operation(id).json()["state"] == "unknown"


def test_a_reply_that_breaks_the_contract_leaves_an_unknown_outcome(lab: Any) -> None:
    replies = [lab.post({"n": 12}, "key-12", "/strict") for _ in range(2)]
    assert [reply.json()["type"] for reply in replies] == ["urn:figway:problem:unknown-outcome"] * 2
    assert replies[0].json()["operation"] == replies[1].json()["operation"]
    assert len(lab.effects(12)) == 1


def test_an_unknown_outcome_without_a_key_is_kept_too(lab: Any) -> None:
    reply = lab.post({"n": 13, "error": "UnknownOutcome"})
    assert reply.status_code == 504
    assert lab.operation(reply.json()["operation"]).json()["state"] == "unknown"


def test_a_write_that_may_be_repeated_is(lab: Any) -> None:
    first = lab.post({"n": 14, "error": "UnknownOutcome"}, "key-14", "/settings")
    again = lab.post({"n": 14, "error": "UnknownOutcome"}, "key-14", "/settings")
    assert first.json()["operation"] == again.json()["operation"]
    first_key, second_key = (each["known_by"] for each in lab.effects(14))
    assert first_key == second_key


def test_an_upstream_that_can_tell_is_asked(lab: Any) -> None:
    assert lab.post({"n": 15, "after": 1}, "key-15", "/told").status_code == 504
    # It may still be under way: too early to ask.
    assert lab.post({"n": 15, "after": 1}, "key-15", "/told").status_code == 504
    time.sleep(0.4)
    told = lab.post({"n": 15, "after": 1}, "key-15", "/told")
    assert (told.status_code, told.json()["name"]) == (200, "looked up")
    assert "figway-replayed" in lab.post({"n": 15, "after": 1}, "key-15", "/told").headers
    assert len(lab.effects(15)) == 1


def test_an_upstream_that_says_it_never_happened_is_asked_to_do_it(lab: Any) -> None:
    body = {"n": 16, "seconds": 0.6}
    assert lab.post(body, "key-16", "/told").status_code == 504
    assert lab.effects(16) == []
    time.sleep(0.4)
    assert lab.post(body, "key-16", "/told").status_code == 504
    assert lab.effects(16) == []


def test_a_composite_goes_on_where_it_failed(lab: Any) -> None:
    failed = lab.post({"n": 17, "refuse": "Unavailable"}, "key-17", "/pairs")
    assert failed.status_code == 503
    assert [each["sku"] for each in lab.effects(17)] == ["one"]
    done = lab.post({"n": 17}, "key-17", "/pairs")
    assert (done.status_code, done.json()) == (200, {"one": "one", "two": "one"})
    assert len(lab.effects(17)) == 2
    assert len({each["known_by"] for each in lab.effects(17)}) == 2
    assert "figway-replayed" in lab.post({"n": 17}, "key-17", "/pairs").headers


def test_a_composite_whose_step_is_unknown_stays_so(lab: Any) -> None:
    replies = [lab.post({"n": 18, "error": "UnknownOutcome"}, "key-18", "/pairs") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [504, 504]
    assert replies[0].json()["operation"] == replies[1].json()["operation"]
    assert len(lab.effects(18)) == 2


def test_a_call_may_be_answered_later(lab: Any) -> None:
    accepted = lab.post({"n": 19, "after": 0.3}, "key-19", prefer="respond-async")
    assert accepted.status_code == 202
    assert accepted.headers["preference-applied"] == "respond-async"
    id = accepted.json()["id"]
    assert accepted.headers["location"] == f"/-/operations/{id}"
    assert lab.operation(id).json()["state"] == "running"
    document = until_ended(lab, id)
    assert (document["state"], document["reply"]["status"]) == ("succeeded", 201)
    assert document["reply"]["body"] == {"sku": "s", "name": "put", "on_hand": 1}
    assert lab.post({"n": 19, "after": 0.3}, "key-19").status_code == 201
    assert len(lab.effects(19)) == 1


def test_answered_later_needs_no_key_and_tells_of_failures(lab: Any) -> None:
    id = lab.post({"n": 20, "refuse": "Conflict"}, prefer="respond-async").json()["id"]
    document = until_ended(lab, id)
    assert (document["state"], document["problem"]["type"]) == ("failed", "urn:figway:problem:conflict")
    id = lab.post({"n": 20, "error": "UnknownOutcome"}, prefer="respond-async").json()["id"]
    assert until_ended(lab, id)["state"] == "unknown"


def test_a_late_answer_tells_what_was_never_sent_too(lab: Any) -> None:
    accepted = lab.post({"n": 29, "refuse": "Unavailable"}, "key-29", prefer="respond-async")
    document = until_ended(lab, accepted.headers["figway-lineage"])
    assert (document["state"], document["problem"]["status"]) == ("failed", 503)
    # The key is free: it takes even another body.
    assert lab.post({"n": "29-again"}, "key-29").status_code == 201


def test_a_late_answer_tells_of_a_composite_that_failed(lab: Any) -> None:
    accepted = lab.post({"n": 30, "refuse": "Unavailable"}, "key-30", "/pairs", prefer="respond-async")
    assert until_ended(lab, accepted.headers["figway-lineage"])["state"] == "unknown"
    # It goes on where it failed.
    lab.post({"n": 30, "refuse": "Unavailable"}, "key-30", "/pairs")
    assert [each["sku"] for each in lab.effects(30)] == ["one"]


def test_how_a_call_ended_that_was_answered_before_is_recorded_too(lab: Any) -> None:
    id = lab.post({"n": 23, "after": 0.3}, prefer="respond-async").json()["id"]
    until_ended(lab, id)
    until, told = time.monotonic() + 20, []
    while len(told) < 2:
        assert time.monotonic() < until, told
        kept = [each for each in records(lab.gateway.folder / ".figway" / "audit") if each["id"] == id]
        told = [each["status"] for each in kept if each["kind"] == "call"]
    assert told == [202, 201], lab.operation(id).json()
    assert [each["kind"] for each in kept].count("intent") == 1


def test_an_answer_in_time_is_given_at_once(lab: Any) -> None:
    assert lab.post({"n": 21}, prefer="respond-async, wait=10").status_code == 201
    assert lab.post({"n": 21, "after": 2}, prefer="wait=1, respond-async").status_code == 202


def test_an_operation_is_its_owners(lab: Any, running: Any) -> None:
    stranger = running.create_key(lab.gateway.folder, "writer", principal="otto")
    agent = running.create_key(lab.gateway.folder, "reader", principal="wendy", agent="bot")
    reader = lab.gateway.reader
    id = lab.post({"n": 22}, prefer="respond-async").json()["id"]
    until_ended(lab, id)
    assert [lab.operation(id, key).status_code for key in (agent, reader)] == [404, 404]
    assert lab.operation("01ARZ3NDEKTSV4RRFFQ69G5FAV").status_code == 404
    # The tests' policy permits writers everything, the gateway's permissions too: others' operations, not replies.
    seen = lab.operation(id, stranger).json()
    assert (seen["state"], seen["principal"]) == ("succeeded", "wendy")
    assert "reply" not in seen


def test_reads_know_no_key(lab: Any) -> None:
    with lab.gateway.client() as client:
        replies = [client.get("/items/a", headers={"idempotency-key": "x"}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert "figway-replayed" not in replies[1].headers


def test_while_writes_cant_be_kept_none_with_a_key_is_sent(lab: Any) -> None:
    with (lab.gateway.folder / ".figway" / "operations.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = lab.post({"n": 24}, "key-24")
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:figway:problem:state-unavailable")
        assert lab.post({"n": 25}).status_code == 201
    assert lab.effects(24) == []  # and the intent, which came too late, is taken back: the key is free
    until = time.monotonic() + 20
    while (reply := lab.post({"n": 24}, "key-24")).status_code != 201:
        assert (reply.status_code, time.monotonic() < until) == (409, True)
        time.sleep(0.05)
    assert len(lab.effects(24)) == 1
