"""One HTTP reply from another, and one fault from another, without anything of a server's insides getting out."""

from __future__ import annotations

from typing import Any

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
    Invalid,
    NotFound,
    Refused,
    Retry,
    UnknownOutcome,
)
from adapters.soap.faults import Detail, error_of, shown
from adapters.soap.reply import Caller, Fault, body_of

READ = Caller("crm", Effect.READ, True)
WRITE = Caller("crm", Effect.WRITE, True)
ONE_WAY = Caller("crm", Effect.WRITE, False)
S11 = "http://schemas.xmlsoap.org/soap/envelope/"
S12 = "http://www.w3.org/2003/05/soap-envelope"
PAGE = b"<!DOCTYPE html><html><body>down</body></html>"


def _reply(status: int, body: bytes = b"", **headers: str) -> HttpReply:
    return HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("reply", "caller", "error", "part"),
    [
        (_reply(500), READ, Retry, "an empty body"),
        (_reply(500), WRITE, UnknownOutcome, "isn't known"),
        (_reply(500, PAGE, content_type="text/html"), READ, Retry, "isn't SOAP"),
        (_reply(502, PAGE), WRITE, UnknownOutcome, "HTTP 502"),
        (_reply(503, PAGE, content_type="text/html"), READ, Retry, "not taking calls"),
        (_reply(503, PAGE, content_type="text/html"), WRITE, UnknownOutcome, "not taking calls"),
        (_reply(503, PAGE, retry_after="5"), WRITE, Retry, "not taking calls"),
        (_reply(429), WRITE, Retry, "HTTP 429"),
        (_reply(401, PAGE), READ, Refused, "HTTP 401"),
        (_reply(403), READ, Refused, "HTTP 403"),
        (_reply(404, PAGE), READ, BadReply, "HTTP 404"),
        (_reply(301), READ, BadReply, "redirect"),
        (_reply(200), READ, BadReply, "an empty body"),
        (_reply(200, PAGE, content_type="text/html"), READ, BadReply, "isn't SOAP"),
        (_reply(200, b"hello", content_type="text/plain"), READ, BadReply, "isn't SOAP"),
        (_reply(200, b'{"a": 1}', content_type="application/json"), READ, BadReply, "isn't SOAP"),
        (_reply(200, b"<other/>"), READ, BadReply, "isn't SOAP"),
        (_reply(200, b"<e:Envelope xmlns:e='x"), READ, BadReply, "cut off"),
        (
            _reply(200, b"<a/>", content_type="text/xml; charset*=us-ascii''a%00b"),
            READ,
            BadReply,
            "well-formed|cut off",
        ),
        (_reply(200, b"<a/>", content_type="text/xml; charset*0*=a%00b''x"), READ, BadReply, "well-formed|cut off"),
        (_reply(500, b"<a/>", content_type="text/xml; charset*=us-ascii''a%00b"), READ, Retry, "isn't SOAP"),
        (_reply(200, b"<e:Envelope><x></e:Envelope>"), READ, BadReply, "well-formed"),
        (_reply(200, b"--x", content_type="multipart/related; boundary=x"), READ, BadReply, "isn't SOAP"),
        (_reply(200, f'<e:Envelope xmlns:e="{S11}"/>'.encode()), READ, BadReply, "without a body"),
        (_reply(202), WRITE, UnknownOutcome, "no answer"),
        (_reply(500, f'<e:Envelope xmlns:e="{S11}"><e:Body/></e:Envelope>'.encode()), READ, Retry, "isn't a fault"),
    ],
)
def test_replies(reply: HttpReply, caller: Caller, error: type[AdapterError], part: str) -> None:
    with pytest.raises(error, match=part) as caught:
        body_of(reply, caller)
    assert type(caught.value) is error


