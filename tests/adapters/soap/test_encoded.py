"""SOAP encoding: types, arrays, and replies whose values refer to each other."""

from __future__ import annotations

from datetime import UTC
from types import ModuleType
from typing import Any

import pytest
from lxml import etree

from adapters.soap.decode import Decoder
from adapters.soap.form import Form
from adapters.soap.notes import Notes
from adapters.soap.render import Renderer
from adapters.soap.values import BadValue

_TYPES = """<xs:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/>
<xs:complexType name="Person"><xs:sequence><xs:element name="name" type="xs:string"/>
  <xs:element name="boss" type="t:Person" nillable="true" minOccurs="0"/>
  <xs:element name="tags" type="t:Strings" minOccurs="0"/></xs:sequence></xs:complexType>
<xs:complexType name="Strings"><xs:complexContent><xs:restriction base="c:Array"
  xmlns:c="http://schemas.xmlsoap.org/soap/encoding/">
  <xs:attribute ref="c:arrayType" w:arrayType="xs:string[]"/></xs:restriction></xs:complexContent></xs:complexType>
<xs:complexType name="People"><xs:complexContent><xs:restriction base="c:Array"
  xmlns:c="http://schemas.xmlsoap.org/soap/encoding/">
  <xs:attribute ref="c:arrayType" w:arrayType="t:Person[]"/></xs:restriction></xs:complexContent></xs:complexType>
<xs:complexType name="Grid"><xs:complexContent><xs:restriction base="c:Array"
  xmlns:c="http://schemas.xmlsoap.org/soap/encoding/">
  <xs:attribute ref="c:arrayType" w:arrayType="xs:int[][]"/></xs:restriction></xs:complexContent></xs:complexType>"""
_PARTS = '<w:part name="n" type="xs:int"/><w:part name="people" type="t:People"/><w:part name="grid" type="t:Grid"/>'
_ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:r="urn:rpc" xmlns:t="urn:t"'
    ' xmlns:c="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body>{}</e:Body></e:Envelope>'
)


@pytest.fixture
def encoded(shapes: ModuleType) -> Form:
    form: Form = shapes.form(_TYPES, parts=_PARTS, style="rpc", use="encoded", form="unqualified")
    return form


def _decode(form: Form, body: str) -> Any:
    output = form.ports[0].operations[0].output
    assert output is not None
    nodes = list(etree.fromstring(_ENVELOPE.format(body).encode())[0])
    return Decoder(form, output, UTC).body(nodes, Notes())


def test_a_request_says_its_types(encoded: Form) -> None:
    value = {
        "n": 1,
        "people": {"item": [{"name": "A", "tags": {"item": ["x", None]}}, {"name": "B", "boss": None}]},
        "grid": {"item": [{"item": [1, 2]}, {"item": []}]},
    }
    renderer = Renderer(encoded, encoded.ports[0].operations[0].input)
    root = etree.fromstring(f"<b{renderer.namespaces}>{renderer.body(value)}</b>")[0]
    xsi, soap = "{http://www.w3.org/2001/XMLSchema-instance}", "{http://schemas.xmlsoap.org/soap/encoding/}"
    said = [
        (node.tag, _plain(node.get(f"{xsi}type"), node), _plain(node.get(f"{soap}arrayType"), node))
        for node in root.iter()
    ]
    assert root.get("{http://schemas.xmlsoap.org/soap/envelope/}encodingStyle") == soap[1:-1]
    assert said == [
        ("{urn:rpc}Op", None, None),
        ("n", "int", None),
        ("people", "Array", "Person[2]"),
        ("item", "Person", None),
        ("name", "string", None),
        ("tags", "Array", "string[2]"),
        ("item", "string", None),
        ("item", None, None),
        ("item", "Person", None),
        ("name", "string", None),
        ("boss", None, None),
        ("grid", "Array", "int[][2]"),
        ("item", "Array", "int[2]"),
        ("item", "int", None),
        ("item", "int", None),
        ("item", "Array", "int[0]"),
    ]
    body = etree.tostring(root).decode().replace("Op", "OpResponse")
    assert _decode(encoded, body) == value


def _plain(name: str | None, node: Any) -> str | None:
    if name is None:
        return None
    prefix, _, local = name.partition(":")
    assert node.nsmap[prefix]
    return local


