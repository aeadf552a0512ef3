"""Hidden values: equal hashes for what means the same, other hashes for all else, nothing to read, and honest doubt."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.migration.compare.comparer import compile_parity
from gateway.migration.compare.model import Comparison, Observed
from gateway.migration.compare.redact import Redactor
from gateway.migration.compare.values import Form, difference
from gateway.migration.recording.blind import Blind, blinded, judged, token
from gateway.routing.parity_schema import ParityModel

KEY = b"k" * 32
OTHER = b"o" * 32
TODAY = date(2026, 11, 21)
ABOUT = {"owner": "team", "expires": "2099-12-31"}
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "balance": {"type": "string", "format": "decimal"},
        "at": {"type": "string", "format": "date-time"},
        "status": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "level": {"type": "integer"},
    },
}

_DECIMALS = st.decimals(-1000, 1000, places=2).map(str)
_INSTANTS = st.builds(
    lambda at, hours: at.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=hours))).isoformat(),
    st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(microsecond=0)),
    st.integers(-11, 11),
)
_TEXTS = st.sampled_from(
    ["a", "A", "a ", "1.10", "1.1", "1.100", "5", "5.0", "05", "YQ==", "YQ", "-0.0", "0", "é", "~"]
)
_VALUES = st.one_of(
    _DECIMALS, _INSTANTS, _TEXTS, st.text(max_size=5), st.booleans(), st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1.0, -0.0, 10**23, 1e23, 2**63]),
)  # fmt: skip
_FORMS: st.SearchStrategy[Form] = st.sampled_from(["guess", "text", "decimal", "instant", "bytes"])


def _same(value: Any) -> st.SearchStrategy[Any]:
    """Another spelling of a value, or the value itself."""
    spelt = [value]
    if isinstance(value, str) and value.replace(".", "", 1).replace("-", "", 1).isdigit() and "." in value:
        spelt.append(str(Decimal(value).normalize()) if "E" not in str(Decimal(value).normalize()) else value)
    if isinstance(value, int) and not isinstance(value, bool):
        spelt.append(float(value))
    return st.sampled_from(spelt)


@given(st.tuples(_VALUES, _VALUES) | _VALUES.flatmap(lambda each: st.tuples(st.just(each), _same(each))), _FORMS)
def test_hashes_are_equal_exactly_where_values_mean_the_same(pair: tuple[Any, Any], form: Form) -> None:
    one, other = pair
    if "" in pair:
        return  # which isn't hidden
    alike = difference(one, other, form) is None
    assert (token(one, form, KEY) == token(other, form, KEY)) == alike


@given(_VALUES, _FORMS)
def test_another_key_makes_another_hash(value: Any, form: Form) -> None:
    assert token(value, form, KEY) != token(value, form, OTHER)


def _compare(parity: dict[str, Any], legacy: Any, replacement: Any) -> tuple[Comparison, bytes]:
    model = ParityModel.model_validate({**ABOUT, **parity})
    hidden = blinded(model, KEY)
    comparer = compile_parity(hidden, SCHEMA, TODAY)
    blind = Blind(comparer, Redactor(model.samples), KEY)
    kept = blind.reply(Observed(200, legacy))
    return judged(comparer.compare(kept, blind.reply(Observed(200, replacement))), hidden), orjson.dumps(kept.body)


KEPT = {"keep": ["/balance"]}
BODY = {"name": "Ann Other", "balance": "1.10", "at": "2026-11-21T10:00:00Z", "status": "ACTIVE", "tags": ["x", "y"]}


@pytest.mark.parametrize(
    ("parity", "change", "verdict"),
    [
        ({}, {}, "match"),
        ({}, {"balance": "1.1", "at": "2026-11-21T11:00:00+01:00"}, "match"),
        ({}, {"name": "Ann  Other"}, "mismatch"),
        ({}, {"name": None}, "mismatch"),
        ({}, {"tags": ["y", "x"]}, "mismatch"),
        ({"unordered": ["/tags"]}, {"tags": ["y", "x"]}, "tolerated"),
        ({"unordered": ["/tags"]}, {"tags": ["y", "z"]}, "mismatch"),
        ({"ignore": ["/name"]}, {"name": "Bob"}, "tolerated"),
        ({"enum_map": {"/status": {"ACTIVE": "active"}}}, {"status": "active"}, "tolerated"),
        ({"enum_map": {"/status": {"ACTIVE": "active"}}}, {"status": "gone"}, "mismatch"),
        ({"tolerance": {"/balance": {"abs": "0.01"}}}, {"balance": "1.11"}, "incomparable"),
        ({"tolerance": {"/balance": {"abs": "0.01"}}}, {"balance": "1.11", "name": "Bob"}, "mismatch"),
        ({"tolerance": {"/balance": {"abs": "0.01"}}, "samples": KEPT}, {"balance": "1.11"}, "tolerated"),
        ({"samples": KEPT}, {"balance": "1.11"}, "mismatch"),
        ({"samples": {"redact": ["/name"]}}, {"name": "Bob"}, "match"),
        ({"null_is_absent": ["/level"]}, {"level": None}, "tolerated"),
    ],
    ids=range(16),
)  # fmt: skip
def test_the_rules_hold_for_hidden_values(parity: Any, change: Any, verdict: str) -> None:
    comparison, kept = _compare(parity, BODY, {**BODY, **change})
    assert comparison.verdict == verdict
    assert b"Ann" not in kept


def test_what_is_redacted_does_not_count_as_compared() -> None:
    comparison, _ = _compare({"samples": {"redact": ["/name"]}}, BODY, BODY)
    assert (comparison.fields, comparison.covered) == (6, 5)


def test_nothing_but_places_is_kept_of_a_problem() -> None:
    blind = Blind(compile_parity(ParityModel(), SCHEMA, TODAY), Redactor(ParityModel().samples), KEY)
    body = {"detail": "Ann is gone", "errors": [{"pointer": "/name", "detail": "Ann"}], "instance": "x"}
    assert blind.reply(Observed(422, body, "rejected")).body == {"errors": [{"pointer": "/name"}]}
