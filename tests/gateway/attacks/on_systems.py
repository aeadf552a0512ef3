"""Injection into the systems behind: SOAP messages, SQL, files, and another API's requests."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx


def _refused(response: httpx.Response, *statuses: int) -> None:
    assert response.status_code in statuses, response.text


def _customer(lab: Any) -> str:
    return f"/customers/{lab.samples['customer_id']}"


def _kept(lab: Any, text: str) -> None:
    """What is written into the CRM is read back as it was, or refused; nothing else of the customer changes."""
    before = lab.get(_customer(lab)).json()
    response = lab.call("PATCH", _customer(lab), "platform", json={"name": text})
    after = lab.get(_customer(lab)).json()
    for name in ("status", "credit_limit", "email", "balance"):
        assert after[name] == before[name]
    if response.status_code == 200:
        assert after["name"] == text
        lab.call("PATCH", _customer(lab), "platform", json={"name": before["name"]})
    else:
        _refused(response, 400, 422)
        assert after["name"] == before["name"]


# SOAP


def elements_in_a_text(lab: Any) -> None:
    _kept(lab, "x</Name><Status>CLOSED</Status><Name>")


def cdata_in_a_text(lab: Any) -> None:
    _kept(lab, "]]><Status>CLOSED</Status><![CDATA[")


def comment_in_a_text(lab: Any) -> None:
    _kept(lab, "<!-- x --><?php echo 1 ?>")


def entity_in_a_text(lab: Any) -> None:
    _kept(lab, "&lol; &#x3c; &amp;lt;")


def attribute_in_a_text(lab: Any) -> None:
    _kept(lab, "\" xsi:nil=\"true' x='")


def characters_xml_has_not(lab: Any) -> None:
    for character in ("\x00", "\x0b", "\ufffe", "\x1b"):
        before = lab.get(_customer(lab)).json()["name"]
        _refused(lab.call("PATCH", _customer(lab), "platform", json={"name": f"a{character}b"}), 400, 422)
        assert lab.get(_customer(lab)).json()["name"] == before


def sql_in_a_soap_filter(lab: Any) -> None:
    for text in ("x' OR '1'='1", "%", "_", "x'; DROP TABLE customers; --"):
        response = lab.get("/customers", params={"city": text, "limit": 5})
        assert response.json()["items"] == []
    assert lab.get("/customers?name_starts_with=%25&limit=5").json()["items"] == []


def xpath_in_an_id(lab: Any) -> None:
    for text in ("C-10001' or '1'='1", "C-10001]|//*", "*"):
        _refused(lab.get(f"/customers/{quote(text, safe='')}"), 400, 404)


# SQL


def sql_in_a_key(lab: Any) -> None:
    for text in (
        "x' OR '1'='1",
        "x'; DROP TABLE stock; --",
        "x' UNION SELECT secret FROM canary --",
        'x" OR ""="',
        "\\' OR 1=1 #",
    ):
        _refused(lab.get(f"/shelves/{quote(text, safe='')}", "platform"), 404, 422)


def sql_in_a_filter(lab: Any) -> None:
    for text in ("x' OR 1=1 --", "x') UNION SELECT secret,1,1,1,1,1,1 FROM canary --"):
        for name in ("warehouse", "sku.in"):
            response = lab.get("/shelves", "platform", params={name: text})
            assert response.status_code == 422 or response.json()["items"] == []


def sql_in_a_pattern(lab: Any) -> None:
    response = lab.get("/shelves", "platform", params={"name.like": "%' ESCAPE 'x' OR '1'='1"})
    _refused(response, 200, 400, 422)
    assert response.status_code != 200 or response.json()["items"] == []
    _refused(lab.get("/shelves", "platform", params={"name.like": "%_" * 1_000}), 200, 400, 422)


def sql_in_a_sort(lab: Any) -> None:
    for text in (
        "sku;DROP TABLE stock",
        "(SELECT secret FROM canary)",
        "sku--",
        '"sku"',
        "rowid",
        "sku COLLATE NOCASE",
        "1",
    ):
        _refused(lab.get("/shelves", "platform", params={"sort": text}), 400, 422)


def table_by_another_name(lab: Any) -> None:
    for path in ("/canary", "/shelves/../canary", "/sqlite_master"):
        _refused(lab.get(path, "platform"), 400, 404)


def unicode_that_becomes_a_quote(lab: Any) -> None:
    for text in ("x\u02bc OR 1=1", "x\uff07 OR \uff071\uff07=\uff071", "x\u2019 OR 1=1--", "\xbf\x27 OR 1=1"):
        assert lab.get("/shelves", "platform", params={"warehouse": text}).json()["items"] == []


# files


def path_in_a_key(lab: Any) -> None:
    for text in ("../../canary", "..%2f..%2fcanary.txt", "%2fetc%2fpasswd", "....%2f%2f", "TASK-*", "%00"):
        _refused(lab.get(f"/tasks/{text}"), 400, 404)
        _refused(lab.get(f"/invoices/{text}"), 400, 404)


def link_in_the_drop(lab: Any) -> None:
    link = lab.drop / "INVLINK.DAT"
    link.symlink_to(lab.canary_file)
    try:
        for _ in range(2):
            response = lab.get("/invoices?limit=5")
            assert response.status_code in (200, 502, 503)
            assert "canary-file" not in response.text
    finally:
        link.unlink()


def nonsense_in_the_drop(lab: Any) -> None:
    file = lab.drop / "in" / "TASK-NONSENSE.DAT"
    file.write_bytes(b"\xff\x00" * 40_000)
    try:
        assert lab.get("/tasks?limit=5").status_code in (200, 502, 503)
    finally:
        file.unlink()
    lab.watching.until(lambda: lab.get("/tasks?limit=5").status_code == 200)


def pipe_in_the_drop(lab: Any) -> None:
    """A named pipe would hold whoever opens it until somebody writes into it."""
    pipe = lab.drop / "INVPIPE.DAT"
    lab.watching.make_pipe(pipe)
    try:
        assert lab.get("/invoices?limit=5").status_code in (200, 502, 503)
    finally:
        pipe.unlink()
    lab.watching.until(lambda: lab.get("/invoices?limit=5").status_code == 200)


# another API


def path_of_another_api(lab: Any) -> None:
    for text in ("..%2f..%2fcontrol", "a%2f..%2f..%2fcontrol", "%2e%2e", "a%3fadmin=1", "a%23x", "a%0d%0aX: y", "a;b"):
        lab.get(f"/hostile/{text}")
    lines = [each.partition(b"\r\n")[0] for each in lab.hostile.heard]
    assert all(line.split(b" ")[1].startswith((b"/in/", b"/soap")) for line in lines)
    assert not [line for line in lines if b"?admin" in line or b"/../" in line or b"#" in line]


def query_of_another_api(lab: Any) -> None:
    lab.get("/hostile/query", params={"q": "x&admin=1#y\r\nX-Evil: 1"})
    heard = next(each for each in lab.hostile.heard if b"/in/query" in each)
    assert b"&admin" not in heard
    assert b"X-Evil" not in heard.replace(b"%0D%0AX-Evil", b"")


def header_of_another_api(lab: Any) -> None:
    lab.raw(
        b"GET /hostile/header HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\nX-Note: a\xc2\x85b\xe2\x80\xa8c\r\n"
        b"Connection: close\r\n\r\n" % lab.keys["agent"].encode()
    )
    assert not [each for each in lab.hostile.heard if b"/in/header" in each and each.count(b"\r\n\r\n") != 1]


def credential_of_the_gateway(lab: Any) -> None:
    """A caller can neither set nor read what the gateway shows the upstream."""
    fields = {"x-note": "x", "x-authorization": "Bearer evil", "proxy-authorization": "Bearer evil"}
    response = lab.get("/hostile/credential", headers=fields)
    heard = next(each for each in lab.hostile.heard if b"/in/credential" in each)
    assert heard.lower().count(b"authorization:") == 1
    assert b"evil" not in heard
    assert "hostile-token" not in response.text
