"""A record says what is known of a call, whatever is in it, and of its arguments what the policy lets it say."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Source
from gateway.audit.arguments import Hasher, Keeps, Rules
from gateway.audit.record import Record, Unsealed, encode, intent_of, record_of
from gateway.call import Call, Principal, UpstreamCall

ANY_TEXT = st.text(alphabet=st.characters())
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
SECRET = b"h" * 32
HASHER = Hasher("h1", SECRET)


def _hash(raw: bytes) -> str:
    return hmac.digest(SECRET, raw, "sha256")[:16].hex()


def _call(**changed: Any) -> Call:
    call = Call("01J", "get_customer", 3, "GET", "/customers/7?x=1", 0.0, "00-aa-bb-01", {"id": "7"})
    call.principal = Principal("ann", "bot", ("reader",), "acme", "key:abc")
    call.decision, call.policies = "allow", ("policy0",)
    source = Source("crm", "Customer", "7", (0, 9), datetime(2026, 3, 1, tzinfo=UTC))
    call.upstream_calls = [UpstreamCall("crm", "GetCustomer", 0.0031234567, "ok", (source,))]
    call.keeps = Keeps(Rules(), HASHER)
    for name, value in changed.items():
        setattr(call, name, value)
    return call


def _spelt(call: Call, status: int = 200, problem: str | None = None) -> dict[str, Any]:
    entry = record_of(
        call, time=1_700_000_000.5, seconds=0.0042, status=status, route="/customers/{id}", effect="read",
        served_by="legacy", problem=problem, request_bytes=0, reply_bytes=321,
    )  # fmt: skip
    document: dict[str, Any] = entry.members if isinstance(entry, Unsealed) else orjson.loads(entry)
    return document


def test_a_call_is_spelt_out() -> None:
    assert _spelt(_call()) == {
        "kind": "call",
        "id": "01J",
        "time": "2023-11-14T22:13:20.500000Z",
        "method": "GET",
        "route": "/customers/{id}",
        "operation": "get_customer",
        "effect": "read",
        "principal": "ann",
        "agent": "bot",
        "tenant": "acme",
        "credential": "key:abc",
        "snapshot": 3,
        "traceparent": "00-aa-bb-01",
        "decision": "allow",
        "policies": ["policy0"],
        "status": 200,
        "seconds": 0.0042,
        "outcome": "ok",
        "problem": None,
        "upstream_calls": [
            {
                "upstream": "crm",
                "operation": "GetCustomer",
                "seconds": 0.003123,
                "outcome": "ok",
                "sources": [
                    {
                        "system": "crm",
                        "object": "Customer",
                        "key": f"hmac:{_hash(b'7')}",
                        "span": [0, 9],
                        "as_of": "2026-03-01T00:00:00Z",
                    }
                ],
            }
        ],
        "served_by": "legacy",
        "request_bytes": 0,
        "reply_bytes": 321,
        "arguments": {"key": "h1", "hashed": {"path.id": _hash(b"7")}},
    }


@pytest.mark.parametrize(
    ("status", "problem", "outcome"),
    [
        (201, None, "ok"),
        (304, None, "ok"),
        (401, "unauthenticated", "denied"),
        (403, "forbidden", "denied"),
        (404, "not-found", "failed"),
        (504, "unknown-outcome", "unknown"),
        (504, "deadline-exceeded", "failed"),
    ],
)
def test_how_a_call_ended_in_a_word(status: int, problem: str | None, outcome: str) -> None:
    assert _spelt(_call(), status, problem)["outcome"] == outcome


def test_what_only_some_calls_have() -> None:
    who = Principal("ann", "bot", issuer="https://id.example", delegation=("bot", "boss-bot"))
    headers = {b"idempotency-key": b"k-1"}
    call = _call(
        principal=who, peer="10.0.0.7", raw_headers=headers, noted={"operation_id": "op-1"}, trial=("new:deny",)
    )
    record = _spelt(call)
    assert record["issuer"] == "https://id.example"
    assert record["delegation"] == ["bot", "boss-bot"]
    assert record["peer"] == "10.0.0.7"
    assert record["noted"] == {"operation_id": "op-1"}
    assert record["trial"] == ["new:deny"]
    assert record["idempotency_key"] == _hash(b"k-1")


def test_an_intent_says_what_is_about_to_be_done() -> None:
    call = _call(body={"email": "a@example.com"})
    record = orjson.loads(intent_of(call, route="/customers/{id}", effect="write", keeps=call.keeps))  # type: ignore[arg-type]
    assert (record["kind"], record["id"], record["effect"]) == ("intent", "01J", "write")
    assert set(record["arguments"]["hashed"]) == {"path.id", "body"}
    assert not {"status", "outcome", "upstream_calls"} & set(record)


def test_a_call_of_nobody_on_no_route_says_so() -> None:
    record = _spelt(_call(principal=None, keeps=None), 401)
    assert (record["principal"], record["agent"], record["credential"]) == ("", None, "")
    assert "arguments" not in record


def test_only_so_many_sources_are_kept() -> None:
    sources = tuple(Source("erp", "stock", str(number)) for number in range(40))
    calls = [UpstreamCall("erp", "list", 0.1, "ok", sources) for _ in range(3)]
    record = _spelt(_call(upstream_calls=calls))
    assert [len(each["sources"]) for each in record["upstream_calls"]] == [40, 24, 0]
    assert [each.get("more_sources") for each in record["upstream_calls"]] == [None, 16, 40]


# ── arguments ────────────────────────────────────────────────────────────────────────────────────────────────────

ARGUMENTS = {
    "path": {"id": 7},
    "query": {"q": "x"},
    "header": {"X-Case": "c"},
    "body": {"email": "a@example.com", "pin": "1234", "home": {"city": "Bonn", "zip": "53111"}},
}


def _arguments(rules: Rules, **changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = _spelt(_call(keeps=Keeps(rules, HASHER), **{**ARGUMENTS, **changed}))["arguments"]
    return found


def test_by_default_no_value_is_kept() -> None:
    found = _arguments(Rules())
    body = b'{"email":"a@example.com","home":{"city":"Bonn","zip":"53111"},"pin":"1234"}'
    assert found == {
        "key": "h1",
        "hashed": {
            "path.id": _hash(b"7"),
            "query.q": _hash(b"x"),
            "header.X-Case": _hash(b"c"),
            "body": _hash(body),
        },
    }


def test_a_denied_call_is_known_by_its_arguments_as_received() -> None:
    found = _arguments(Rules(), path={"id": "7"}, query={}, header={}, body=None, raw_query=b"q=x")
    assert found["hashed"] == {"path.id": _hash(b"7"), "query": _hash(b"q=x")}


def test_a_policy_keeps_and_redacts_by_name() -> None:
    rules = Rules(kept=frozenset({"path.id", "body.home.city"}), redacted=frozenset({"body.pin", "query.q"}))
    found = _arguments(rules)
    assert found["kept"] == {"path.id": 7, "body.home.city": "Bonn"}
    assert sorted(found["redacted"]) == ["body.pin", "query.q"]
    # The hash of the whole body must not betray what is redacted, nor repeat what is kept.
    rest = b'{"email":"a@example.com","home":{"zip":"53111"}}'
    assert found["hashed"] == {"header.X-Case": _hash(b"c"), "body": _hash(rest)}


def test_a_value_that_is_too_long_is_hashed_instead_of_kept() -> None:
    found = _arguments(Rules(kept=frozenset({"body.note"})), body={"note": "x" * 5000})
    assert "kept" not in found
    assert found["hashed"]["body.note"] == _hash(b"x" * 5000)


@pytest.mark.parametrize(("how", "key"), [("keep", "7"), ("hash", f"hmac:{_hash(b'7')}"), ("redact", None)])
def test_source_keys_are_kept_as_the_policy_says(how: Any, key: str | None) -> None:
    record = _spelt(_call(keeps=Keeps(Rules(source_keys=how), HASHER)))
    assert record["upstream_calls"][0]["sources"][0].get("key") == key


def test_what_is_sealed_is_in_no_other_member() -> None:
    rules = Rules(subject="path.id", sealed=frozenset({"body.email"}), source_keys="keep")
    call = _call(keeps=Keeps(rules, HASHER), **ARGUMENTS)
    entry = record_of(call, time=1.0, seconds=0.1, status=200, route="/", effect="write")
    assert isinstance(entry, Unsealed)
    assert entry.sealed.subject == "7"
    assert entry.sealed.kept == {"body.email": "a@example.com"}
    assert entry.sealed.source_keys == ["7"]
    assert b"a@example.com" not in orjson.dumps(entry.members)
    assert entry.members["upstream_calls"][0]["sources"][0]["key"].startswith("hmac:")


def test_without_a_subject_nothing_is_kept_of_a_person() -> None:
    rules = Rules(subject="body.owner", sealed=frozenset({"body.email"}))
    found = _arguments(rules)
    assert "kept" not in found
    assert "body.email" in found["hashed"]


@settings(deadline=None, max_examples=150, database=None)
@given(value=ANY_JSON)
def test_any_value_has_a_hash_that_depends_on_it_and_the_key(value: Any) -> None:
    assert HASHER(value) == Hasher("h2", SECRET)(value)
    assert HASHER(value) != Hasher("h1", b"x" * 32)(value)


# ── whatever is in it ────────────────────────────────────────────────────────────────────────────────────────────


@settings(deadline=None, max_examples=200, database=None)
@given(
    texts=st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT),
    policies=st.lists(ANY_TEXT, max_size=3),
    size=st.integers(),
    time=st.floats(0, 4e9),
    body=ANY_JSON,
)
def test_any_text_and_number_can_be_kept(
    texts: tuple[str, str, str, str], policies: list[str], size: int, time: float, body: Any
) -> None:
    id, route, principal, outcome = texts
    calls = (UpstreamCall("crm", "Get", 0.1, outcome),)
    control = Record(
        id, time, "GET", route, 200, 0.1,
        principal=principal, policies=tuple(policies), upstream_calls=calls, reply_bytes=size,
    )  # fmt: skip
    call = _call(id=id, principal=Principal(principal), upstream_calls=list(calls), body={"x": body})
    call.policies, call.keeps = tuple(policies), Keeps(Rules(kept=frozenset({"body.x"})), HASHER)
    line = record_of(call, time=time, seconds=0.1, status=200, route=route, effect="read", reply_bytes=size)
    assert isinstance(line, bytes)
    for written in (encode(control), line):
        assert b"\n" not in written
        document = orjson.loads(written)
        assert abs(datetime.fromisoformat(document["time"]).timestamp() - time) < 1e-3
        if _is_plain(texts, policies, size, body):
            assert (document["id"], document["route"], document["principal"]) == (id, route, principal)
            assert document["policies"] == policies


def _is_plain(texts: tuple[str, ...], policies: list[str], size: int, body: Any) -> bool:
    try:
        return orjson.dumps([texts, policies, size, body]) is not None
    except orjson.JSONEncodeError:
        return False


def test_a_control_action_is_spelt_out() -> None:
    record = Record("01J", 1_700_000_000.0, "", "key:ab", 0, 0.0, "key_create", "write", principal="host:root")
    document = orjson.loads(encode(replace(record)))
    assert (document["kind"], document["operation"], document["route"]) == ("control", "key_create", "key:ab")
    assert document["outcome"] == "ok"