@pytest.mark.parametrize("status", [200, 202, 204])
def test_one_way_calls_need_no_answer(status: int) -> None:
    assert body_of(_reply(status), ONE_WAY) == []


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("7", 7.0),
        ("99999999", 3600.0),
        ("soon", None),
        ("-1", None),
        ("5 ", 5.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after(given: str, read: float | None) -> None:
    with pytest.raises(Retry) as caught:
        body_of(_reply(503, retry_after=given), READ)
    assert caught.value.retry_after == read


@pytest.mark.parametrize("envelope", [S11, S12])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_both_shapes_whatever_the_envelope(envelope: str, status: int) -> None:
    old = "<faultcode>x:Client.Sub</faultcode><faultstring>why</faultstring><detail><a/><b/></detail>"
    new = (
        "<e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value>x:Sub</e:Value></e:Subcode></e:Code>"
        "<e:Reason><e:Text>why</e:Text></e:Reason><e:Detail><a/><b/></e:Detail>"
    )
    for parts, code in ((old, "Client"), (new, "Sender")):
        body = f'<e:Envelope xmlns:e="{envelope}"><e:Body><e:Fault>{parts}</e:Fault></e:Body></e:Envelope>'
        with pytest.raises(Fault) as caught:
            body_of(_reply(status, body.encode(), content_type="text/html"), READ)
        fault = caught.value
        assert (fault.code, fault.subcodes, fault.text, fault.status, fault.client) == (
            code,
            ("Sub",),
            "why",
            status,
            True,
        )
        assert [node.tag for node in fault.detail] == ["a", "b"]


@pytest.mark.parametrize("parts", ["", "<faultcode/>", "<e:Code/>", "<e:Reason/>", "<detail>text</detail>"])
def test_poor_faults_are_faults(parts: str) -> None:
    body = f'<e:Envelope xmlns:e="{S11}"><e:Body><e:Fault>{parts}</e:Fault></e:Body></e:Envelope>'
    with pytest.raises(Fault):
        body_of(_reply(500, body.encode()), READ)


def _error(code: str, *names: str, text: str = "", caller: Caller = READ, known: Any = None) -> AdapterError:
    fault = Fault(code, (), text, (), 500)
    return error_of(fault, caller, known or {}, Detail(names, None))


@pytest.mark.parametrize(
    ("code", "names", "error"),
    [
        ("Client", [], Invalid),
        ("Sender", [], Invalid),
        ("Server", [], Retry),
        ("Receiver", [], Retry),
        ("", [], Retry),
        ("VersionMismatch", [], DoNotRetry),
        ("MustUnderstand", [], DoNotRetry),
        ("Server", ["CustomerNotFound"], NotFound),
        ("Client", ["DuplicateKeyException"], Conflict),
        ("Client", ["StaleVersion"], Conflict),
        ("Server", ["ValidationFault"], Invalid),
        ("FailedAuthentication", [], Refused),
        ("InvalidSecurityToken", [], Refused),
        ("Server", ["ThrottlingException"], Retry),
        ("Server", ["CustomerIsAsleep"], Retry),
        ("OrderNotFound", [], NotFound),
    ],
)
def test_what_faults_mean(code: str, names: list[str], error: type[AdapterError]) -> None:
    assert type(_error(code, *names)) is error


def test_a_servers_failure_leaves_a_write_unknown() -> None:
    assert type(_error("Server", caller=WRITE)) is UnknownOutcome
    assert type(_error("Receiver", caller=WRITE)) is UnknownOutcome


def test_configured_meanings_come_first() -> None:
    assert type(_error("Server", "CustomerNotFound", known={"CustomerNotFound": "conflict"})) is Conflict
    assert type(_error("Odd", known={"Odd": "retry"})) is Retry


def test_a_servers_own_words_are_not_shown() -> None:
    assert "secret" not in _error("Server", text="the secret of the server").message
    assert "secret" in _error("Server", text="the secret of the server").detail


@pytest.mark.parametrize(
    "text",
    [
        "boom\n   at com.example.Thing.run(Thing.java:12)",
        "java.lang.NullPointerException",
        "Stack trace: #0 main",
        "SQLSTATE[42S02]: Base table not found",
        "ORA-00942: table or view does not exist",
        "error in query: SELECT * FROM customers WHERE id = 1",
        "Traceback (most recent call last)",
        "Uncaught Error in app.php on line 7",
        "System.Data.SqlClient.SqlException: no",
    ],
)
def test_insides_are_not_shown(text: str) -> None:
    assert shown(text) == ""


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("no customer C-1", "no customer C-1"),
        ("can't open /var/lib/crm/data.db", "can't open …"),
        (r"can't open C:\Data\crm\x.mdb", "can't open …"),
        ("ask https://crm.internal:8443/x", "ask …"),
        ("either/or and 1/2", "either/or and 1/2"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_what_is_shown(text: str, seen: str) -> None:
    assert shown(text) == seen


@settings(deadline=None, database=None, derandomize=True, max_examples=300)
@given(
    st.integers(100, 599), st.binary(max_size=200), st.sampled_from(["", "text/xml", "text/html; charset=x", "a;;b"])
)
def test_any_reply_is_an_answer_or_an_error_of_ours(status: int, body: bytes, kind: str) -> None:
    try:
        body_of(_reply(status, body, content_type=kind), READ)
    except (AdapterError, Fault):
        return
