"""Content that an object's properties can't tell apart: its elements stand one by one, in the order of the WSDL."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.soap.form import Element, Group, Particle, Wildcard
from adapters.soap.order import follows
from adapters.soap.render import Renderer
from adapters.soap.values import BadValue

_A, _B, _C = (f'<xs:element name="{name}" type="xs:int"/>' for name in "abc")


def test_one_name_at_two_places(shapes: ModuleType) -> None:
    form = shapes.content(f"<xs:sequence>{_A}{_B}{_A}</xs:sequence>")
    value = {"#items": [{"a": 1}, {"b": 2}, {"a": 3}]}
    shapes.both_ways(form, value, "<n1:In><n1:a>1</n1:a><n1:b>2</n1:b><n1:a>3</n1:a></n1:In>")
    for wrong in ({}, {"#items": []}, {"#items": [{"a": 1}, {"a": 2}, {"b": 3}]}):
        with pytest.raises(BadValue, match="order"):
            shapes.render(form, wrong)
    for wrong in ({"#items": [{}]}, {"#items": [{"a": 1, "b": 1}]}, {"#items": [{"c": 1}]}, {"a": 1}):
        assert not shapes.accepts(form, wrong)


def test_one_name_within_a_repeated_group_and_beside_it(shapes: ModuleType) -> None:
    form = shapes.content(f'<xs:sequence>{_A}<xs:sequence maxOccurs="9">{_B}{_A}</xs:sequence></xs:sequence>')
    value = {"#items": [{"a": 1}, {"b": 2}, {"a": 3}, {"b": 4}, {"a": 5}]}
    xml = "".join(f"<n1:{name}>{number}</n1:{name}>" for item in value["#items"] for name, number in item.items())
    shapes.both_ways(form, value, f"<n1:In>{xml}</n1:In>")


def test_wildcard_in_a_repeated_group(shapes: ModuleType) -> None:
    form = shapes.content(f'<xs:choice minOccurs="0" maxOccurs="9"><xs:any namespace="##other"/>{_A}</xs:choice>')
    value = {"#items": [{"a": 1}, {"#any": ['<x xmlns="urn:x">5</x>']}, {"a": 2}]}
    shapes.both_ways(form, value, '<n1:In><n1:a>1</n1:a><x xmlns="urn:x">5</x><n1:a>2</n1:a></n1:In>')
    assert shapes.decode(form, "<In/>") == {"#items": []}
    with pytest.raises(BadValue, match="order or number"):
        shapes.render(form, {"#items": [{"a": 1}] * 10})


def test_two_wildcards(shapes: ModuleType) -> None:
    wild = '<xs:any namespace="##other" minOccurs="{}"/>'
    form = shapes.content(f"<xs:sequence>{wild.format(1)}{_A}{wild.format(0)}</xs:sequence>")
    x = '<x xmlns="urn:x"></x>'
    value = {"#items": [{"#any": [x]}, {"a": 1}, {"#any": [x]}]}
    shapes.both_ways(form, value, f"<n1:In>{x}<n1:a>1</n1:a>{x}</n1:In>")
    with pytest.raises(BadValue):
        shapes.render(form, {"#items": [{"a": 1}, {"#any": [x]}]})


def test_wildcards_in_the_branches_of_a_choice_are_written_once(shapes: ModuleType) -> None:
    wild = '<xs:any namespace="##other"/>'
    form = shapes.content(
        f"<xs:choice><xs:sequence>{_A}{wild}</xs:sequence><xs:sequence>{_B}{wild}</xs:sequence></xs:choice>"
    )
    x = '<x xmlns="urn:x"></x>'
    shapes.both_ways(form, {"b": 1, "#any": [x]}, f"<n1:In><n1:b>1</n1:b>{x}</n1:In>")
    assert not shapes.accepts(form, {"b": 1})


def test_a_wildcard_is_as_many_elements_as_the_wsdl_says(shapes: ModuleType) -> None:
    form = shapes.content('<xs:sequence><xs:any namespace="##other" minOccurs="1" maxOccurs="2"/></xs:sequence>')
    x = "<x/>"
    assert [shapes.accepts(form, {"#any": [x] * number}) for number in range(4)] == [False, True, True, False]
    assert not shapes.accepts(form, {})


def test_extension_goes_on_from_the_base_s_own_model(shapes: ModuleType) -> None:
    form = shapes.form(
        f'<xs:complexType name="B"><xs:sequence>{_A}{_B}</xs:sequence></xs:complexType>'
        '<xs:element name="In"><xs:complexType><xs:complexContent><xs:extension base="t:B">'
        f"<xs:sequence>{_A}</xs:sequence></xs:extension></xs:complexContent></xs:complexType></xs:element>"
    )
    value = {"#items": [{"a": 1}, {"b": 2}, {"a": 3}]}
    shapes.both_ways(form, value, "<n1:In><n1:a>1</n1:a><n1:b>2</n1:b><n1:a>3</n1:a></n1:In>")


def test_elements_of_one_name_in_two_namespaces(shapes: ModuleType) -> None:
    other = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:o">'
        '<xs:element name="a" type="xs:string"/></xs:schema>'
    )
    types = (
        '<xs:import namespace="urn:o" schemaLocation="o.xsd"/><xs:element name="In"><xs:complexType><xs:sequence>'
        f'{_A}<xs:element ref="o:a" xmlns:o="urn:o"/>{_B}</xs:sequence></xs:complexType></xs:element>'
    )
    form = shapes.form(types, {"o.xsd": other})
    value = {"{urn:t}a": 1, "{urn:o}a": "x", "b": 2}
    xml = "<n1:In><n1:a>1</n1:a><n2:a>x</n2:a><n1:b>2</n1:b></n1:In>"
    assert shapes.render(form, value) == xml
    read = xml.replace("n1:", "").replace("n2:a>", 'o:a xmlns:o="urn:o">', 1).replace("</n2:a", "</o:a")
    assert shapes.decode(form, read) == value


def test_attributes_of_one_name_in_two_namespaces(shapes: ModuleType) -> None:
    form = shapes.content(
        '<xs:sequence/><xs:attribute name="lang" type="xs:int"/><xs:attribute ref="xml:lang" use="required"/>'
    )
    value = {"@lang": 1, "@{http://www.w3.org/XML/1998/namespace}lang": "en"}
    value = {"@{}lang": 1, "@{http://www.w3.org/XML/1998/namespace}lang": "en"}
    shapes.both_ways(form, value, '<n1:In lang="1" xml:lang="en"></n1:In>')


def test_attributes_that_the_schema_does_not_name(shapes: ModuleType) -> None:
    form = shapes.content('<xs:attribute name="a" type="xs:int"/><xs:anyAttribute namespace="##any"/>')
    value = {"@a": 1, "@b": "x\ny", "@{urn:o}c": "&", "@{urn:o}d": "", "@{http://www.w3.org/XML/1998/namespace}id": "i"}
    xml = shapes.render(form, value)
    assert xml == '<n1:In a="1" b="x&#10;y" xmlns:a1="urn:o" a1:c="&amp;" a1:d="" xml:id="i"></n1:In>'
    assert shapes.decode(form, xml.replace("n1:", "")) == value
    for wrong in (
        {"@x y": ""},
        {"@{urn:o}": ""},
        {"@xmlns": "urn:t"},
        {"@{http://www.w3.org/2001/XMLSchema-instance}nil": "1"},
    ):
        with pytest.raises(BadValue):
            Renderer(form, form.ports[0].operations[0].input).body(wrong)


def test_an_absent_attribute_has_its_default(shapes: ModuleType) -> None:
    form = shapes.content('<xs:attribute name="a" type="xs:int" default="7"/><xs:attribute name="b" default="x"/>')
    assert shapes.decode(form, "<In/>") == {"@a": 7, "@b": "x"}
    assert shapes.decode(form, '<In a="1"/>') == {"@a": 1, "@b": "x"}
    assert shapes.render(form, {}) == "<n1:In></n1:In>"


def test_a_value_of_any_type_keeps_the_type_it_says(shapes: ModuleType) -> None:
    form = shapes.content('<xs:sequence><xs:element name="v" type="xs:anyType"/></xs:sequence>')
    assert shapes.decode(form, "<In><v>a<b/></v></In>") == {"v": 'a<b xmlns="urn:t"></b>'}
    typed = '<In><v xmlns:q="http://www.w3.org/2001/XMLSchema" xsi:type="q:int">5</v></In>'
    assert shapes.decode(form, typed) == {"v": {"@xsi:type": "xsd:int", "#text": "5"}}
    xml = shapes.render(form, {"v": {"@xsi:type": "{urn:t}T", "#text": "<x/>"}})
    assert xml == '<n1:In><n1:v xmlns:ty="urn:t" xsi:type="ty:T"><x></x></n1:v></n1:In>'
    assert not shapes.accepts(form, {"v": {"@xsi:type": 'x" y="', "#text": ""}})


_SPANS = st.sampled_from([(1, 1), (0, 1), (0, None), (1, None), (2, 3), (0, 0)])


@st.composite
def _models(draw: st.DrawFn, depth: int = 0) -> Particle:
    least, most = draw(_SPANS)
    kind = draw(st.sampled_from(["element", "any"] if depth > 2 else ["element", "any", "sequence", "choice"]))
    if kind == "element":
        return Element(draw(st.sampled_from("ab")), "", "xsd:int", least, most)
    if kind == "any":
        return Wildcard(least, most)
    items = draw(st.lists(_models(depth + 1), min_size=1, max_size=3))
    return Group(kind, tuple(items), least, most)  # type: ignore[arg-type]


def _pattern(particle: Particle) -> str:
    span = f"{{{particle.least},{'' if particle.most is None else particle.most}}}"
    if isinstance(particle, Element):
        return f"(?:{particle.name}){span}"
    if isinstance(particle, Wildcard):
        return f"(?:w){span}"
    return f"(?:{('|' if particle.order == 'choice' else '').join(map(_pattern, particle.items))}){span}"


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(_models(), st.text("abw", max_size=7))
def test_order_agrees_with_regular_expressions(model: Particle, text: str) -> None:
    group = Group("sequence", (model,))
    labels = ["#any" if each == "w" else each for each in text]
    assert follows(labels, group) == (re.fullmatch(_pattern(group), text) is not None)


def test_order_of_all() -> None:
    group = Group("all", (Element("a", "", "xsd:int"), Element("b", "", "xsd:int", 0), Element("c", "", "xsd:int")))
    found = [text for text in ("ac", "ca", "cab", "bac", "a", "acc", "") if follows(list(text), group)]
    assert found == ["ac", "ca", "cab", "bac"]


def test_long_lists_take_no_long_time() -> None:
    """All starts are tried side by side: a backtracking matcher would take longer than anyone lives."""
    star = Group("sequence", (Element("a", "", "xsd:int", 0, None),), 0, None)
    model = Group("sequence", (Group("sequence", (star, star, star), 0, None), Element("b", "", "xsd:int")))
    assert not follows(["a"] * 300, model)
    assert follows([*["a"] * 300, "b"], model)
