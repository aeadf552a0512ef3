"""Small WSDLs of the rpc style, as the toolkits of its time wrote them."""

from __future__ import annotations

from collections.abc import Mapping

_RPC = """<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:c="http://schemas.xmlsoap.org/soap/encoding/" xmlns:t="urn:t"
    targetNamespace="urn:t">
  <w:types>{types}</w:types><w:message name="In">{parts}</w:message><w:message name="Out">{answer}</w:message>
  <w:message name="Empty"/>
  <w:portType name="P"><w:operation name="find"><w:input name="byName" message="t:In"/><w:output message="t:Out"/>
    </w:operation><w:operation name="find"><w:input name="all" message="t:Empty"/><w:output message="t:Out"/>
    </w:operation><w:operation name="note"><w:input message="t:In"/></w:operation></w:portType>
  <w:binding name="B" type="t:P"><s:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
    <w:operation name="find"><s:operation soapAction=""/><w:input name="byName">{body}</w:input><w:output>{body}
    </w:output></w:operation><w:operation name="find"><s:operation soapAction=""/><w:input name="all">{body}</w:input>
    <w:output>{body}</w:output></w:operation><w:operation name="note"><s:operation soapAction=""/><w:input>{body}
    </w:input></w:operation></w:binding>
  <w:service name="S"><w:port name="P" binding="t:B"><s:address location="http://x/"/></w:port></w:service>
</w:definitions>"""


def _types(content: str) -> str:
    return f'<xs:schema targetNamespace="urn:t">{content}</xs:schema>'


_ENCODED_BODY = '<s:body use="encoded" namespace="urn:r" encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"/>'
_ARRAY = """<xs:complexType name="{name}"><xs:complexContent><xs:restriction base="c:Array"><xs:attribute
 ref="c:arrayType" w:arrayType="{item}[]"/></xs:restriction></xs:complexContent></xs:complexType>"""

# Beans in arrays, bases and what is derived from them, types of SOAP encoding, overloaded operations.
_AXIS = _RPC.format(
    types=_types(
        '<xs:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/>'
        '<xs:complexType name="Bean"><xs:sequence><xs:element name="name" nillable="true" type="c:string"/>'
        '<xs:element name="next" nillable="true" type="t:Bean"/><xs:element name="count" type="xs:int"/></xs:sequence>'
        '</xs:complexType><xs:complexType name="Big"><xs:complexContent><xs:extension base="t:Bean"><xs:sequence>'
        '<xs:element name="amount" type="xs:decimal"/></xs:sequence></xs:extension></xs:complexContent>'
        f"</xs:complexType>{_ARRAY.format(name='Beans', item='t:Bean')}{_ARRAY.format(name='Texts', item='xs:string')}",
    ),
    parts='<w:part name="bean" type="t:Bean"/><w:part name="texts" type="t:Texts"/>',
    answer='<w:part name="findReturn" type="t:Beans"/>',
    body=_ENCODED_BODY,
)
# Arrays that say nothing of their items, structures, values of any type.
_PHP = _RPC.format(
    types=_types(
        '<xs:complexType name="Row"><xs:all><xs:element name="id" type="xs:int"/><xs:element name="any"'
        ' type="xs:anyType"/></xs:all></xs:complexType>',
    ),
    parts='<w:part name="rows" type="c:Array"/><w:part name="row" type="t:Row"/>',
    answer='<w:part name="return" type="t:Row"/>',
    body=_ENCODED_BODY,
)
ENCODED: Mapping[str, str] = {"axis": _AXIS, "php": _PHP}
"""Name → WSDL of rpc/encoded services, which no XML Schema can judge."""
