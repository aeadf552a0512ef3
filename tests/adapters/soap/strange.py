"""Small WSDLs after the manner of large products: what each is known to be difficult for."""

from __future__ import annotations

from collections.abc import Mapping

_WSDL = """<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" xmlns:o="urn:o" targetNamespace="urn:t">
  <w:types>{types}</w:types>{messages}<w:portType name="P">{abstract}</w:portType>
  <w:binding name="B" type="t:P"><s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{bound}
  </w:binding>
  <w:service name="S"><w:port name="P" binding="t:B"><s:address location="http://x/"/></w:port></w:service>
</w:definitions>"""


def service(types: str, *elements: str, header: str = "") -> str:
    """A document/literal service with an operation for each of `elements` of urn:t, which it takes and answers."""
    messages = "".join(
        f'<w:message name="{name}"><w:part name="p" element="t:{name}"/></w:message>'
        for name in (*elements, header)
        if name
    )
    abstract = "".join(
        f'<w:operation name="Do{name}"><w:input message="t:{name}"/><w:output message="t:{name}"/></w:operation>'
        for name in elements
    )
    extra = f'<s:header message="t:{header}" part="p" use="literal"/>' if header else ""
    bound = "".join(
        f'<w:operation name="Do{name}"><s:operation soapAction=""/><w:input><s:body use="literal"/>{extra}</w:input>'
        '<w:output><s:body use="literal"/></w:output></w:operation>'
        for name in elements
    )
    return _WSDL.format(types=types, messages=messages, abstract=abstract, bound=bound)


def schema(content: str, namespace: str = "urn:t", form: str = "qualified", more: str = "") -> str:
    """A schema of `content`."""
    return (
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" xmlns:o="urn:o"'
        f' targetNamespace="{namespace}" elementFormDefault="{form}" {more}>{content}</xs:schema>'
    )


_IMPORT_O = '<xs:import namespace="urn:o"/>'
_IMPORT_T = '<xs:import namespace="urn:t"/>'

# Objects of many kinds behind one base type, in two namespaces that import each other; a session in the header.
CRM_CLOUD = service(
    schema(
        f"""{_IMPORT_O}<xs:element name="query"><xs:complexType><xs:sequence>
  <xs:element name="records" type="o:sObject" nillable="true" minOccurs="0" maxOccurs="unbounded"/>
  <xs:element name="queryLocator" type="t:QueryLocator" nillable="true"/><xs:element name="done" type="xs:boolean"/>
  <xs:element name="size" type="xs:int"/></xs:sequence></xs:complexType></xs:element>
<xs:simpleType name="QueryLocator"><xs:restriction base="xs:string"/></xs:simpleType>
<xs:simpleType name="ID"><xs:restriction base="xs:string"><xs:length value="18"/><xs:pattern value="[a-zA-Z0-9]{{18}}"/>
  </xs:restriction></xs:simpleType>
<xs:element name="SessionHeader"><xs:complexType><xs:sequence><xs:element name="sessionId" type="xs:string"/>
  </xs:sequence></xs:complexType></xs:element>"""
    ),
    "query",
    header="SessionHeader",
).replace(
    "</w:types>",
    schema(
        f"""{_IMPORT_T}<xs:complexType name="sObject"><xs:sequence>
  <xs:element name="fieldsToNull" type="xs:string" nillable="true" minOccurs="0" maxOccurs="unbounded"/>
  <xs:element name="Id" type="t:ID" nillable="true"/></xs:sequence></xs:complexType>
<xs:complexType name="Account"><xs:complexContent><xs:extension base="o:sObject"><xs:sequence>
  <xs:element name="AnnualRevenue" nillable="true" minOccurs="0" type="xs:double"/>
  <xs:element name="Parent" nillable="true" minOccurs="0" type="o:Account"/>
  <xs:element name="Contacts" nillable="true" minOccurs="0" type="o:Contact"/></xs:sequence></xs:extension>
  </xs:complexContent></xs:complexType>
<xs:complexType name="Contact"><xs:complexContent><xs:extension base="o:sObject"><xs:sequence>
  <xs:element name="Birthdate" nillable="true" minOccurs="0" type="xs:date"/></xs:sequence></xs:extension>
  </xs:complexContent></xs:complexType>""",
        "urn:o",
    )
    + "</w:types>",
)

