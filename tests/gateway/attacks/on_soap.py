"""SOAP services that are hostile themselves: answers that reach out, blow up or tell too much."""

from __future__ import annotations

import gzip
from typing import Any

import httpx

# A redirect is told as a refusal of the request.
_BAD = (422, 502, 503, 504)
_SOAP = "/soap{number}/C-10001"
_ENVELOPE = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>%b</s:Body></s:Envelope>'


def _soap(lab: Any, document: bytes, *fields: bytes, media: bytes = b"text/xml; charset=utf-8") -> httpx.Response:
    response = lab.poisoned(lab.hostile_module.reply(document, *fields, media=media), "soap", _SOAP)
    assert response.status_code in _BAD, response.text
    return response


def external_entity_of_a_file(lab: Any) -> None:
    dtd = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{lab.canary_file}">]>'.encode()
    _soap(lab, dtd + _ENVELOPE % b"<x>&e;</x>")


def external_entity_over_http(lab: Any) -> None:
    _soap(lab, f'<!DOCTYPE x [<!ENTITY e SYSTEM "{lab.canary.url}/e">]>'.encode() + _ENVELOPE % b"<x>&e;</x>")


def external_subset(lab: Any) -> None:
    _soap(lab, f'<!DOCTYPE x SYSTEM "{lab.canary.url}/x.dtd">'.encode() + _ENVELOPE % b"<x/>")


def parameter_entities(lab: Any) -> None:
    dtd = f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{lab.canary.url}/p.dtd"> %p;]>'.encode()
    _soap(lab, dtd + _ENVELOPE % b"<x>&e;</x>")


def entities_that_double(lab: Any) -> None:
    entities = b"".join(b'<!ENTITY e%d "%b">' % (n + 1, b"&e%d;" % n * 10) for n in range(9))
    _soap(lab, b'<!DOCTYPE x [<!ENTITY e0 "lol">' + entities + b"]>" + _ENVELOPE % b"<x>&e9;</x>")


def entity_used_often(lab: Any) -> None:
    dtd = b'<!DOCTYPE x [<!ENTITY a "' + b"A" * 50_000 + b'">]>'
    _soap(lab, dtd + _ENVELOPE % (b"<x>" + b"&a;" * 50_000 + b"</x>"))


def attribute_defaults_by_dtd(lab: Any) -> None:
    dtd = b'<!DOCTYPE x [<!ATTLIST x a CDATA "' + b"A" * 50_000 + b'">]>'
    _soap(lab, dtd + _ENVELOPE % (b"<x/>" * 50_000))


def inclusion_of_a_file(lab: Any) -> None:
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{lab.canary_file}" parse="text"/>'.encode()
    _soap(lab, _ENVELOPE % include)


def style_sheet_instruction(lab: Any) -> None:
    _soap(lab, f'<?xml-stylesheet href="{lab.canary.url}/x.xsl" type="text/xsl"?>'.encode() + _ENVELOPE % b"<x/>")


def schema_location(lab: Any) -> None:
    schema = f'<x xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="u {lab.canary.url}/x.xsd"/>'
    _soap(lab, _ENVELOPE % schema.encode())


def deep_elements(lab: Any) -> None:
    _soap(lab, _ENVELOPE % (b"<a>" * 100_000 + b"</a>" * 100_000))


def attributes_without_number(lab: Any) -> None:
    _soap(lab, _ENVELOPE % (b"<x " + b" ".join(b'a%d="1"' % n for n in range(60_000)) + b"/>"))


def namespaces_without_number(lab: Any) -> None:
    _soap(lab, _ENVELOPE % (b"<x " + b" ".join(b'xmlns:n%d="u%d"' % (n, n) for n in range(30_000)) + b"/>"))


def name_without_end(lab: Any) -> None:
    _soap(lab, _ENVELOPE % (b"<" + b"a" * 1_000_000 + b"/>"))


def text_without_end(lab: Any) -> None:
    _soap(lab, _ENVELOPE % (b"<x>" + b"a" * 1_900_000 + b"</x>"))


def comments_without_number(lab: Any) -> None:
    _soap(lab, _ENVELOPE % (b"<!---->" * 200_000))


def compressed_bomb(lab: Any) -> None:
    _soap(lab, gzip.compress(_ENVELOPE % (b" " * 80_000_000)), b"Content-Encoding: gzip")


def encoding_that_hides_a_dtd(lab: Any) -> None:
    text = f'<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x SYSTEM "{lab.canary.url}"><x/>'
    _soap(lab, text.encode("utf-16"), media=b"text/xml; charset=utf-16")
    _soap(lab, b'<?xml version="1.0" encoding="utf-7"?>+ADw-x/>', media=b"text/xml; charset=utf-7")


def redirect_of_soap(lab: Any) -> None:
    location = f"Location: {lab.canary.url}/soap".encode()
    for status in (b"301 Moved", b"307 Temporary Redirect", b"308 Permanent Redirect"):
        response = lab.poisoned(lab.hostile_module.reply(b"", location, status=status), "soap", _SOAP)
        assert response.status_code in _BAD


def attachments(lab: Any) -> None:
    document = b"--b\r\nContent-Type: text/xml\r\n\r\n" + _ENVELOPE % b"<x/>" + b"\r\n--b--\r\n"
    _soap(lab, document, media=b'multipart/related; boundary="b"; type="text/xml"')


def fault_that_tells_all(lab: Any) -> None:
    text = b"<s:Fault><faultcode>s:Client</faultcode><faultstring>%b</faultstring></s:Fault>"
    trace = b"java.lang.NullPointerException at com.x.Y(Y.java:12) SELECT password FROM users /usr/lib/x.php"
    response = lab.poisoned(
        lab.hostile_module.reply(_ENVELOPE % (text % trace), status=b"500 Error", media=b"text/xml"), "soap", _SOAP
    )
    assert "NullPointer" not in response.text
    assert "password" not in response.text


def fault_that_echoes_the_secret(lab: Any) -> None:
    text = b"<s:Fault><faultcode>s:Client</faultcode><faultstring>token %b</faultstring></s:Fault>"
    secret = lab.secrets["HOSTILE_TOKEN"]
    response = lab.poisoned(
        lab.hostile_module.reply(_ENVELOPE % (text % secret), status=b"500 Error", media=b"text/xml"), "soap", _SOAP
    )
    assert secret.decode() not in response.text


def other_ones_answer(lab: Any) -> None:
    """An answer to another operation isn't taken for this one's."""
    _soap(lab, _ENVELOPE % b'<m:ListCustomersResponse xmlns:m="urn:x"><m:Id>C-1</m:Id></m:ListCustomersResponse>')