def test_references_are_filled(encoded: Form) -> None:
    """As Axis 1.4 answers: every value of a complex type stands beside the wrapper."""
    body = """<r:OpResponse><n href="#id0"/><people c:arrayType="t:Person[2]" xsi:type="c:Array"><people href="#id1"/>
      <people href="#id2"/></people><grid href="#id3"/></r:OpResponse>
      <multiRef id="id0" c:root="0" xsi:type="xsd:int">7</multiRef>
      <multiRef id="id2" c:root="0" xsi:type="t:Person"><name xsi:type="xsd:string">B</name><boss xsi:nil="true"/>
        </multiRef>
      <multiRef id="id1" c:root="0" xsi:type="t:Person"><name href="#id4"/><boss href="#id2"/></multiRef>
      <multiRef id="id3" c:root="0" xsi:type="c:Array"><x><y>1</y></x></multiRef><multiRef id="id4">A</multiRef>"""
    b = {"name": "B", "boss": None}
    assert _decode(encoded, body) == {
        "n": 7,
        "people": {"item": [{"name": "A", "boss": b}, b]},
        "grid": {"item": [{"item": [1]}]},
    }


def test_references_that_lead_nowhere_or_to_themselves_are_refused(encoded: Form) -> None:
    wrong = {
        "doesn't hold": '<r:OpResponse><n href="#id0"/></r:OpResponse>',
        "itself": '<r:OpResponse><people><p href="#a"/></people></r:OpResponse>'
        '<m id="a"><name>A</name><boss href="#b"/></m><m id="b"><name>B</name><boss href="#a"/></m>',
    }
    for reason, body in wrong.items():
        with pytest.raises(BadValue, match=reason):
            _decode(encoded, body)


def test_references_cannot_grow_without_bound(encoded: Form) -> None:
    """Each value refers twice to the next: 2^40 of them, would they all be copied."""
    laughs = "".join(f'<m id="i{n}"><a href="#i{n + 1}"/><a href="#i{n + 1}"/></m>' for n in range(40))
    wide = '<r:OpResponse><people><p href="#i0"/></people></r:OpResponse>'
    with pytest.raises(BadValue, match="too many"):
        _decode(encoded, f'{wide}{laughs}<m id="i40"><name>A</name></m>')
    big = f'<m id="i0"><name>{"x" * 100_000}</name></m>'
    many = "".join('<p href="#i0"/>' for _ in range(1000))
    with pytest.raises(BadValue, match="too many"):
        _decode(encoded, f"<r:OpResponse><people>{many}</people></r:OpResponse>{big}")


def test_namespaces_of_encoded_elements_do_not_matter(shapes: ModuleType) -> None:
    form = shapes.form(_TYPES, parts='<w:part name="p" type="t:Person"/>', style="rpc", use="encoded")
    for name in ("name", "t:name"):
        assert _decode(form, f"<r:x><p><{name}>A</{name}></p></r:x>") == {"p": {"name": "A"}}


def test_simple_types_of_soap_encoding_are_those_of_xml_schema(shapes: ModuleType) -> None:
    types = (
        '<xs:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/><xs:element name="In"><xs:complexType>'
        '<xs:sequence xmlns:c="http://schemas.xmlsoap.org/soap/encoding/"><xs:element name="a" type="c:string"/>'
        '<xs:element name="b" type="c:base64"/></xs:sequence></xs:complexType></xs:element>'
    )
    form = shapes.form(types)
    shapes.both_ways(form, {"a": "x", "b": "AA=="}, "<n1:In><n1:a>x</n1:a><n1:b>AA==</n1:b></n1:In>")


def test_soap_1_2_has_its_own_attributes(encoded: Form) -> None:
    renderer = Renderer(encoded, encoded.ports[0].operations[0].input, "1.2")
    value = {"n": 1, "people": {"item": []}, "grid": {"item": []}}
    root = etree.fromstring(f"<b{renderer.namespaces}>{renderer.body(value)}</b>")[0]
    soap = "{http://www.w3.org/2003/05/soap-encoding}"
    assert root.get("{http://www.w3.org/2003/05/soap-envelope}encodingStyle") == soap[1:-1]
    people = root[1]
    assert (people.get(f"{soap}arraySize"), _plain(people.get(f"{soap}itemType"), people)) == ("0", "Person")
