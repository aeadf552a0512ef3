"""A WSDL of one operation around a piece of schema, and what becomes of values of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import jsonschema_rs
from lxml import etree

from adapters.contract import Workspace
from adapters.soap.compiler import form_of
from adapters.soap.decode import Decoder
from adapters.soap.form import Form
from adapters.soap.notes import Notes
from adapters.soap.render import Renderer
from adapters.soap.schema import input_schema, output_schema
from adapters.soap.stored import dump, load

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


def form(types: str, files: Mapping[str, str] | None = None, **parts: str) -> Form:
    fill = {"form": "qualified", "parts": _PART, "style": "document", "use": "literal", "header": "", **parts}
    documents = {"s.wsdl": _WSDL.format(types=types, **fill), **(files or {})}
    workspace = Workspace({name: text.encode() for name, text in documents.items()}, Path("/nonexistent/cache"))
    form = form_of("s.wsdl", workspace)
    assert load(dump(form)) == form
    return form


def content(model: str, extra: str = "", files: Mapping[str, str] | None = None) -> Form:
    """A form whose one operation takes and answers element In of this content."""
    return form(f'<xs:element name="In"><xs:complexType>{model}</xs:complexType></xs:element>{extra}', files)


def left_out(form: Form) -> str:
    assert not form.ports[0].operations
    return form.ports[0].left_out["Op"]


def render(form: Form, value: Any) -> str:
    message = form.ports[0].operations[0].input
    jsonschema_rs.validator_for(input_schema(form, message)).validate(value)
    return Renderer(form, message).body(value)


def decode(form: Form, xml: str) -> Any:
    body = etree.fromstring(f'<b xmlns="urn:t" xmlns:t="urn:t" xmlns:xsi="{_XSI}">{xml}</b>')
    value = Decoder(form, form.ports[0].operations[0].input, UTC).body(list(body), Notes())
    jsonschema_rs.validator_for(output_schema(form, form.ports[0].operations[0].input)).validate(value)
    return value


_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def accepts(form: Form, value: Any) -> bool:
    schema = input_schema(form, form.ports[0].operations[0].input)
    return jsonschema_rs.validator_for(schema, validate_formats=True).is_valid(value)


def both_ways(form: Form, value: Any, xml: str) -> None:
    assert render(form, value) == xml
    assert decode(form, xml.replace("n1:", "")) == value