# Tables, fixed-length fields, digits; unqualified elements; names that were escaped.
BAPI = service(
    schema(
        """<xs:simpleType name="char10"><xs:restriction base="xs:string"><xs:maxLength value="10"/></xs:restriction>
</xs:simpleType><xs:simpleType name="numeric4"><xs:restriction base="xs:string"><xs:maxLength value="4"/>
<xs:pattern value="\\d*"/></xs:restriction></xs:simpleType>
<xs:simpleType name="curr15.2"><xs:restriction base="xs:decimal"><xs:totalDigits value="15"/>
<xs:fractionDigits value="2"/>
</xs:restriction></xs:simpleType>
<xs:simpleType name="date10"><xs:restriction base="xs:string"><xs:maxLength value="10"/>
<xs:pattern value="\\d\\d\\d\\d-\\d\\d-\\d\\d"/></xs:restriction></xs:simpleType>
<xs:complexType name="Bapiret2"><xs:sequence><xs:element name="Type" type="t:char10"/>
<xs:element name="Number" type="t:numeric4"/><xs:element name="_-bic_-x" type="t:curr15.2"/>
<xs:element name="Row" type="xs:int"/></xs:sequence></xs:complexType>
<xs:complexType name="TableOfBapiret2"><xs:sequence><xs:element name="item" type="t:Bapiret2" minOccurs="0"
 maxOccurs="unbounded"/></xs:sequence></xs:complexType>
<xs:element name="BapiGetList"><xs:complexType><xs:all>
<xs:element name="Return" type="t:TableOfBapiret2" minOccurs="0"/><xs:element name="CostCenter" type="t:char10"/>
<xs:element name="Begda" type="t:date10" minOccurs="0"/></xs:all></xs:complexType></xs:element>""",
        form="unqualified",
    ),
    "BapiGetList",
)

# Abstract records, references, custom fields of many types in one list, references by attribute.
ERP_SUITE = service(
    schema(
        """<xs:complexType name="Record" abstract="true"><xs:sequence><xs:element name="nullFieldList" minOccurs="0">
<xs:complexType><xs:sequence><xs:element name="name" type="xs:string" minOccurs="0" maxOccurs="unbounded"/>
</xs:sequence>
</xs:complexType></xs:element></xs:sequence></xs:complexType>
<xs:complexType name="BaseRef" abstract="true"><xs:sequence><xs:element name="name" type="xs:string" minOccurs="0"/>
</xs:sequence></xs:complexType>
<xs:complexType name="RecordRef"><xs:complexContent><xs:extension base="t:BaseRef"><xs:attribute name="internalId"/>
<xs:attribute name="type" type="t:RecordType"/></xs:extension></xs:complexContent></xs:complexType>
<xs:simpleType name="RecordType"><xs:restriction base="xs:string"><xs:enumeration value="customer"/>
<xs:enumeration value="_a b"/></xs:restriction></xs:simpleType>
<xs:complexType name="CustomFieldRef" abstract="true"><xs:attribute name="scriptId" type="xs:string"/></xs:complexType>
<xs:complexType name="LongField"><xs:complexContent><xs:extension base="t:CustomFieldRef"><xs:sequence>
<xs:element name="value" type="xs:long"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
<xs:complexType name="StringField"><xs:complexContent><xs:extension base="t:CustomFieldRef"><xs:sequence>
<xs:element name="value" type="xs:string"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
<xs:complexType name="Customer"><xs:complexContent><xs:extension base="t:Record"><xs:sequence>
<xs:element name="parent" type="t:RecordRef" minOccurs="0"/><xs:element name="customFieldList" minOccurs="0">
<xs:complexType><xs:sequence><xs:element name="customField" type="t:CustomFieldRef" maxOccurs="unbounded"/>
</xs:sequence></xs:complexType></xs:element></xs:sequence><xs:attribute name="internalId" type="xs:string"/>
</xs:extension></xs:complexContent></xs:complexType>
<xs:element name="add"><xs:complexType><xs:sequence><xs:element name="record" type="t:Record"/></xs:sequence>
</xs:complexType></xs:element>"""
    ),
    "add",
)

