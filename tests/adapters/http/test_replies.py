"""What a reply means: decoded without loss, or the error that says truthfully what the caller may do."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.client import HttpReply
from adapters.contract import Effect
from adapters.errors import (
    AdapterError,
    BadReply,
    Conflict,
    DoNotRetry,
    FieldError,
    Invalid,
    Moved,
    NotFound,
    Refused,
    Retry,
    UnknownOutcome,
)
from adapters.http.media import Outcome
from adapters.http.replies import as_of, decoded, failure_of, value_of

STABLE = settings(max_examples=200, deadline=None, database=None)
TEXTS = Outcome(texts=frozenset({"text/plain"}))
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def failure(status: int, effect: Effect = Effect.READ, body: Any = None, **headers: str) -> AdapterError:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return failure_of(HttpReply(status, names, b"" if body is None else orjson.dumps(body)), effect)


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (301, DoNotRetry, DoNotRetry),
        (304, DoNotRetry, DoNotRetry),
        (400, Invalid, Invalid),
        (401, Refused, Refused),
        (403, Refused, Refused),
        (404, NotFound, NotFound),
        (405, DoNotRetry, DoNotRetry),
        (408, Retry, Retry),
        (409, Conflict, Conflict),
        (410, NotFound, NotFound),
        (412, Moved, Moved),
        (418, DoNotRetry, DoNotRetry),
        (422, Invalid, Invalid),
        (425, Retry, Retry),
        (429, Retry, Retry),
        (500, Retry, UnknownOutcome),
        (501, DoNotRetry, DoNotRetry),
        (502, Retry, UnknownOutcome),
        (503, Retry, UnknownOutcome),
        (504, Retry, UnknownOutcome),
        (599, Retry, UnknownOutcome),
    ],
)
def test_the_meaning_of_a_status(status: int, read: type[AdapterError], write: type[AdapterError]) -> None:
    assert type(failure(status)) is read
    assert type(failure(status, Effect.WRITE)) is write
    assert type(failure(status, Effect.IDEMPOTENT_WRITE)) is write
    assert str(status) in failure(status).detail


@pytest.mark.parametrize("effect", list(Effect))
def test_503_that_names_a_time_did_nothing(effect: Effect) -> None:
    error = failure(503, effect, retry_after="7")
    assert isinstance(error, Retry)
    assert error.retry_after == 7.0


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("0", 0, 0),
        ("30", 30, 30),
        ("999999999", 3600, 3600),
        (format_datetime(datetime.now(UTC) + timedelta(seconds=3000), usegmt=True), 2000, 3000),
        (format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True), 0, 0),
    ],
    ids=["now", "seconds", "too-long", "a-time-to-come", "a-time-past"],
)
def test_retry_after(text: str, least: float, most: float) -> None:
    error = failure(429, retry_after=text)
    assert isinstance(error, Retry)
    assert error.retry_after is not None
    assert least <= error.retry_after <= most


@STABLE
@given(text=st.text(max_size=40))
def test_any_retry_after_is_read_or_left(text: str) -> None:
    error = failure(429, retry_after=text)
    assert isinstance(error, Retry)
    assert error.retry_after is None or 0 <= error.retry_after <= 3600


def test_the_members_at_fault_are_carried_over() -> None:
    problem = {"title": "x", "errors": [{"pointer": "#/age", "detail": "must be positive"}, {"detail": "also\nbad"}, 5]}
    error = failure(422, body=problem)
    assert isinstance(error, Invalid)
    assert error.errors == (FieldError("/age", "must be positive"), FieldError("", "also bad"))
    fastapi = {"detail": [{"loc": ["body", "address", "a/b", 0], "msg": "Field required", "input": {"secret": 1}}]}
    error = failure(422, body=fastapi)
    assert isinstance(error, Invalid)
    assert error.errors == (FieldError("/address/a~1b/0", "Field required"),)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@STABLE
@given(document=JSON, name=st.sampled_from(["errors", "detail"]))
def test_any_body_of_an_error_is_survived(document: Any, name: str) -> None:
    for body in (document, {name: document}, {name: [document]}, {name: [{"loc": document, "pointer": document}]}):
        error = failure(400, body=body)
        assert isinstance(error, Invalid)
        assert all(each.pointer[:1] in ("", "/") and len(each.message) <= 200 for each in error.errors)


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────


@STABLE
@given(document=JSON)
def test_json_comes_back_as_it_was(document: Any) -> None:
    body = orjson.dumps(document)
    expected = orjson.loads(body)
    assert decoded(body) == expected


@STABLE
@given(number=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**18), max_value=10**18))
def test_a_number_never_loses_a_digit(number: Decimal) -> None:
    value = decoded(f'{{"n": {number:f}}}'.encode())["n"]
    assert isinstance(value, (int, float, str))
    assert Decimal(repr(value) if isinstance(value, float) else value) == number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.30", 12.3),
        ("0.1", 0.1),
        ("123456789012345678", 123456789012345678),
        ("9007199254740993", 9007199254740993),
        ("12345678901234567890123", "12345678901234567890123"),
        ("3.141592653589793238462", "3.141592653589793238462"),
        ("12345678901234567.89", "12345678901234567.89"),
        ('"12345678901234567890123"', "12345678901234567890123"),
    ],
)
def test_numbers(text: str, value: Any) -> None:
    assert decoded(text.encode()) == value


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b"[Infinity]", b"1e999", b"\xff", b"<html>", b"[" * 5000, b'"\\ud800"']
)
def test_what_is_no_json_is_a_bad_reply(body: bytes) -> None:
    with pytest.raises(BadReply):
        decoded(body)


async def test_a_body_of_another_kind_is_a_bad_reply() -> None:
    for media in ("text/html; charset=utf-8", "text/plain", "application/xml"):
        with pytest.raises(BadReply):
            await value_of(HttpReply(200, {"content-type": media}, b"1"), Effect.READ)


@pytest.mark.parametrize("media", ["application/json", "Application/JSON; charset=utf-8", "application/hal+json", None])
async def test_json_by_any_of_its_names(media: str | None) -> None:
    headers = {"content-type": media} if media else {}
    assert await value_of(HttpReply(201, headers, b'{"a": 1}'), Effect.WRITE) == {"a": 1}


async def test_no_body_is_null_and_a_big_one_is_the_same() -> None:
    assert await value_of(HttpReply(204, {}, b""), Effect.WRITE) is None
    rows = [{"id": index, "text": "x" * 50} for index in range(5000)]
    assert await value_of(HttpReply(200, {}, json.dumps(rows).encode()), Effect.READ) == rows


@pytest.mark.parametrize(
    ("age", "seconds"), [("30", 30), ("0", 0), ("", 0), ("-5", 0), ("abc", 0), ("²", 0), ("9" * 400, 0)]
)
def test_as_of_is_the_age_of_the_reply(age: str, seconds: int) -> None:
    assert as_of(HttpReply(200, {"age": age}, b""), NOW) == NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "charset",
    ["=undefined", "=punycode", "=idna", "=unicode_escape", "=rot13", "*=us-ascii''a%00b", "*0*=a%00b''x"],
)
async def test_a_charset_that_is_none_is_a_bad_reply(charset: str) -> None:
    # Python's codecs of these names fail in their own ways, or take minutes for a megabyte.
    body = b"xn--" + b"zz9" * 400_000
    with pytest.raises(BadReply, match="charset"):
        await value_of(HttpReply(200, {"content-type": f"text/plain; charset{charset}"}, body), Effect.READ, TEXTS)


async def test_a_large_text_is_read_on_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    thread = asyncio.to_thread

    async def noted(work: Any, *given: Any) -> Any:
        asked.append(work.__name__)
        return await thread(work, *given)

    monkeypatch.setattr(asyncio, "to_thread", noted)
    for count in (10, 1_000_000):
        reply = HttpReply(200, {"content-type": "text/plain"}, b"a" * count)
        assert await value_of(reply, Effect.READ, TEXTS) == "a" * count
    assert asked == ["_text"]
