"""XML records: paths, namespaces, what stands twice, and hostile documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.errors import ConfigError
from adapters.files.formats import Bad, Record

Values = Callable[..., list[dict[str, Any]]]
Scanned = Callable[..., list[Record | Bad]]

OPTIONS: dict[str, Any] = {
    "record": "/o:orders/o:order",
    "namespaces": {"o": "urn:orders", "p": "urn:parts"},
    "columns": {
        "id": {"from": "@no"},
        "customer": {"from": "o:customer/o:name"},
        "total": {"type": "decimal", "from": "o:total", "decimal_point": ","},
        "lines": {"type": "json", "from": "o:lines/p:line"},
    },
}
DOCUMENT = """<?xml version="1.0" encoding="ISO-8859-1"?>
<orders xmlns="urn:orders" xmlns:p="urn:parts" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <head><order no="none of it"/></head>
  <order no="1"><!-- a --><customer><name>Gr\xfc\xdf<!-- b -->e &amp; <![CDATA[<S\xf6hne>]]></name></customer>
    <total>1,50</total>
    <lines><p:line q="2">nut</p:line><p:line><p:sku>b</p:sku><p:sku>c</p:sku></p:line></lines></order>
  <x:order xmlns:x="urn:other" no="9"/>
  <order no="2"><total xsi:nil="true"/></order>
</orders>""".encode("latin-1")


def test_records(values: Values) -> None:
    assert values("xml", DOCUMENT, options=OPTIONS) == [
        {
            "id": "1",
            "customer": "Grüße & <Söhne>",
            "total": "1.50",
            "lines": [{"@q": "2", "#text": "nut"}, {"sku": ["b", "c"]}],
        },
        {"id": "2", "customer": None, "total": None, "lines": []},
    ]


def test_the_root_and_plain_texts_as_records(values: Values) -> None:
    assert values("xml", b"<a id='1'><b/></a>", options={"record": "/a", "columns": {"id": {"from": "@id"}}}) == [
        {"id": "1"}
    ]
    found = values(
        "xml", b"<a><b>x</b><b/><c>no</c></a>", "v", options={"record": "/a/b", "columns": {"v": {"from": "."}}}
    )
    assert found == [{"v": "x"}, {"v": ""}]


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        ("<t>1</t><t>2</t>", "t stands 2 times"),
        ("<t><u/></t>", "t holds elements"),
        ("<t>x</t>", "t isn't an integer"),
        ("<j>a<b/></j>", "j has text between elements"),
        ('<j><b xmlns="urn:a"/><b/></j>', "differ by their namespace only"),
    ],
)
def test_what_has_no_place_in_a_record(scanned: Scanned, inner: str, reason: str) -> None:
    columns = {"id": {"from": "@id"}, "t": "integer", "j": "json"}
    data = f'<a>\n<r id="1">{inner}</r>\n<r id="2"/></a>'.encode()
    found = scanned("xml", data, options={"record": "/a/r", "columns": columns})
    assert [type(each) for each in found] == [Bad, Record]
    assert isinstance(found[0], Bad)
    assert reason in found[0].reason
    assert (found[0].key, found[0].place) == ("1", "the record in line 2")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'<!DOCTYPE a [<!ENTITY e "x">]><a><r id="&e;"/></a>', "DTD"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>', "DTD"),
        (b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a><r>&e;</r></a>', "DTD"),
        (b'<a><r id="1"/>', "well-formed"),
        (b"", "well-formed"),
        (b"<a>" * 1000, "well-formed"),
        (b"<a><r id='1'>&x;</r></a>", "well-formed"),
    ],
)
def test_hostile_documents(scanned: Scanned, data: bytes, reason: str) -> None:
    found = scanned("xml", data, options={"record": "/a/r", "columns": {"id": {"from": "@id"}}})
    assert isinstance(found[-1], Bad)
    assert found[-1].lost
    assert reason in found[-1].reason


@pytest.mark.parametrize("record", ["a", "/", "/a/@b", "/x:a", "//a", "/a[1]"])
def test_paths_that_are_none(scanned: Scanned, record: str) -> None:
    with pytest.raises(ConfigError):
        scanned("xml", b"<a/>", options={"record": record, "columns": {"id": "text"}})