# XML within XML: results that are any element in mixed content, and a data set that brings its schema with it.
OFFICE = service(
    schema(
        """<xs:import namespace="http://www.w3.org/2001/XMLSchema"/>
<xs:element name="GetList"><xs:complexType><xs:sequence><xs:element minOccurs="0" name="GetListResult"><xs:complexType
 mixed="true"><xs:sequence><xs:any processContents="skip"/></xs:sequence></xs:complexType></xs:element></xs:sequence>
</xs:complexType></xs:element>
<xs:element name="GetData"><xs:complexType><xs:sequence><xs:element minOccurs="0" maxOccurs="1" name="Result">
<xs:complexType><xs:sequence><xs:any minOccurs="0" maxOccurs="unbounded" namespace="##other" processContents="skip"/>
</xs:sequence></xs:complexType></xs:element><xs:element name="Ids" type="t:ArrayOfInt" minOccurs="0"/></xs:sequence>
</xs:complexType></xs:element>
<xs:complexType name="ArrayOfInt"><xs:sequence>
<xs:element minOccurs="0" maxOccurs="unbounded" name="int" type="xs:int"/>
</xs:sequence></xs:complexType>"""
    ),
    "GetList",
    "GetData",
)
DATA_SET = service(
    schema(
        """<xs:import namespace="http://www.w3.org/2001/XMLSchema"/>
<xs:element name="GetSet"><xs:complexType><xs:sequence><xs:element minOccurs="0" name="Set"><xs:complexType>
<xs:sequence><xs:element ref="xs:schema"/><xs:any/></xs:sequence></xs:complexType></xs:element></xs:sequence>
</xs:complexType></xs:element>"""
    ),
    "GetSet",
)

# Amounts with attributes, lists of documented codes, open ends.
MARKET = service(
    schema(
        """<xs:complexType name="Amount"><xs:simpleContent><xs:extension base="xs:double">
<xs:attribute name="currencyID" type="t:Currency" use="required"/></xs:extension></xs:simpleContent></xs:complexType>
<xs:simpleType name="Currency"><xs:restriction base="xs:token"><xs:enumeration value="EUR"><xs:annotation>
<xs:documentation>The euro.</xs:documentation></xs:annotation></xs:enumeration><xs:enumeration value="USD"/>
</xs:restriction></xs:simpleType>
<xs:complexType name="AbstractRequest" abstract="true"><xs:sequence>
<xs:element name="DetailLevel" type="xs:token" minOccurs="0" maxOccurs="unbounded"/>
<xs:element name="Version" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType>
<xs:element name="GetItem" type="t:GetItemType"/><xs:complexType name="GetItemType"><xs:complexContent>
<xs:extension base="t:AbstractRequest"><xs:sequence><xs:element name="Price" type="t:Amount" minOccurs="0"/>
<xs:element name="Time" type="xs:duration" minOccurs="0"/><xs:any processContents="lax" minOccurs="0"
 namespace="##other" maxOccurs="unbounded"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>"""
    ),
    "GetItem",
)

