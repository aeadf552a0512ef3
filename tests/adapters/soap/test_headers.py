"""Header blocks that a WSDL names: inputs of a request, and part of what a reply says."""

from __future__ import annotations

from datetime import UTC
from types import ModuleType

import jsonschema_rs
import pytest
from lxml import etree

from adapters.soap.decode import Decoder
from adapters.soap.notes import Notes
from adapters.soap.plan import Operations
from adapters.soap.schema import input_schema
from adapters.soap.values import BadValue

_TYPES = '<xs:element name="In"><xs:complexType><xs:attribute name="a"/></xs:complexType></xs:element>'
_HEADER = '<s:header message="t:Head" part="Session" use="literal" {}/>'


def test_a_header_travels_in_the_request_and_in_the_reply(shapes: ModuleType) -> None:
    form = shapes.form(_TYPES, header=_HEADER.format(""))
    plan = Operations(form, form.ports[0], UTC).plan("Op")
    value = {"@a": "1", "#headers": {"Session": "s & t"}}
    assert not plan.errors(value)
    assert not plan.errors({"@a": "1"})
    assert plan.errors({"#headers": {"Other": "x"}})
    envelope = etree.fromstring(plan.envelope(value, "<own/>"))
    assert [(each.tag, each.text) for each in envelope[0]] == [("own", None), ("{urn:t}Session", "s & t")]
    decoder = Decoder(form, form.ports[0].operations[0].input, UTC)
    assert decoder.body(list(envelope[1]), Notes()) == value
    assert b"<e:Header>" not in plan.envelope({}, "")


def test_a_header_may_be_required(shapes: ModuleType) -> None:
    form = shapes.form(_TYPES, header=_HEADER.format('w:required="true"'))
    schema = jsonschema_rs.validator_for(input_schema(form, form.ports[0].operations[0].input))
    assert [schema.is_valid(each) for each in ({}, {"#headers": {}}, {"#headers": {"Session": ""}})] == [
        False,
        False,
        True,
    ]


def test_what_a_header_cannot_hold_is_named(shapes: ModuleType) -> None:
    form = shapes.form(_TYPES, header=_HEADER.format(""))
    plan = Operations(form, form.ports[0], UTC).plan("Op")
    with pytest.raises(BadValue) as caught:
        plan.envelope({"#headers": {"Session": "\x00"}}, "")
    assert caught.value.path == ["#headers", "Session"]


def test_a_message_in_which_types_stand_in_for_each_other_has_its_element_beside_the_headers(
    shapes: ModuleType,
) -> None:
    types = (
        '<xs:complexType name="B"/><xs:complexType name="D"><xs:complexContent><xs:extension base="t:B">'
        '<xs:attribute name="x"/></xs:extension></xs:complexContent></xs:complexType><xs:element name="In" type="t:B"/>'
    )
    form = shapes.form(types, header=_HEADER.format(""))
    plan = Operations(form, form.ports[0], UTC).plan("Op")
    value = {"In": {"@xsi:type": "D", "@x": "1"}, "#headers": {"Session": "s"}}
    assert not plan.errors(value)
    assert b'xsi:type="n1:D" x="1"' in plan.envelope(value, "")
