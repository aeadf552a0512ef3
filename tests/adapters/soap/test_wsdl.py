"""Simple types, message styles and documents by themselves, and what is left out with a reason."""

from __future__ import annotations

from datetime import UTC
from types import ModuleType

import pytest
from lxml import etree

from adapters.soap.decode import Decoder
from adapters.soap.notes import Notes
from adapters.soap.schema import input_schema
from adapters.soap.values import BadValue


def test_lists_and_unions(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence><xs:element name="a"><xs:simpleType><xs:list itemType="xs:int"/></xs:simpleType></xs:element>'
        '<xs:element name="b" maxOccurs="9"><xs:simpleType><xs:union memberTypes="xs:int"><xs:simpleType>'
        '<xs:restriction base="xs:string"><xs:enumeration value="all"/></xs:restriction></xs:simpleType></xs:union>'
        "</xs:simpleType></xs:element></xs:sequence>"
    )
    shapes.both_ways(
        form, {"a": [1, 2], "b": ["all", 3]}, "<n1:In><n1:a>1 2</n1:a><n1:b>all</n1:b><n1:b>3</n1:b></n1:In>"
    )
    assert not shapes.accepts(form, {"a": [], "b": ["some"]})
    with pytest.raises(BadValue):
        shapes.decode(form, "<In><a/><b>some</b></In>")


def test_facets_reach_the_schema(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence><xs:element name="a" type="t:Code"/><xs:element name="n" type="t:Small"/></xs:sequence>',
        '<xs:simpleType name="Code"><xs:annotation><xs:documentation>A code.</xs:documentation></xs:annotation>'
        '<xs:restriction base="t:Upper"><xs:maxLength value="4"/><xs:pattern value="A.*"/></xs:restriction>'
        "</xs:simpleType>"
        '<xs:simpleType name="Upper"><xs:restriction base="xs:string"><xs:pattern value="[A-Z]+"/>'
        '<xs:pattern value="\\d$"/>'
        "</xs:restriction></xs:simpleType>"
        '<xs:simpleType name="Small"><xs:restriction base="xs:integer"><xs:minExclusive value="0"/>'
        '<xs:maxInclusive value="9"/></xs:restriction></xs:simpleType>',
    )
    definitions = input_schema(form, form.ports[0].operations[0].input)["$defs"]
    assert definitions["Code"]["description"] == "A code."
    assert [shapes.accepts(form, {"a": code, "n": 1}) for code in ("ABC", "ABCDE", "BCD", "Abc", "xAB")] == [True] + [
        False
    ] * 4
    assert [shapes.accepts(form, {"a": "A", "n": number}) for number in (0, 1, 9, 10)] == [False, True, True, False]


def test_defaults_fill_empty_elements_only(shapes: ModuleType) -> None:
    form = shapes.content('<xs:sequence><xs:element name="a" type="xs:int" default="7" minOccurs="0"/></xs:sequence>')
    assert shapes.decode(form, "<In><a/></In>") == {"a": 7}
    assert shapes.decode(form, "<In/>") == {}
    assert input_schema(form, form.ports[0].operations[0].input)["properties"]["a"]["default"] == 7


def test_unqualified_and_bare_forms(shapes: ModuleType) -> None:
    types = (
        '<xs:element name="In"><xs:complexType><xs:sequence><xs:element name="a" type="xs:int"/>'
        "</xs:sequence></xs:complexType></xs:element>"
    )
    assert shapes.render(shapes.form(types, form="unqualified"), {"a": 1}) == "<n1:In><a>1</a></n1:In>"
    bare = shapes.form('<xs:element name="In" type="xs:int"/>')
    shapes.both_ways(bare, {"In": 5}, "<n1:In>5</n1:In>")


def test_rpc_literal(shapes: ModuleType) -> None:
    parts = '<w:part name="x" type="xs:int"/><w:part name="y" type="t:T"/>'
    types = (
        '<xs:complexType name="T"><xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence></xs:complexType>'
    )
    form = shapes.form(types, parts=parts, style="rpc")
    value = {"x": 1, "y": {"a": "b"}}
    assert shapes.render(form, value) == "<n1:Op><x>1</x><y><n2:a>b</n2:a></y></n1:Op>"
    output = form.ports[0].operations[0].output
    assert output is not None
    body = etree.fromstring('<b><r:Any xmlns:r="urn:rpc"><x>1</x><y><a xmlns="urn:t">b</a></y></r:Any></b>')
    assert Decoder(form, output, UTC).body(list(body), Notes()) == value


_EMPTY = '<xs:element name="In"><xs:complexType/></xs:element>'


def test_what_is_left_out_says_why(shapes: ModuleType) -> None:
    dangling = '<w:part name="x" type="n:T" xmlns:n="urn:nowhere"/>'
    assert "{urn:nowhere}T, which isn't defined" in shapes.left_out(shapes.form(_EMPTY, parts=dangling))
    branch = '<xs:sequence><xs:element name="a" type="xs:{}"/><xs:element name="{}" type="xs:int"/></xs:sequence>'
    twice = f"<xs:choice>{branch.format('int', 'b')}{branch.format('string', 'c')}</xs:choice>"
    assert "'a' occurs with two types" in shapes.left_out(shapes.content(twice))
    assert "SOAP header 'Gone'" in shapes.left_out(
        shapes.form(_EMPTY, header='<s:header message="t:Head" part="Gone" use="literal"/>')
    )
    nothing = '<xs:element name="In" type="t:Missing"/>'
    assert "{urn:t}Missing, which isn't defined" in shapes.left_out(shapes.form(nothing))


def test_a_part_of_a_type_is_an_element_of_its_name(shapes: ModuleType) -> None:
    form = shapes.form(_EMPTY, parts='<w:part name="x" type="xs:int"/>')
    assert shapes.render(form, {"x": 5}) == "<x>5</x>"
    assert shapes.decode(form, '<x xmlns="">5</x>') == {"x": 5}


def test_included_schemas_take_the_includers_namespace(shapes: ModuleType) -> None:
    included = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified">'
        '<xs:complexType name="C"><xs:sequence><xs:element name="a" type="D"/></xs:sequence></xs:complexType>'
        '<xs:simpleType name="D"><xs:restriction base="xs:int"/></xs:simpleType></xs:schema>'
    )
    types = '<xs:include schemaLocation="x/c.xsd"/><xs:element name="In" type="t:C"/>'
    shapes.both_ways(shapes.form(types, {"x/c.xsd": included}), {"a": 1}, "<n1:In><n1:a>1</n1:a></n1:In>")


def test_the_catalogue_serves_standard_schemas(shapes: ModuleType) -> None:
    types = (
        '<xs:import namespace="http://www.w3.org/2005/05/xmlmime" schemaLocation="http://www.w3.org/2005/05/xmlmime"/>'
        '<xs:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/>'
        '<xs:import namespace="http://www.w3.org/XML/1998/namespace" schemaLocation="http://www.w3.org/2001/xml.xsd"/>'
        '<xs:element name="In" type="m:base64Binary" xmlns:m="http://www.w3.org/2005/05/xmlmime"/>'
    )
    form = shapes.form(types)
    assert shapes.render(form, {"@contentType": "a/b", "#text": "AA=="}) == '<n1:In n2:contentType="a/b">AA==</n1:In>'