# Qualified attributes, fixed and default ones; attribute groups; references of attributes.
PEOPLE = service(
    schema(
        """<xs:attribute name="version" type="xs:string"/><xs:attributeGroup name="Common">
<xs:attribute ref="t:version" default="v1"/><xs:attribute name="kind" type="xs:string" fixed="worker"/>
<xs:attribute name="Descriptor" type="xs:string" form="unqualified"/></xs:attributeGroup>
<xs:complexType name="Ref"><xs:sequence><xs:element name="ID" minOccurs="0" maxOccurs="unbounded"><xs:complexType>
<xs:simpleContent><xs:extension base="xs:string"><xs:attribute name="type" use="required"><xs:simpleType>
<xs:restriction base="xs:string"><xs:enumeration value="WID"/><xs:enumeration value="Employee_ID"/></xs:restriction>
</xs:simpleType></xs:attribute></xs:extension></xs:simpleContent></xs:complexType></xs:element></xs:sequence>
<xs:attributeGroup ref="t:Common"/></xs:complexType>
<xs:element name="Get_Workers"><xs:complexType><xs:choice><xs:element name="Request_References"><xs:complexType>
<xs:sequence><xs:element name="Worker_Reference" type="t:Ref" maxOccurs="unbounded"/></xs:sequence></xs:complexType>
</xs:element><xs:element name="Request_Criteria"><xs:complexType><xs:sequence><xs:element name="All" type="xs:boolean"
 default="true" minOccurs="0"/></xs:sequence></xs:complexType></xs:element></xs:choice><xs:attribute ref="t:version"/>
</xs:complexType></xs:element>""",
        more='attributeFormDefault="qualified"',
    ),
    "Get_Workers",
)

# Repeated choices, one name at two places, groups in groups, groups that repeat, wildcards among them.
TRAVEL = service(
    schema(
        """<xs:group name="Flight"><xs:sequence><xs:element name="number" type="xs:short"/><xs:choice minOccurs="0">
<xs:element name="gate" type="xs:string"/><xs:sequence><xs:element name="bus" type="xs:string"/>
<xs:element name="stop" type="xs:unsignedByte" minOccurs="0"/></xs:sequence></xs:choice></xs:sequence></xs:group>
<xs:element name="Book"><xs:complexType><xs:sequence><xs:sequence maxOccurs="2"><xs:group ref="t:Flight"/>
<xs:choice minOccurs="0" maxOccurs="unbounded"><xs:element name="seat" type="xs:int"/><xs:element name="meal"
 type="xs:NMTOKEN"/></xs:choice></xs:sequence><xs:element name="pnr" type="xs:string"/></xs:sequence></xs:complexType>
</xs:element>
<xs:element name="Route"><xs:complexType><xs:sequence><xs:element name="city" type="xs:string"/><xs:sequence
 minOccurs="0" maxOccurs="unbounded"><xs:element name="leg" type="xs:int"/><xs:element name="city" type="xs:string"/>
</xs:sequence></xs:sequence></xs:complexType></xs:element>
<xs:element name="Free"><xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded"><xs:element name="note"
 type="xs:string"/><xs:any namespace="##other" processContents="skip"/></xs:choice></xs:complexType></xs:element>"""
    ),
    "Book",
    "Route",
    "Free",
)

# Elements that stand in for others, abstract heads among them; a type that holds itself; a name in two namespaces.
DOCUMENTS = service(
    schema(
        f"""{_IMPORT_O}<xs:element name="head" type="t:Node" abstract="true"/>
<xs:complexType name="Node"><xs:sequence><xs:element ref="t:head" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>
<xs:attribute name="id" type="xs:NCName"/></xs:complexType>
<xs:element name="text" substitutionGroup="t:head"><xs:complexType><xs:complexContent>
<xs:restriction base="t:Node"><xs:attribute name="id" type="xs:NCName"/></xs:restriction></xs:complexContent>
</xs:complexType></xs:element>
<xs:element name="box" substitutionGroup="t:head"/><xs:element name="big" type="t:Node" substitutionGroup="t:box"/>
<xs:element name="Doc"><xs:complexType><xs:sequence><xs:element name="title" type="xs:string"/>
<xs:element ref="o:title"/><xs:element ref="t:head" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>"""
    )
    + schema('<xs:element name="title" type="xs:int"/>', "urn:o"),
    "Doc",
)

