"""What documents are made of: imports of every kind, redefinition, the catalogue, and the bounds of all that."""

from __future__ import annotations

from types import ModuleType

import pytest

from adapters.errors import ConfigError
from adapters.soap.complex_types import Types
from adapters.soap.resolver import CATALOGUE, Documents
from adapters.soap.xsd import schemas_of

_XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'


def _schema(content: str, namespace: str = "") -> str:
    target = f' targetNamespace="{namespace}" xmlns:t="{namespace}"' if namespace else ""
    return f'<xs:schema {_XS}{target} elementFormDefault="qualified">{content}</xs:schema>'


def test_the_whole_catalogue_compiles() -> None:
    documents = Documents({}, "")
    for namespace in CATALOGUE:
        documents.add_catalogue(namespace)
    assert not documents.problems
    types = Types(schemas_of(documents))
    for source in documents.schemas:
        for node in source.root.iterfind("{http://www.w3.org/2001/XMLSchema}complexType"):
            types.need(f"{{{source.namespace}}}{node.get('name')}")
    assert len(types.types) > 50
    assert not types.broken


def test_redefined_types_take_the_place_of_the_old_ones(shapes: ModuleType) -> None:
    old = _schema(
        '<xs:complexType name="P"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:complexType>'
        '<xs:complexType name="Q"><xs:complexContent><xs:extension base="t:P"><xs:sequence>'
        '<xs:element name="z" type="xs:int"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>'
        '<xs:simpleType name="S"><xs:restriction base="xs:string"><xs:maxLength value="9"/></xs:restriction>'
        '</xs:simpleType><xs:group name="G"><xs:sequence><xs:element name="g" type="t:S"/></xs:sequence></xs:group>'
        '<xs:attributeGroup name="A"><xs:attribute name="x"/></xs:attributeGroup>',
        "urn:t",
    )
    types = (
        '<xs:redefine schemaLocation="old.xsd"><xs:complexType name="P"><xs:complexContent><xs:extension base="t:P">'
        '<xs:sequence><xs:element name="b" type="xs:int"/></xs:sequence></xs:extension></xs:complexContent>'
        '</xs:complexType><xs:simpleType name="S"><xs:restriction base="t:S"><xs:minLength value="2"/></xs:restriction>'
        '</xs:simpleType><xs:group name="G"><xs:sequence><xs:group ref="t:G"/><xs:element name="h" type="xs:int"/>'
        '</xs:sequence></xs:group><xs:attributeGroup name="A"><xs:attributeGroup ref="t:A"/><xs:attribute name="y"/>'
        '</xs:attributeGroup></xs:redefine><xs:element name="In"><xs:complexType><xs:sequence>'
        '<xs:element name="p" type="t:P"/><xs:group ref="t:G"/></xs:sequence><xs:attributeGroup ref="t:A"/>'
        "</xs:complexType></xs:element>"
    )
    form = shapes.form(types, {"old.xsd": old})
    value = {"@x": "1", "@y": "2", "p": {"a": 1, "b": 2}, "g": "ab", "h": 3}
    xml = '<n1:In x="1" y="2"><n1:p><n1:a>1</n1:a><n1:b>2</n1:b></n1:p><n1:g>ab</n1:g><n1:h>3</n1:h></n1:In>'
    shapes.both_ways(form, value, xml)
    assert [shapes.accepts(form, {**value, "g": text}) for text in ("a", "x" * 9, "x" * 10)] == [False, True, False]
    extended = {"@xsi:type": "Q", "a": 1, "b": 2, "z": 3}
    assert shapes.accepts(form, {**value, "p": extended})


