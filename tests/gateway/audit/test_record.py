"""A record says what is known of a call, whatever is in it."""

from __future__ import annotations

from datetime import datetime

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.record import Record, encode, record_of
from gateway.call import Call, Principal, UpstreamCall

ANY_TEXT = st.text(alphabet=st.characters())


def _call() -> Call:
    call = Call("01J", "get_customer", 3, "GET", "/customers/7?x=1", 0.0, "00-aa-bb-01", {"id": "7"})
    call.principal = Principal("ann", "bot", ("reader",), "acme", "key:abc")
    call.decision, call.policies = "allow", ("policy0",)
    call.upstream_calls = [UpstreamCall("crm", "GetCustomer", 0.0031234567, "ok")]
    return call


def test_a_call_is_spelt_out() -> None:
    record = record_of(
        _call(), time=1_700_000_000.5, seconds=0.0042, status=200, route="/customers/{id}", effect="read",
        served_by="legacy", request_bytes=0, reply_bytes=321,
    )  # fmt: skip
    assert orjson.loads(encode(record)) == {
        "id": "01J",
        "time": "2023-11-14T22:13:20.500000Z",
        "method": "GET",
        "route": "/customers/{id}",
        "status": 200,
        "seconds": 0.0042,
        "operation": "get_customer",
        "effect": "read",
        "principal": "ann",
        "agent": "bot",
        "tenant": "acme",
        "credential": "key:abc",
        "decision": "allow",
        "policies": ["policy0"],
        "upstream_calls": [{"upstream": "crm", "operation": "GetCustomer", "seconds": 0.003123, "outcome": "ok"}],
        "served_by": "legacy",
        "problem": None,
        "request_bytes": 0,
        "reply_bytes": 321,
        "snapshot": 3,
        "traceparent": "00-aa-bb-01",
    }


def test_a_record_stays_as_it_was_when_the_call_goes_on() -> None:
    call = _call()
    record = record_of(call, time=1.0, seconds=0.1, status=200, route="/", effect="read")
    call.upstream_calls.append(UpstreamCall("erp", "GetStock", 1.0, "ok"))
    assert [each.upstream for each in record.upstream_calls] == ["crm"]


def test_a_call_of_nobody_says_so() -> None:
    call = _call()
    call.principal = None
    document = orjson.loads(encode(record_of(call, time=1.0, seconds=0.1, status=401, route="/", effect="read")))
    assert (document["principal"], document["agent"], document["credential"]) == ("", None, "")


@settings(deadline=None, max_examples=200, database=None)
@given(
    texts=st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT),
    policies=st.lists(ANY_TEXT, max_size=3),
    size=st.integers(),
    time=st.floats(0, 4e9),
)
def test_any_text_and_number_can_be_kept(
    texts: tuple[str, str, str, str], policies: list[str], size: int, time: float
) -> None:
    id, route, principal, outcome = texts
    calls = (UpstreamCall("crm", "Get", 0.1, outcome),)
    record = Record(
        id, time, "GET", route, 200, 0.1,
        principal=principal, policies=tuple(policies), upstream_calls=calls, reply_bytes=size,
    )  # fmt: skip
    document = orjson.loads(encode(record))
    assert abs(datetime.fromisoformat(document["time"]).timestamp() - time) < 1e-3
    try:
        whole = "".join((*texts, *policies)).encode() == b"" or -(2**53) < size < 2**53
    except UnicodeEncodeError:
        whole = False
    if whole:
        assert (document["id"], document["route"], document["principal"]) == (id, route, principal)
        assert document["policies"] == policies
