"""Each construct of a content model by itself: its JSON and its XML."""

from __future__ import annotations

from types import ModuleType

import pytest

from adapters.soap.render import Renderer
from adapters.soap.values import BadValue


def test_sequence_of_optional_nillable_and_repeated(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence><xs:element name="a" type="xs:int" minOccurs="0"/>'
        '<xs:element name="b" type="xs:int" nillable="true"/>'
        '<xs:element name="c" type="xs:int" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>'
    )
    shapes.both_ways(form, {"b": None, "c": []}, '<n1:In><n1:b xsi:nil="true"/></n1:In>')
    shapes.both_ways(
        form, {"a": 1, "b": 2, "c": [3, 4]}, "<n1:In><n1:a>1</n1:a><n1:b>2</n1:b><n1:c>3</n1:c><n1:c>4</n1:c></n1:In>"
    )
    assert shapes.accepts(form, {"b": 1})
    assert not shapes.accepts(form, {})
    assert not shapes.accepts(form, {"a": None, "b": 1})


def test_choice(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:choice><xs:element name="a" type="xs:int"/><xs:sequence><xs:element name="b" type="xs:int"/>'
        '<xs:element name="c" type="xs:int" minOccurs="0" maxOccurs="2"/></xs:sequence></xs:choice>'
    )
    shapes.both_ways(form, {"a": 1}, "<n1:In><n1:a>1</n1:a></n1:In>")
    shapes.both_ways(form, {"b": 1, "c": [2]}, "<n1:In><n1:b>1</n1:b><n1:c>2</n1:c></n1:In>")
    assert shapes.decode(form, "<In><b>1</b></In>") == {"b": 1}
    for wrong in ({}, {"a": 1, "b": 1}, {"c": [1]}, {"a": 1, "c": [1]}):
        assert not shapes.accepts(form, wrong)


def test_optional_choice_and_choice_of_optionals(shapes: ModuleType) -> None:
    optional = shapes.content(
        '<xs:choice minOccurs="0"><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/></xs:choice>'
    )
    assert [shapes.accepts(optional, each) for each in ({}, {"a": 1}, {"a": 1, "b": 1})] == [True, True, False]
    empty = shapes.content(
        '<xs:choice><xs:element name="a" type="xs:int" minOccurs="0"/><xs:element name="b" type="xs:int"/></xs:choice>'
    )
    assert [shapes.accepts(empty, each) for each in ({}, {"a": 1}, {"b": 1}, {"a": 1, "b": 1})] == [
        True,
        True,
        True,
        False,
    ]


def test_choice_whose_branches_share_a_name(shapes: ModuleType) -> None:
    branch = '<xs:sequence><xs:element name="{}" type="xs:int"/><xs:element name="z" type="xs:int"/></xs:sequence>'
    form = shapes.content(f"<xs:choice>{branch.format('a')}{branch.format('b')}</xs:choice>")
    shapes.both_ways(form, {"b": 1, "z": 2}, "<n1:In><n1:b>1</n1:b><n1:z>2</n1:z></n1:In>")
    assert not shapes.accepts(form, {"z": 1})


def test_repeated_choice_keeps_the_order(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:choice maxOccurs="unbounded"><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/>'
        "</xs:choice>"
    )
    xml = "<n1:In><n1:b>1</n1:b><n1:a>2</n1:a><n1:a>3</n1:a></n1:In>"
    shapes.both_ways(form, {"#items": [{"b": 1}, {"a": 2}, {"a": 3}]}, xml)
    assert not shapes.accepts(form, {"#items": []})