# Every kind of simple type.
FACETS = service(
    schema(
        """<xs:simpleType name="Size"><xs:union memberTypes="xs:positiveInteger"><xs:simpleType>
<xs:restriction base="xs:string"><xs:enumeration value="small"/><xs:enumeration value="large"/></xs:restriction>
</xs:simpleType></xs:union></xs:simpleType>
<xs:simpleType name="Sizes"><xs:restriction><xs:simpleType><xs:list itemType="t:Size"/></xs:simpleType>
<xs:minLength value="1"/><xs:maxLength value="3"/></xs:restriction></xs:simpleType>
<xs:element name="All"><xs:complexType><xs:sequence>
<xs:element name="size" type="t:Size"/><xs:element name="sizes" type="t:Sizes"/>
<xs:element name="year" type="xs:gYear"/><xs:element name="month" type="xs:gYearMonth"/>
<xs:element name="day" type="xs:gMonthDay"/><xs:element name="time" type="xs:time"/>
<xs:element name="moment" type="xs:dateTime"/><xs:element name="hex" type="xs:hexBinary"/>
<xs:element name="bytes" type="xs:base64Binary" nillable="true"/><xs:element name="big" type="xs:unsignedLong"/>
<xs:element name="float" type="xs:float" default="1.5"/><xs:element name="uri" type="xs:string"/>
<xs:element name="lang" type="xs:language"/><xs:element name="tokens" type="xs:NMTOKENS"/>
<xs:element name="low" minOccurs="0"><xs:simpleType><xs:restriction base="xs:decimal"><xs:minInclusive value="0"/>
<xs:maxInclusive value="1000000"/><xs:fractionDigits value="2"/></xs:restriction></xs:simpleType></xs:element>
<xs:element name="zip" minOccurs="0"><xs:simpleType><xs:restriction base="xs:token"><xs:pattern
 value="[A-Z]{2}-\\d{4,5}"/><xs:pattern value="\\d{5}"/></xs:restriction></xs:simpleType></xs:element>
</xs:sequence></xs:complexType></xs:element>"""
    ),
    "All",
)

# Data contracts: shared serialization schemas that a saved copy lacks.
CONTRACTS = service(
    schema(
        """<xs:import namespace="http://schemas.microsoft.com/2003/10/Serialization/"/>
<xs:import namespace="http://schemas.microsoft.com/2003/10/Serialization/Arrays" schemaLocation="http://h/s.svc?xsd=xsd2"/>
<xs:element name="Get"><xs:complexType><xs:sequence>
<xs:element minOccurs="0" name="id" type="m:guid" xmlns:m="http://schemas.microsoft.com/2003/10/Serialization/"/>
<xs:element minOccurs="0" name="names" nillable="true" type="a:ArrayOfstring"
 xmlns:a="http://schemas.microsoft.com/2003/10/Serialization/Arrays"/>
<xs:element minOccurs="0" name="flags" type="t:Flags"/></xs:sequence></xs:complexType></xs:element>
<xs:simpleType name="Flags"><xs:list><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="A"/>
<xs:enumeration value="B"/></xs:restriction></xs:simpleType></xs:list></xs:simpleType>"""
    ),
    "Get",
)

SERVICES: Mapping[str, str] = {
    "bapi": BAPI,
    "contracts": CONTRACTS,
    "crm_cloud": CRM_CLOUD,
    "data_set": DATA_SET,
    "documents": DOCUMENTS,
    "erp_suite": ERP_SUITE,
    "facets": FACETS,
    "market": MARKET,
    "office": OFFICE,
    "people": PEOPLE,
    "travel": TRAVEL,
}
"""Name → WSDL; each stands alone."""
