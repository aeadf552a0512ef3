"""What a WSDL says of its types and zeep's model forgets: it all stands in the JSON Schema, and no more than one
operation needs."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from lxml import etree

from adapters.soap.encoded import resolved
from adapters.soap.form import Form
from adapters.soap.schema import input_schema, output_schema
from adapters.soap.values import BadValue


def _schema(form: Form) -> Any:
    return input_schema(form, form.ports[0].operations[0].input)


def test_enumerations_facets_and_documentation_are_kept(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence><xs:element name="a" type="t:Size"><xs:annotation><xs:documentation>How big.</xs:documentation>'
        '</xs:annotation></xs:element><xs:element name="b"><xs:simpleType><xs:restriction base="xs:string"><xs:length'
        ' value="3"/></xs:restriction></xs:simpleType></xs:element></xs:sequence>',
        '<xs:simpleType name="Size"><xs:annotation><xs:documentation>A size.</xs:documentation></xs:annotation>'
        '<xs:restriction base="xs:token"><xs:enumeration value="S"/><xs:enumeration value="L"/></xs:restriction>'
        "</xs:simpleType>",
    )
    schema = _schema(form)
    assert schema["properties"]["a"]["description"] == "How big."
    size = schema["$defs"]["Size"]
    assert (size["enum"], size["description"]) == (["S", "L"], "A size.")
    assert next(each for name, each in schema["$defs"].items() if name != "Size")["minLength"] == 3


def test_an_unnamed_type_and_a_named_one_may_share_a_name(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence><xs:element name="Part"><xs:complexType><xs:sequence><xs:element name="own" type="xs:int"/>'
        '</xs:sequence></xs:complexType></xs:element><xs:element name="other" type="t:Part"/></xs:sequence>',
        '<xs:complexType name="Part"><xs:sequence><xs:element name="named" type="xs:string"/></xs:sequence>'
        "</xs:complexType>",
    )
    value = {"Part": {"own": 1}, "other": {"named": "x"}}
    shapes.both_ways(form, value, "<n1:In><n1:Part><n1:own>1</n1:own></n1:Part><n1:other><n1:named>x</n1:named>"
                     "</n1:other></n1:In>")  # fmt: skip
    assert len(_schema(form)["$defs"]) == 2


def test_only_types_that_the_operation_reaches_are_in_its_schema(shapes: ModuleType) -> None:
    others = "".join(
        f'<xs:complexType name="Other{number}"><xs:sequence><xs:element name="x" type="t:Other{number + 1}"'
        ' minOccurs="0"/></xs:sequence></xs:complexType>'
        for number in range(50)
    ).replace('type="t:Other50"', 'type="xs:int"')
    form = shapes.content('<xs:sequence><xs:element name="a" type="t:Other47"/></xs:sequence>', others)
    assert set(_schema(form)["$defs"]) == {"Other47", "Other48", "Other49"}


def test_what_json_schema_has_a_word_for_is_said_by_it(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence><xs:choice><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/></xs:choice>'
        '<xs:element name="c" type="xs:base64Binary"/><xs:element name="d" type="t:D" minOccurs="0"/>'
        '<xs:element name="e" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="a|b"/>'
        '</xs:restriction></xs:simpleType></xs:element></xs:sequence><xs:attribute name="k" type="xs:boolean"/>',
        '<xs:complexType name="D"><xs:sequence><xs:element name="d" type="t:D" nillable="true" minOccurs="0"'
        ' maxOccurs="unbounded"/></xs:sequence></xs:complexType>',
    )
    schema = _schema(form)
    assert [each["required"] for each in schema["oneOf"]] == [["a"], ["b"]]
    assert schema["properties"]["c"] == {"type": "string", "contentEncoding": "base64"}
    assert schema["properties"]["@k"] == {"type": "boolean"}
    nested = schema["$defs"]["D"]["properties"]["d"]
    assert nested == {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/D"}, {"type": "null"}]}}
    assert not shapes.accepts(form, {"a": 1, "c": "", "e": "xa"})
    assert shapes.accepts(form, {"a": 1, "c": "", "e": "a"})
    output = output_schema(form, form.ports[0].operations[0].output)
    assert output["$defs"]["D"]["required"] == ["d"]  # always an array, an empty one too


def test_scalars_by_reference(shapes: ModuleType) -> None:
    """Axis refers to a number that occurs twice as it does to an object (multiRef); zeep leaves the reference."""
    body = etree.fromstring(
        '<b><r><a href="#1"/><b href="#1"/></r><multiRef id="1" xmlns:x="urn:x" type="x:int">5</multiRef></b>'
    )
    (root,) = resolved(list(body))
    assert [each.text for each in root] == ["5", "5"]


@pytest.mark.parametrize(
    ("fixed", "kind", "given", "fine"),
    [
        ("2.50", "decimal", "2.5", True),
        ("2.50", "decimal", "2.6", False),
        ("2020-01-01", "date", "2020-01-02", False),
        ("AAE=", "base64Binary", "AAI=", False),
    ],
)
def test_a_fixed_value_is_no_other(fixed: str, kind: str, given: str, fine: bool, shapes: ModuleType) -> None:
    form = shapes.content(f'<xs:sequence><xs:element name="a" type="xs:{kind}" fixed="{fixed}"/></xs:sequence>')
    assert _schema(form)["properties"]["a"]["examples"] == [fixed]
    if fine:
        assert shapes.render(form, {"a": given})
    else:
        with pytest.raises(BadValue) as caught:
            shapes.render(form, {"a": given})
        assert caught.value.path == ["a"]


@pytest.mark.parametrize("xml", ["<In><a>q:x</a></In>", "<In><a>:x</a></In>", "<In><a/></In>", "<In><a>1x</a></In>"])
def test_a_name_that_means_nothing_is_refused(xml: str, shapes: ModuleType) -> None:
    form = shapes.content('<xs:sequence><xs:element name="a" type="xs:QName"/></xs:sequence>')
    with pytest.raises(BadValue):
        shapes.decode(form, xml)


def test_null_with_attributes(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence><xs:element name="a" nillable="true" type="t:A"/></xs:sequence>',
        '<xs:complexType name="A"><xs:simpleContent><xs:extension base="xs:int"><xs:attribute name="why"'
        ' type="xs:string" use="required"/></xs:extension></xs:simpleContent></xs:complexType>',
    )
    value = {"a": {"@xsi:nil": True, "@why": "unknown"}}
    shapes.both_ways(form, value, '<n1:In><n1:a why="unknown" xsi:nil="true"/></n1:In>')
    assert not shapes.accepts(form, {"a": None})
    assert shapes.decode(form, '<In><a xsi:nil="true"/></In>') == {"a": None}
