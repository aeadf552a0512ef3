"""Each construct of WSDL and XML Schema by itself: its JSON, its XML, and what is left out with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from lxml import etree

from adapters.contract import Workspace
from adapters.soap.compiler import form_of
from adapters.soap.decode import Decoder, Notes
from adapters.soap.form import Form, dump, load
from adapters.soap.render import Renderer
from adapters.soap.schema import input_schema, output_schema
from adapters.soap.values import BadValue

_WSDL = """<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <w:types><xs:schema targetNamespace="urn:t" elementFormDefault="{form}">
    <xs:import namespace="http://www.w3.org/XML/1998/namespace"/>{types}
    <xs:element name="Session" type="xs:string"/></xs:schema></w:types>
  <w:message name="In">{parts}</w:message>
  <w:message name="Head"><w:part name="Session" element="t:Session"/></w:message>
  <w:portType name="P">
    <w:operation name="Op"><w:input message="t:In"/><w:output message="t:In"/></w:operation>
  </w:portType>
  <w:binding name="B" type="t:P">
    <s:binding style="{style}" transport="http://schemas.xmlsoap.org/soap/http"/>
    <w:operation name="Op"><s:operation soapAction=""/>
      <w:input>{header}<s:body use="{use}" namespace="urn:rpc"/></w:input>
      <w:output><s:body use="{use}" namespace="urn:rpc"/></w:output>
    </w:operation>
  </w:binding>
  <w:service name="S"><w:port name="P" binding="t:B"><s:address location="http://x"/></w:port></w:service>