def test_circular_imports_and_includes(shapes: ModuleType) -> None:
    one = _schema(
        '<xs:import namespace="urn:two" schemaLocation="two.xsd"/><xs:include schemaLocation="more.xsd"/>'
        '<xs:complexType name="One"><xs:sequence><xs:element name="two" type="o:Two" minOccurs="0" xmlns:o="urn:two"/>'
        '<xs:element name="more" type="t:More"/></xs:sequence></xs:complexType>',
        "urn:one",
    )
    two = _schema(
        '<xs:import namespace="urn:one" schemaLocation="one.xsd"/><xs:complexType name="Two"><xs:sequence>'
        '<xs:element name="one" type="o:One" xmlns:o="urn:one"/></xs:sequence></xs:complexType>',
        "urn:two",
    )
    more = _schema(
        '<xs:include schemaLocation="one.xsd"/><xs:simpleType name="More"><xs:restriction base="xs:int"/>'
        "</xs:simpleType>",
        "urn:one",
    )
    types = '<xs:import namespace="urn:one" schemaLocation="one.xsd"/><xs:element name="In" type="o:One" '
    types += 'xmlns:o="urn:one"/>'
    form = shapes.form(types, {"one.xsd": one, "two.xsd": two, "more.xsd": more})
    value = {"more": 1, "two": {"one": {"more": 2}}}
    assert shapes.accepts(form, value)


def test_a_schema_without_namespace(shapes: ModuleType) -> None:
    bare = _schema(
        '<xs:element name="e" type="S"/><xs:simpleType name="S"><xs:restriction base="xs:int"/></xs:simpleType>'
    )
    types = (
        '<xs:import schemaLocation="bare.xsd"/><xs:element name="In"><xs:complexType><xs:sequence>'
        '<xs:element ref="e"/></xs:sequence></xs:complexType></xs:element>'
    )
    form = shapes.form(types, {"bare.xsd": bare})
    assert shapes.render(form, {"e": 1}) == "<n1:In><e>1</e></n1:In>"
    assert shapes.decode(form, '<In><e xmlns="">1</e></In>') == {"e": 1}


def test_one_chameleon_in_two_namespaces(shapes: ModuleType) -> None:
    common = _schema(
        '<xs:element name="c" type="C"/><xs:simpleType name="C"><xs:restriction base="xs:int"/></xs:simpleType>'
    )
    other = _schema('<xs:include schemaLocation="c.xsd"/>', "urn:o")
    types = (
        '<xs:include schemaLocation="c.xsd"/><xs:import namespace="urn:o" schemaLocation="o.xsd"/>'
        '<xs:element name="In"><xs:complexType><xs:sequence><xs:element ref="t:c"/>'
        '<xs:element ref="o:c" xmlns:o="urn:o"/></xs:sequence></xs:complexType></xs:element>'
    )
    form = shapes.form(types, {"c.xsd": common, "o.xsd": other})
    assert shapes.render(form, {"{urn:t}c": 1, "{urn:o}c": 2}) == "<n1:In><n1:c>1</n1:c><n2:c>2</n2:c></n1:In>"


def test_an_import_that_another_schema_fills_may_name_a_file_that_is_not_there(shapes: ModuleType) -> None:
    types = '<xs:import namespace="urn:t" schemaLocation="http://x/?xsd=1"/><xs:element name="In" type="xs:int"/>'
    shapes.both_ways(shapes.form(types), {"In": 1}, "<n1:In>1</n1:In>")
    with pytest.raises(ConfigError, match="isn't in the workspace"):
        shapes.form(types.replace("urn:t", "urn:gone"))


def test_a_long_chain_of_imports_ends() -> None:
    files = {
        f"{n}.xsd": _schema(f'<xs:import namespace="urn:{n + 1}" schemaLocation="{n + 1}.xsd"/>', f"urn:{n}").encode()
        for n in range(3000)
    }
    documents = Documents(files, "0.xsd")
    documents.walk()
    assert "too long a chain" in documents.problems[0].message
    assert len(documents.schemas) < 200


def test_very_many_documents_are_refused() -> None:
    files = {f"{n}.xsd": _schema("", f"urn:{n}").encode() for n in range(2500)}
    imports = "".join(f'<xs:import namespace="urn:{n}" schemaLocation="{n}.xsd"/>' for n in range(2500))
    documents = Documents({**files, "all.xsd": _schema(imports, "urn:all").encode()}, "all.xsd")
    documents.walk()
    assert any("too many documents" in each.message for each in documents.problems)
    assert len(documents.schemas) <= 2001


def test_entities_do_not_multiply() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))
    bomb = f"<!DOCTYPE x [{laughs}]><x>&l11;</x>".encode()
    documents = Documents({"x.wsdl": bomb}, "x.wsdl")
    documents.walk()
    (problem,) = documents.problems
    assert "document type declaration" in problem.message or "well-formed" in problem.message
