"""The syntax of keys, and what counts as the same request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.call import Call
from gateway.errors import BadRequest
from gateway.filters.fingerprint import fingerprint
from gateway.filters.idempotency import MOST_KEY, key_of

SHOWN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=MOST_KEY)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=8,
)


def _call(**members: Any) -> Call:
    return Call("id", "op", 1, "POST", "/", 0.0, "", **{"path": {}, **members})


@settings(database=None, deadline=None)
@given(SHOWN)
def test_any_text_of_ascii_can_be_quoted(text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert key_of(quoted.encode()) == text.encode()


@settings(database=None, deadline=None, max_examples=300)
@given(st.binary(max_size=300) | st.text('"\\a, ;', max_size=8).map(str.encode))
def test_whatever_comes_is_a_key_or_refused(header: bytes) -> None:
    try:
        key = key_of(header)
    except BadRequest:
        return
    assert 0 < len(key) <= MOST_KEY
    assert all(0x20 <= byte <= 0x7E for byte in key)


@pytest.mark.parametrize("header", [b"8e03978e-40d5-43dd-bc93-6894a57f9324", b"a", b"A/b+c=_.~!", b"x" * 255])
def test_bare_keys_are_taken_as_they_are(header: bytes) -> None:
    assert key_of(header) == header


@pytest.mark.parametrize(
    "header", [b"", b'"', b'""', b"a b", b"a,b", b"a;b", b'a"', b'"a"b', b'"\\x"', b"\xff", b"x" * 256]
)
def test_what_is_no_key_is_refused(header: bytes) -> None:
    with pytest.raises(BadRequest, match="Idempotency-Key"):
        key_of(header)


@settings(database=None, deadline=None, max_examples=30)
@given(st.dictionaries(st.text(), JSON))
def test_the_order_of_members_doesnt_count(body: dict[str, Any]) -> None:
    turned = dict(reversed(body.items()))
    assert fingerprint(_call(body=body)) == fingerprint(_call(body=turned))


@settings(database=None, deadline=None, max_examples=50)
@given(JSON, JSON)
def test_other_bodies_have_other_fingerprints(one: Any, other: Any) -> None:
    # repr tells 1 from True and from 1.0, as JSON does.
    same = repr(one) == repr(other)
    assert same <= (fingerprint(_call(body=one)) == fingerprint(_call(body=other)))
    if one != other:
        assert fingerprint(_call(body=one)) != fingerprint(_call(body=other))


def test_every_part_of_a_request_counts_but_how_it_is_to_be_done() -> None:
    calls = [
        _call(),
        _call(path={"a": 1}),
        _call(query={"a": 1}),
        _call(header={"If-Match": "1"}),
        _call(body={"a": 1}),
        _call(body=object()),
    ]
    assert len({fingerprint(call) for call in calls}) == len(calls)
    assert fingerprint(_call(header={"Prefer": "wait=1", "Idempotency-Key": "k"})) == fingerprint(_call())