</w:definitions>"""
_PART = '<w:part name="p" element="t:In"/>'


def _form(types: str, files: Mapping[str, str] | None = None, **parts: str) -> Form:
    fill = {"form": "qualified", "parts": _PART, "style": "document", "use": "literal", "header": "", **parts}
    documents = {"s.wsdl": _WSDL.format(types=types, **fill), **(files or {})}
    workspace = Workspace({name: text.encode() for name, text in documents.items()}, Path("/nonexistent/cache"))
    form = form_of("s.wsdl", workspace)
    assert load(dump(form)) == form
    return form


def _content(model: str, extra: str = "", files: Mapping[str, str] | None = None) -> Form:
    """A form whose one operation takes and answers element In of this content."""
    return _form(f'<xs:element name="In"><xs:complexType>{model}</xs:complexType></xs:element>{extra}', files)


def _left_out(form: Form) -> str:
    assert not form.ports[0].operations
    return form.ports[0].left_out["Op"]


def _render(form: Form, value: Any) -> str:
    message = form.ports[0].operations[0].input
    jsonschema_rs.validator_for(input_schema(form, message)).validate(value)
    return Renderer(form, message).body(value)


def _decode(form: Form, xml: str) -> Any:
    body = etree.fromstring(f'<b xmlns="urn:t" xmlns:t="urn:t" xmlns:xsi="{_XSI}">{xml}</b>')
    value = Decoder(form, form.ports[0].operations[0].input, UTC).body(list(body), Notes())
    jsonschema_rs.validator_for(output_schema(form, form.ports[0].operations[0].input)).validate(value)
    return value


_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def _accepts(form: Form, value: Any) -> bool:
    schema = input_schema(form, form.ports[0].operations[0].input)
    return jsonschema_rs.validator_for(schema, validate_formats=True).is_valid(value)


def _both_ways(form: Form, value: Any, xml: str) -> None:
    assert _render(form, value) == xml
    assert _decode(form, xml.replace("n1:", "")) == value


def test_sequence_of_optional_nillable_and_repeated() -> None:
    form = _content(
        '<xs:sequence><xs:element name="a" type="xs:int" minOccurs="0"/>'
        '<xs:element name="b" type="xs:int" nillable="true"/>'
        '<xs:element name="c" type="xs:int" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>'
    )
    _both_ways(form, {"b": None, "c": []}, '<n1:In><n1:b xsi:nil="true"/></n1:In>')
    _both_ways(
        form, {"a": 1, "b": 2, "c": [3, 4]}, "<n1:In><n1:a>1</n1:a><n1:b>2</n1:b><n1:c>3</n1:c><n1:c>4</n1:c></n1:In>"
    )
    assert _accepts(form, {"b": 1})
    assert not _accepts(form, {})
    assert not _accepts(form, {"a": None, "b": 1})


def test_choice() -> None:
    form = _content(
        '<xs:choice><xs:element name="a" type="xs:int"/><xs:sequence><xs:element name="b" type="xs:int"/>'
        '<xs:element name="c" type="xs:int" minOccurs="0" maxOccurs="2"/></xs:sequence></xs:choice>'
    )
    _both_ways(form, {"a": 1}, "<n1:In><n1:a>1</n1:a></n1:In>")
    _both_ways(form, {"b": 1, "c": [2]}, "<n1:In><n1:b>1</n1:b><n1:c>2</n1:c></n1:In>")
    assert _decode(form, "<In><b>1</b></In>") == {"b": 1}
    for wrong in ({}, {"a": 1, "b": 1}, {"c": [1]}, {"a": 1, "c": [1]}):
        assert not _accepts(form, wrong)


def test_optional_choice_and_choice_of_optionals() -> None:
    optional = _content(
        '<xs:choice minOccurs="0"><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/></xs:choice>'
    )
    assert [_accepts(optional, each) for each in ({}, {"a": 1}, {"a": 1, "b": 1})] == [True, True, False]
    empty = _content(
        '<xs:choice><xs:element name="a" type="xs:int" minOccurs="0"/><xs:element name="b" type="xs:int"/></xs:choice>'
    )
    assert [_accepts(empty, each) for each in ({}, {"a": 1}, {"b": 1}, {"a": 1, "b": 1})] == [True, True, True, False]


def test_choice_whose_branches_share_a_name() -> None:
    branch = '<xs:sequence><xs:element name="{}" type="xs:int"/><xs:element name="z" type="xs:int"/></xs:sequence>'
    form = _content(f"<xs:choice>{branch.format('a')}{branch.format('b')}</xs:choice>")
    _both_ways(form, {"b": 1, "z": 2}, "<n1:In><n1:b>1</n1:b><n1:z>2</n1:z></n1:In>")
    assert not _accepts(form, {"z": 1})


def test_repeated_choice_keeps_the_order() -> None:
    form = _content(
        '<xs:choice maxOccurs="unbounded"><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/>'
        "</xs:choice>"
    )
    xml = "<n1:In><n1:b>1</n1:b><n1:a>2</n1:a><n1:a>3</n1:a></n1:In>"
    _both_ways(form, {"#items": [{"b": 1}, {"a": 2}, {"a": 3}]}, xml)
    assert not _accepts(form, {"#items": []})


def test_repeated_sequence_with_optional_and_nested_parts() -> None:
    form = _content(
        '<xs:sequence><xs:sequence minOccurs="0" maxOccurs="unbounded"><xs:element name="a" type="xs:int"/>'
        '<xs:element name="b" type="xs:int" minOccurs="0"/><xs:choice minOccurs="0" maxOccurs="unbounded">'
        '<xs:element name="c" type="xs:int"/><xs:element name="d" type="xs:int" maxOccurs="2"/></xs:choice>'
        "</xs:sequence>"
        '<xs:element name="e" type="xs:int"/></xs:sequence>'
    )
    value = {
        "#items": [
            {"a": 1, "#items": []},
            {"a": 2, "b": 3, "#items": [{"d": [4, 5]}, {"c": 6}, {"c": 7}]},
        ],
        "e": 8,
    }
    xml = "<n1:In>{}</n1:In>".format(
        "".join(f"<n1:{name}>{number}</n1:{name}>" for name, number in zip("aabddcce", range(1, 9), strict=True))
    )
    _both_ways(form, value, xml)
    assert _decode(form, "<In><e>1</e></In>") == {"#items": [], "e": 1}


def test_one_element_in_a_repeated_group_is_an_array() -> None:
    form = _content('<xs:sequence maxOccurs="5"><xs:element name="a" type="xs:int" minOccurs="0"/></xs:sequence>')
    _both_ways(form, {"a": [1, 2]}, "<n1:In><n1:a>1</n1:a><n1:a>2</n1:a></n1:In>")


def test_all_and_groups_and_attribute_groups() -> None:
    form = _content(
        '<xs:sequence><xs:group ref="t:G"/></xs:sequence><xs:attributeGroup ref="t:A"/>',
        '<xs:group name="G"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:group>'
        '<xs:attributeGroup name="A"><xs:attribute name="x" type="xs:boolean" use="required"/>'
        '<xs:attribute ref="xml:lang"/></xs:attributeGroup>',
    )
    _both_ways(form, {"@x": True, "@lang": "de", "a": 1}, '<n1:In x="true" xml:lang="de"><n1:a>1</n1:a></n1:In>')
    unordered = _content(
        '<xs:all><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int" minOccurs="0"/></xs:all>'
    )
    assert _decode(unordered, "<In><b>2</b><a>1</a></In>") == {"a": 1, "b": 2}


def test_simple_content_extension_and_restriction() -> None:
    form = _content(
        '<xs:simpleContent><xs:extension base="t:B"><xs:attribute name="u" type="xs:string"/></xs:extension>'
        "</xs:simpleContent>",
        '<xs:complexType name="B"><xs:simpleContent><xs:extension base="xs:decimal">'
        '<xs:attribute name="x" type="xs:int"/>'
        "</xs:extension></xs:simpleContent></xs:complexType>",
    )
    _both_ways(form, {"@x": 1, "@u": 'a"\n', "#text": "1.50"}, '<n1:In x="1" u="a&quot;&#10;">1.50</n1:In>')


def test_extension_of_a_concrete_type() -> None:
    form = _content(
        '<xs:sequence><xs:element name="a" type="t:Base"/></xs:sequence>',
        '<xs:complexType name="Base"><xs:sequence><xs:element name="x" type="xs:int"/></xs:sequence></xs:complexType>'
        '<xs:complexType name="More"><xs:complexContent><xs:extension base="t:Base"><xs:sequence>'
        '<xs:element name="y" type="xs:int"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>',
    )
    _both_ways(form, {"a": {"x": 1}}, "<n1:In><n1:a><n1:x>1</n1:x></n1:a></n1:In>")
    more = {"a": {"@xsi:type": "More", "x": 1, "y": 2}}
    assert _render(form, more) == '<n1:In><n1:a xsi:type="n1:More"><n1:x>1</n1:x><n1:y>2</n1:y></n1:a></n1:In>'
    assert _decode(form, '<In><a xsi:type="t:More"><x>1</x><y>2</y></a></In>') == more
    with pytest.raises(BadValue, match="doesn't name"):
        _decode(form, '<In><a xsi:type="t:Else"><x>1</x></a></In>')
    assert not _accepts(form, {"a": {"x": 1, "y": 2}})


def test_substitution_group() -> None:
    form = _content(
        '<xs:sequence><xs:element ref="t:head"/></xs:sequence>',
        '<xs:element name="head" type="xs:string" abstract="true"/>'
        '<xs:element name="one" type="xs:string" substitutionGroup="t:head"/>'
        '<xs:element name="two" substitutionGroup="t:head"/>',
    )
    _both_ways(form, {"one": "x"}, "<n1:In><n1:one>x</n1:one></n1:In>")
    assert not _accepts(form, {"one": "x", "two": "y"})
    assert not _accepts(form, {"head": "x"})


def test_recursion_through_an_element() -> None:
    form = _content('<xs:sequence><xs:element ref="t:In" minOccurs="0"/></xs:sequence>')
    _both_ways(form, {"In": {"In": {}}}, "<n1:In><n1:In><n1:In></n1:In></n1:In></n1:In>")


def test_open_content_stays_xml_text() -> None:
    form = _content(
        '<xs:sequence><xs:element name="a" type="t:M"/><xs:element name="b"/></xs:sequence>',
        '<xs:complexType name="M" mixed="true"><xs:sequence><xs:any/></xs:sequence><xs:attribute name="k"/>'
        "</xs:complexType>",
    )
    value = {"a": {"@k": "v", "#text": 'say <i xmlns="">hi</i> &amp; go'}, "b": "1 &lt; 2"}
    assert _decode(form, '<In><a k="v">say <i xmlns="">hi</i> &amp; go</a><b>1 &lt; 2</b></In>') == {
        **value,
        "a": {"@k": "v", "#text": "say <i>hi</i> &amp; go"},
    }
    rendered = _render(form, value)
    assert rendered == '<n1:In><n1:a k="v">say <i>hi</i> &amp; go</n1:a><n1:b>1 &lt; 2</n1:b></n1:In>'
    for hostile in ("</n1:b>", "<a>", "&x;", "</x><x>"):
        with pytest.raises(BadValue):
            Renderer(form, form.ports[0].operations[0].input).body({"a": {"#text": ""}, "b": hostile})


def test_lists_and_unions() -> None:
    form = _content(
        '<xs:sequence><xs:element name="a"><xs:simpleType><xs:list itemType="xs:int"/></xs:simpleType></xs:element>'
        '<xs:element name="b" maxOccurs="9"><xs:simpleType><xs:union memberTypes="xs:int"><xs:simpleType>'
        '<xs:restriction base="xs:string"><xs:enumeration value="all"/></xs:restriction></xs:simpleType></xs:union>'
        "</xs:simpleType></xs:element></xs:sequence>"
    )
    _both_ways(form, {"a": [1, 2], "b": ["all", 3]}, "<n1:In><n1:a>1 2</n1:a><n1:b>all</n1:b><n1:b>3</n1:b></n1:In>")
    assert not _accepts(form, {"a": [], "b": ["some"]})
    with pytest.raises(BadValue):
        _decode(form, "<In><a/><b>some</b></In>")


def test_facets_reach_the_schema() -> None:
    form = _content(
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
    assert [_accepts(form, {"a": code, "n": 1}) for code in ("ABC", "ABCDE", "BCD", "Abc", "xAB")] == [True] + [
        False
    ] * 4
    assert [_accepts(form, {"a": "A", "n": number}) for number in (0, 1, 9, 10)] == [False, True, True, False]


def test_defaults_fill_empty_elements_only() -> None:
    form = _content('<xs:sequence><xs:element name="a" type="xs:int" default="7" minOccurs="0"/></xs:sequence>')
    assert _decode(form, "<In><a/></In>") == {"a": 7}
    assert _decode(form, "<In/>") == {}


def test_unqualified_and_bare_forms() -> None:
    types = (
        '<xs:element name="In"><xs:complexType><xs:sequence><xs:element name="a" type="xs:int"/>'
        "</xs:sequence></xs:complexType></xs:element>"
    )
    assert _render(_form(types, form="unqualified"), {"a": 1}) == "<n1:In><a>1</a></n1:In>"
    bare = _form('<xs:element name="In" type="xs:int"/>')
    _both_ways(bare, {"In": 5}, "<n1:In>5</n1:In>")


def test_rpc_literal() -> None:
    parts = '<w:part name="x" type="xs:int"/><w:part name="y" type="t:T"/>'
    types = (
        '<xs:complexType name="T"><xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence></xs:complexType>'
    )
    form = _form(types, parts=parts, style="rpc")
    value = {"x": 1, "y": {"a": "b"}}
    assert _render(form, value) == "<n1:Op><x>1</x><y><n2:a>b</n2:a></y></n1:Op>"
    output = form.ports[0].operations[0].output
    assert output is not None
    body = etree.fromstring('<b><r:Any xmlns:r="urn:rpc"><x>1</x><y><a xmlns="urn:t">b</a></y></r:Any></b>')
    assert Decoder(form, output, UTC).body(list(body), Notes()) == value


_EMPTY = '<xs:element name="In"><xs:complexType/></xs:element>'


def test_what_is_left_out_says_why() -> None:
    rpc = '<w:part name="x" type="xs:int"/>'
    assert _left_out(_form(_EMPTY, parts=rpc, style="rpc", use="encoded")) == "rpc/encoded messages"
    assert _left_out(_form(_EMPTY, parts=rpc)) == "a document message whose part names a type instead of an element"
    header = '<s:header message="t:Head" part="Session" use="literal"/>'
    assert _left_out(_form(_EMPTY, header=header)) == "the SOAP header Session"
    twice = (
        '<xs:sequence><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/>'
        '<xs:element name="a" type="xs:int"/></xs:sequence>'
    )
    assert "'a' occurs at two places" in _left_out(_content(twice))
    wild = '<xs:choice maxOccurs="9"><xs:any namespace="##other"/><xs:element name="a" type="xs:int"/></xs:choice>'
    assert "wildcard" in _left_out(_content(wild))


def test_included_schemas_take_the_includers_namespace() -> None:
    included = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified">'
        '<xs:complexType name="C"><xs:sequence><xs:element name="a" type="D"/></xs:sequence></xs:complexType>'
        '<xs:simpleType name="D"><xs:restriction base="xs:int"/></xs:simpleType></xs:schema>'
    )
    types = '<xs:include schemaLocation="x/c.xsd"/><xs:element name="In" type="t:C"/>'
    _both_ways(_form(types, {"x/c.xsd": included}), {"a": 1}, "<n1:In><n1:a>1</n1:a></n1:In>")


def test_the_catalogue_serves_standard_schemas() -> None:
    types = (
        '<xs:import namespace="http://www.w3.org/2005/05/xmlmime" schemaLocation="http://www.w3.org/2005/05/xmlmime"/>'
        '<xs:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/>'
        '<xs:import namespace="http://www.w3.org/XML/1998/namespace" schemaLocation="http://www.w3.org/2001/xml.xsd"/>'
        '<xs:element name="In" type="m:base64Binary" xmlns:m="http://www.w3.org/2005/05/xmlmime"/>'
    )
    form = _form(types)
    assert _render(form, {"@contentType": "a/b", "#text": "AA=="}) == '<n1:In n2:contentType="a/b">AA==</n1:In>'
