"""Numbers spelt otherwise, where an upstream's configuration asks for it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Context
from adapters.errors import Invalid
from adapters.soap import SoapAdapter
from adapters.soap.decimals import decode_long, decode_number

Connect = Callable[..., SoapAdapter]
Within = Callable[[float], Context]
VALUES = {"decimal": "number", "long": "string"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.50", 1.5), ("-0", 0), ("12", 12), ("0.1", 0.1), ("9007199254740993", "9007199254740993"), ("+1.", 1),
     ("0.10000000000000000001", "0.10000000000000000001"), ("1" * 400, "1" * 400)],
)  # fmt: skip
def test_a_number_is_exact_or_text(text: str, value: Any) -> None:
    assert decode_number(text) == value
    assert type(decode_number(text)) is type(value)


@settings(deadline=None, database=None, derandomize=True)
@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_no_digit_is_lost(value: Decimal) -> None:
    given = decode_number(format(value, "f"))
    assert Decimal(given if isinstance(given, str) else repr(given)) == value


@settings(deadline=None, database=None, derandomize=True)
@given(st.integers())
def test_integers_of_any_length(value: int) -> None:
    assert decode_long(f" {value:+} ") == str(value)


async def test_a_reply_and_a_request_in_other_spellings(php: str, connect: Connect, within: Within, order: Any) -> None:
    adapter = connect(php, values=VALUES)
    found = (await adapter.invoke("GetOrder", {"OrderId": "7"}, within(20))).value
    assert (found["Order"]["Id"], found["Order"]["Total"]) == ("7", 19.8)
    assert found["Order"]["Lines"]["Line"][0]["Price"] == 9.9
    assert found["Order"]["Lines"]["Line"][0]["Quantity"] == "2"
    assert found["Order"]["@version"] == 3
    jsonschema_rs.validator_for(dict(adapter.operations()["GetOrder"].output)).validate(found)
    assert (await adapter.invoke("GetOrder", {"OrderId": 7}, within(20))).value["Order"]["Id"] == "7"
    answer = (await adapter.invoke("PutOrder", {"Order": {**order, "Id": str(2**62), "Total": 1.5}}, within(20))).value
    assert (answer["Order"]["Id"], answer["Order"]["Total"]) == (str(2**62), 1.5)


@pytest.mark.parametrize("value", ["", "1.5", "seven", "1e3", 1.5, None, "1" * 1001, str(2**63), -(2**63) - 1])
async def test_what_is_no_integer_never_leaves(value: Any, connect: Connect, within: Within) -> None:
    with pytest.raises(Invalid):
        await connect("http://127.0.0.1:1", values=VALUES).invoke("GetOrder", {"OrderId": value}, within(20))