def test_repeated_sequence_with_optional_and_nested_parts(shapes: ModuleType) -> None:
    form = shapes.content(
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
    shapes.both_ways(form, value, xml)
    assert shapes.decode(form, "<In><e>1</e></In>") == {"#items": [], "e": 1}


def test_one_element_in_a_repeated_group_is_an_array(shapes: ModuleType) -> None:
    form = shapes.content('<xs:sequence maxOccurs="5"><xs:element name="a" type="xs:int" minOccurs="0"/></xs:sequence>')
    shapes.both_ways(form, {"a": [1, 2]}, "<n1:In><n1:a>1</n1:a><n1:a>2</n1:a></n1:In>")


def test_all_and_groups_and_attribute_groups(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence><xs:group ref="t:G"/></xs:sequence><xs:attributeGroup ref="t:A"/>',
        '<xs:group name="G"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:group>'
        '<xs:attributeGroup name="A"><xs:attribute name="x" type="xs:boolean" use="required"/>'
        '<xs:attribute ref="xml:lang"/></xs:attributeGroup>',
    )
    shapes.both_ways(form, {"@x": True, "@lang": "de", "a": 1}, '<n1:In x="true" xml:lang="de"><n1:a>1</n1:a></n1:In>')
    unordered = shapes.content(
        '<xs:all><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int" minOccurs="0"/></xs:all>'
    )
    assert shapes.decode(unordered, "<In><b>2</b><a>1</a></In>") == {"a": 1, "b": 2}


def test_simple_content_extension_and_restriction(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:simpleContent><xs:extension base="t:B"><xs:attribute name="u" type="xs:string"/></xs:extension>'
        "</xs:simpleContent>",
        '<xs:complexType name="B"><xs:simpleContent><xs:extension base="xs:decimal">'
        '<xs:attribute name="x" type="xs:int"/>'
        "</xs:extension></xs:simpleContent></xs:complexType>",
    )
    shapes.both_ways(form, {"@x": 1, "@u": 'a"\n', "#text": "1.50"}, '<n1:In x="1" u="a&quot;&#10;">1.50</n1:In>')


def test_extension_of_a_concrete_type(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence><xs:element name="a" type="t:Base"/></xs:sequence>',
        '<xs:complexType name="Base"><xs:sequence><xs:element name="x" type="xs:int"/></xs:sequence></xs:complexType>'
        '<xs:complexType name="More"><xs:complexContent><xs:extension base="t:Base"><xs:sequence>'
        '<xs:element name="y" type="xs:int"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>',
    )
    shapes.both_ways(form, {"a": {"x": 1}}, "<n1:In><n1:a><n1:x>1</n1:x></n1:a></n1:In>")
    more = {"a": {"@xsi:type": "More", "x": 1, "y": 2}}
    assert shapes.render(form, more) == '<n1:In><n1:a xsi:type="n1:More"><n1:x>1</n1:x><n1:y>2</n1:y></n1:a></n1:In>'
    assert shapes.decode(form, '<In><a xsi:type="t:More"><x>1</x><y>2</y></a></In>') == more
    with pytest.raises(BadValue, match="doesn't name"):
        shapes.decode(form, '<In><a xsi:type="t:Else"><x>1</x></a></In>')
    assert not shapes.accepts(form, {"a": {"x": 1, "y": 2}})


def test_substitution_group(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence><xs:element ref="t:head"/></xs:sequence>',
        '<xs:element name="head" type="xs:string" abstract="true"/>'
        '<xs:element name="one" type="xs:string" substitutionGroup="t:head"/>'
        '<xs:element name="two" substitutionGroup="t:head"/>',
    )
    shapes.both_ways(form, {"one": "x"}, "<n1:In><n1:one>x</n1:one></n1:In>")
    assert not shapes.accepts(form, {"one": "x", "two": "y"})
    assert not shapes.accepts(form, {"head": "x"})


def test_recursion_through_an_element(shapes: ModuleType) -> None:
    form = shapes.content('<xs:sequence><xs:element ref="t:In" minOccurs="0"/></xs:sequence>')
    shapes.both_ways(form, {"In": {"In": {}}}, "<n1:In><n1:In><n1:In></n1:In></n1:In></n1:In>")


def test_open_content_stays_xml_text(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence><xs:element name="a" type="t:M"/><xs:element name="b"/></xs:sequence>',
        '<xs:complexType name="M" mixed="true"><xs:sequence><xs:any/></xs:sequence><xs:attribute name="k"/>'
        "</xs:complexType>",
    )
    value = {"a": {"@k": "v", "#text": 'say <i xmlns="">hi</i> &amp; go'}, "b": "1 &lt; 2"}
    assert shapes.decode(form, '<In><a k="v">say <i xmlns="">hi</i> &amp; go</a><b>1 &lt; 2</b></In>') == {
        **value,
        "a": {"@k": "v", "#text": "say <i>hi</i> &amp; go"},
    }
    rendered = shapes.render(form, value)
    assert rendered == '<n1:In><n1:a k="v">say <i>hi</i> &amp; go</n1:a><n1:b>1 &lt; 2</n1:b></n1:In>'
    for hostile in ("</n1:b>", "<a>", "&x;", "</x><x>"):
        with pytest.raises(BadValue):
            Renderer(form, form.ports[0].operations[0].input).body({"a": {"#text": ""}, "b": hostile})
