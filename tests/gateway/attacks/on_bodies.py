"""Bodies: JSON that means two things or none, what only looks like JSON, and values meant for the systems behind."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx

_GROUP = "/tasks"


def _refused(response: httpx.Response, *statuses: int) -> None:
    assert response.status_code in statuses, response.text
    assert response.headers["content-type"] == "application/problem+json"


def _raw(lab: Any, body: bytes, media: str | None = "application/json", **fields: str) -> httpx.Response:
    headers = {**({"content-type": media} if media else {}), **{k.replace("_", "-"): v for k, v in fields.items()}}
    return lab.call("POST", _GROUP, content=body, headers=headers)


def _text(lab: Any, **changes: Any) -> str:
    return json.dumps(lab.task(**changes))


def member_given_twice(lab: Any) -> None:
    twice = _text(lab).replace('"priority"', '"priority": "urgent", "\\u0070riority"')
    _refused(_raw(lab, twice.encode()), 400)


def deep_nesting(lab: Any) -> None:
    _refused(lab.post("/hostile/deep", b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}"), 400)
    _refused(lab.post("/hostile/deep", b'{"a":' * 100 + b"1" + b"}" * 100), 400)


def unclosed_nesting(lab: Any) -> None:
    _refused(lab.post("/hostile/deep", b'[{"a":' * 9_000), 400)


def wide_arrays(lab: Any) -> None:
    assert lab.post("/hostile/wide", b'{"a":[' + b"[]," * 20_000 + b"[]]}").status_code == 200


def not_a_number(lab: Any) -> None:
    for number in (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e999", b"0x10", b"01", b"+1", b".5", b"1."):
        _refused(lab.post("/hostile/number", b'{"a": %b}' % number), 400)


def integers_beyond_64_bits(lab: Any) -> None:
    _refused(lab.post("/hostile/number", b'{"a": 18446744073709551617}'), 400)
    _refused(lab.post("/hostile/number", b'{"a": %b}' % (b"9" * 300)), 400)


def digits_without_end(lab: Any) -> None:
    _refused(lab.post("/hostile/number", b'{"a": 0.%b}' % (b"1" * 60_000)), 400)
    _refused(lab.post("/hostile/number", b'{"a": %b}' % (b"1" * 60_000)), 400)


def names_that_collide(lab: Any) -> None:
    body = json.dumps({f"k{number:05}" * 2: 1 for number in range(2_500)}).encode()
    assert lab.post("/hostile/names", body).status_code == 200


def invalid_utf_8(lab: Any) -> None:
    for piece in (b"\xc0\xaf", b"\xed\xa0\x80", b"\xff", b"\xf4\x90\x80\x80", b"\xe2\x82"):
        _refused(_raw(lab, _text(lab, title="X-X").encode().replace(b"X-X", piece)), 400)


def lone_surrogates(lab: Any) -> None:
    _refused(_raw(lab, _text(lab, title="X-X").replace("X-X", "\\ud800").encode()), 400)


def other_encodings(lab: Any) -> None:
    for encoding in ("utf-16", "utf-32", "utf-7"):
        text = _text(lab) if encoding != "utf-7" else "+AHsAfQ-"
        _refused(_raw(lab, text.encode(encoding) if encoding != "utf-7" else text.encode()), 400)
    _refused(_raw(lab, b"\xef\xbb\xbf" + _text(lab).encode()), 400)


def charset_that_lies(lab: Any) -> None:
    _refused(_raw(lab, _text(lab).encode(), "application/json; charset=utf-7"), 415)
    _refused(_raw(lab, _text(lab).encode(), "application/json; charset=utf-8; charset=ibm037"), 415)


def more_than_one_document(lab: Any) -> None:
    for after in (b"{}", b"\0", b"]", b"//x", b"\n{}"):
        _refused(_raw(lab, _text(lab).encode() + after), 400)


def json_with_comments(lab: Any) -> None:
    _refused(_raw(lab, _text(lab).replace("{", "{/* x */", 1).encode()), 400)
    _refused(_raw(lab, _text(lab).replace("}", ",}").encode()), 400)


def simple_cross_site_form(lab: Any) -> None:
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None):
        _refused(_raw(lab, _text(lab).encode(), media), 415)


def media_type_that_resembles(lab: Any) -> None:
    for media in ("application/jsonp", "text/json", "application/json, text/plain", "application/xml", "*/*"):
        _refused(_raw(lab, _text(lab).encode(), media), 415)


def xml_where_json_is_due(lab: Any) -> None:
    xml = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{lab.canary.url}">]><x>&e;</x>'.encode()
    _refused(_raw(lab, xml), 400)
    _refused(_raw(lab, xml, "text/xml"), 415)


def multipart_with_a_file(lab: Any) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="../../x"\r\n\r\nx\r\n--b--\r\n'
    _refused(_raw(lab, body, "multipart/form-data; boundary=b"), 415)


def gzip_bomb(lab: Any) -> None:
    bomb = gzip.compress(b'{"a":"' + b" " * 50_000_000 + b'"}')
    _refused(_raw(lab, bomb, content_encoding="gzip"), 413, 415)
    _refused(_raw(lab, gzip.compress(_text(lab).encode()), content_encoding="gzip"), 415)


def encodings_in_a_row(lab: Any) -> None:
    for coding in ("identity, gzip", "br", "deflate", "x-gzip", "zstd", "aes128gcm", "GZIP"):
        _refused(_raw(lab, _text(lab).encode(), content_encoding=coding), 415)


def part_of_a_body(lab: Any) -> None:
    _refused(_raw(lab, _text(lab).encode(), content_range="bytes 0-5/100"), 400)


def body_over_its_bound(lab: Any) -> None:
    _refused(_raw(lab, _text(lab, title="x" * 70_000).encode()), 413)


def chunks_over_the_bound(lab: Any) -> None:
    def pieces() -> Any:
        for _ in range(3_000):
            yield b" " * 1_000

    try:
        response = lab.call("POST", _GROUP, content=pieces(), headers={"content-type": "application/json"})
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        return
    _refused(response, 413)


def chunks_of_one_byte(lab: Any) -> None:
    text = _text(lab, title="drip " + "x" * 60).encode()
    head = b"POST /tasks HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\nContent-Type: application/json\r\n"
    head = head % lab.keys["agent"].encode() + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = lab.raw(
        head + b"".join(b"1;%b\r\n%c\r\n" % (b"e" * 100, each) for each in text) + b"0\r\n\r\n", patience=3
    )
    assert b" 202 " in answer or b" 4" in answer[:14]


# values


def members_nobody_declared(lab: Any) -> None:
    for name, value in (
        ("created_by", "petra"),
        ("task_status", "A"),
        ("__proto__", {"priority": "urgent"}),
        ("id", "X"),
    ):
        _refused(lab.post(_GROUP, lab.task(**{name: value})), 400)


def types_that_are_juggled(lab: Any) -> None:
    for value in (["low"], {"$ne": None}, True, 0, None):
        _refused(lab.post(_GROUP, lab.task(priority=value)), 400)
    _refused(lab.post(_GROUP, b'"low"'), 400)
    _refused(lab.post(_GROUP, b"null"), 400)


def operators_of_a_document_store(lab: Any) -> None:
    path = f"/customers/{lab.samples['customer_id']}"
    before = lab.get(path).json()
    for value in ({"$gt": ""}, {"$where": "sleep(5000)"}, {"$regex": ".*"}):
        _refused(lab.call("PATCH", path, "platform", json={"name": value}), 400)
    assert lab.get(path).json() == before


def nul_in_a_fixed_record(lab: Any) -> None:
    _refused(lab.post(_GROUP, lab.task(title="a\0b")), 422)


def line_breaks_in_a_record(lab: Any) -> None:
    _refused(lab.post(_GROUP, lab.task(title="a\r\nX99999FORGEDRECORD\n\x1aEND")), 422)
    assert not [each for each in lab.get("/tasks?limit=200").json()["items"] if "FORGED" in each["id"]]


def letters_that_do_not_fit(lab: Any) -> None:
    _refused(lab.post(_GROUP, lab.task(title="\u202ereversed \U0001f600")), 422, 400)


def text_that_grows_when_encoded(lab: Any) -> None:
    assert lab.post(_GROUP, lab.task(title="\u00df" * 80)).status_code in (202, 422)
    _refused(lab.post(_GROUP, lab.task(title="\ufdfa" * 80)), 400, 422)


def dates_that_do_not_exist(lab: Any) -> None:
    for date in ("2027-02-30", "0000-00-00", "9999-12-31T00:00:00Z", "2027-W01-1", "٢٠٢٧-٠١-٠١", "2027-01-15\n"):
        _refused(lab.post(_GROUP, lab.task(due_date=date)), 400)


def pattern_with_a_line_break(lab: Any) -> None:
    _refused(lab.post(_GROUP, lab.task(customer_id="C-10001\n")), 400)
    _refused(lab.get("/customers/C-10001%0a"), 400, 404)
    _refused(lab.get("/customers/C-%D9%A1%D9%A0%D9%A0%D9%A0%D9%A1"), 400, 404)


def amounts_that_overflow(lab: Any) -> None:
    path = f"/customers/{lab.samples['customer_id']}"
    for amount in ("99999999999999999999.00", "1e9", "NaN", "-0x1", "1.001", "١.٠٠"):
        _refused(lab.call("PATCH", path, "platform", json={"credit_limit": amount}), 400)


def patterns_that_backtrack(lab: Any) -> None:
    _refused(lab.post("/patterns/" + "a" * 3_000 + "!", {}), 400)
    _refused(lab.post("/patterns/a", {"mail": "a" * 50_000 + "!"}), 400)
    _refused(lab.post("/patterns/a", {"mail": "a-" * 20_000 + "@"}), 400)


def uniqueness_that_is_quadratic(lab: Any) -> None:
    numbers = [{"a": number} for number in range(4_500)]
    assert lab.post("/patterns/a", {"unique": numbers}).status_code in (200, 400)


def formats_that_never_end(lab: Any) -> None:
    _refused(lab.post("/patterns/a", {"when": "2027-01-15T00:00:00." + "0" * 50_000 + "x"}), 400)
    _refused(lab.post("/patterns/a", {"link": "http://" + "[" * 50_000}), 400)


def key_without_end(lab: Any) -> None:
    for key in ('"' + "k" * 300 + '"', "", '"', '"a", "b"', '"\\x"', "k" * 5_000):
        _refused(lab.post(_GROUP, lab.task(), headers={"idempotency-key": key}), 400)


def key_of_another_caller(lab: Any) -> None:
    key = {"idempotency-key": '"shared-key-1"'}
    mine = lab.post(_GROUP, lab.task(title="Mine"), headers=key)
    assert mine.status_code == 202
    theirs = lab.post(_GROUP, lab.task(title="Theirs"), "other", headers=key)
    assert theirs.status_code == 202
    assert theirs.json()["id"] != mine.json()["id"]


def key_with_another_body(lab: Any) -> None:
    key = {"idempotency-key": '"one-key-2"'}
    assert lab.post(_GROUP, lab.task(title="One"), headers=key).status_code == 202
    _refused(lab.post(_GROUP, lab.task(title="Two"), headers=key), 422)


def key_into_an_upstream(lab: Any) -> None:
    lab.post("/hostile/keyed", {"a": 1}, headers={"idempotency-key": '"raw-key-3"'})
    heard = [each for each in lab.hostile.heard if b"/in/keyed" in each][-1]
    assert b"raw-key-3" not in heard
    assert b"idempotency-key" in heard.lower()
