"""A body has one meaning, and bounds: what JSON leaves open is refused, with its place."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import BadReply
from adapters.http.replies import decoded
from gateway.errors import BadRequest
from gateway.filters.json_body import MOST_DEPTH, MOST_PARTS, json_body

WHOLE = st.integers(-(2**63), 2**64 - 1)
LEAVES = st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_any_value_is_read_however_it_is_written(value: Any, escaped: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=indent)
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return
    try:
        expected = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return
    assert json_body(raw) == expected


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES, min_size=1), st.data())
def test_a_member_that_stands_twice_is_found(members: dict[str, Any], data: st.DataObject) -> None:
    twice = data.draw(st.sampled_from(sorted(members)))
    pairs = [*members.items(), (twice, data.draw(VALUES))]
    spelt = [f"{json.dumps(name, ensure_ascii=data.draw(st.booleans()))} : {json.dumps(each)}" for name, each in pairs]
    inner = f"{{{','.join(data.draw(st.permutations(spelt)))}}}"
    with pytest.raises(BadRequest):
        json_body(data.draw(st.sampled_from([inner, f"[{inner}]", f'{{"a":{inner}}}'])).encode("utf-8", "replace"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1, "\\u0061": 2}', "line 1, column 10"),
        ('{"a": ":",\n "b": {"c": 1, "c": 2}}', "line 2, column 16"),
        ("[NaN]", "line 1, column 2"),
        ("[-Infinity]", "line 1, column"),
        ("[1e400]", "line 1, column 2"),
        ("[18446744073709551616]", "line 1, column 2"),
        ("[1,\n-9223372036854775809]", "line 2, column 1"),
        ("[0." + "1" * 70 + "]", "line 1, column 2"),
    ],
)
def test_what_is_refused_is_told_its_place_and_not_echoed(text: str, place: str) -> None:
    with pytest.raises(BadRequest) as refused:
        json_body(text.encode())
    assert place in refused.value.detail
    assert "1111" not in refused.value.detail


def test_bounds_are_exact() -> None:
    for bracket in ((b"[", b"]"), (b'{"a":', b"}")):
        json_body(bracket[0] * MOST_DEPTH + b"1" + bracket[1] * MOST_DEPTH)
        with pytest.raises(BadRequest, match="levels"):
            json_body(bracket[0] * (MOST_DEPTH + 1) + b"1" + bracket[1] * (MOST_DEPTH + 1))
    json_body(b"[" + b"1," * (MOST_PARTS - 1) + b"1]")
    with pytest.raises(BadRequest, match="members and items"):
        json_body(b"[" + b"1," * MOST_PARTS + b"1]")
    wide = b"[" + b"[1]," * 200 + b'"' + b"[{," * MOST_PARTS + b'"]'
    assert json_body(wide)[0] == [1]


def test_digits_in_a_text_are_no_number() -> None:
    assert json_body(b'{"iban": "00000000000000000000000000000", "n": 1}') == {"iban": "0" * 29, "n": 1}


def test_an_upstreams_reply_has_a_depth_too() -> None:
    assert decoded(b"[" * 128 + b"]" * 128)
    for depth in (129, 900, 5000):
        with pytest.raises(BadReply):
            decoded(b"[" * depth + b"]" * depth)
