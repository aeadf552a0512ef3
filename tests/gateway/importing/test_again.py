"""Importing again: what people made of it stays, and what changed at the source is graded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.common import FINDING
from gateway.importing.drift import Grade, drift

TYPES = """
<xs:complexType name="Order"><xs:sequence>
  <xs:element name="Id" type="xs:string"/>
  <xs:element name="Note" type="xs:string" minOccurs="0"/>
  <xs:element name="Status" type="t:Status"/>
</xs:sequence></xs:complexType>
<xs:simpleType name="Status"><xs:restriction base="xs:string">
  <xs:enumeration value="OPEN"/><xs:enumeration value="PAID"/>
</xs:restriction></xs:simpleType>
"""
GET = """
<xs:element name="GetOrder"><xs:complexType><xs:sequence>
  <xs:element name="OrderId" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
<xs:element name="GetOrderResponse"><xs:complexType><xs:sequence>
  <xs:element name="Order" type="t:Order"/></xs:sequence></xs:complexType></xs:element>
"""
PAY = """
<xs:element name="PayOrder"><xs:complexType><xs:sequence>
  <xs:element name="OrderId" type="xs:string"/><xs:element name="Amount" type="xs:decimal"/>
</xs:sequence></xs:complexType></xs:element>
<xs:element name="PayOrderResponse"><xs:complexType><xs:sequence/></xs:complexType></xs:element>
"""
BOTH = ("GetOrder", "PayOrder")


@pytest.fixture
def shop(workspace: Any, service: Callable[..., Path]) -> Any:
    """A workspace with a shop, and a function that imports it again after a change of its WSDL's texts."""
    workspace.imported("wsdl", str(service(GET + PAY, BOTH, TYPES)), "--upstream", "shop")

    def again(*pairs: tuple[str, str], operations: tuple[str, ...] = BOTH, code: int = 0) -> dict[str, Any]:
        elements, types = GET + (PAY if "PayOrder" in operations else ""), TYPES
        for old, new in pairs:
            assert old in elements + types
            elements, types = elements.replace(old, new), types.replace(old, new)
        source = service(elements, operations, types)
        told: dict[str, Any] = workspace.imported("wsdl", str(source), "--upstream", "shop", code=code)
        return told

    workspace.again = again
    return workspace


def edit(workspace: Any, name: str, *pairs: tuple[str, str]) -> None:
    text = workspace.text(name)
    for old, new in pairs:
        assert old in text, text
        text = text.replace(old, new, 1)
    workspace.write(name, text)


def test_edits_of_every_file_are_kept(shop: Any) -> None:
    edit(shop, "openapi/shop.yaml",
         ("      summary: Get order\n", "      # as the shop calls it\n      summary: Read one order\n"),
         ("        legacy: {", "        cost: 3\n        legacy: {"))  # fmt: skip
    edit(shop, "gateway.yaml", ("kind: soap", "kind: soap, deadline: 3s"))
    permit = 'permit (principal, action == Action::"pay_order", resource);\n'
    edit(
        shop,
        "policies/shop.cedar",
        ('    Action::"pay_order"\n', ""),
        ("forbid (\n  principal,\n  action in [\n  ],\n  resource\n);\n", ""),
    )
    shop.write("policies/shop.cedar", "// ours\n" + permit)
    edit(shop, "tests/test_shop.py", ('gateway.denies("POST", "/orders/pay")', "pass  # ours"))
    before = shop.files()
    told = shop.again(
        (
            '<xs:element name="Status" type="t:Status"/>',
            '<xs:element name="Status" type="t:Status"/><xs:element name="Colour" type="xs:string" minOccurs="0"/>',
        )
    )
    assert [(each["grade"], each["where"]) for each in told["drift"]] == [("additive", "schema Order.Colour")]
    assert told["kept"] == []
    contract = shop.text("openapi/shop.yaml")
    assert "      # as the shop calls it\n      summary: Read one order\n" in contract
    assert "        cost: 3\n" in contract
    assert "Colour: {type: string" in contract
    for name in ("gateway.yaml", "policies/shop.cedar", "tests/test_shop.py"):
        assert shop.files()[name] == before[name]
    assert shop.figway("check")[0] == 0


def test_what_both_changed_is_told(shop: Any) -> None:
    edit(shop, "openapi/shop.yaml", ("enum: [OPEN, PAID]", "enum: [OPEN, PAID, LOST]"))
    edit(shop, "openapi/shop.yaml", ("title: Shop", "title: Our shop"))
    told = shop.again(
        ('<xs:enumeration value="PAID"/>', '<xs:enumeration value="PAID"/><xs:enumeration value="SENT"/>')
    )
    assert "enum: [OPEN, PAID, LOST, SENT]" in shop.text("openapi/shop.yaml")
    assert [each["grade"] for each in told["drift"]] == ["potentially breaking"]


def test_a_write_that_is_new_is_denied_too(shop: Any) -> None:
    told = shop.again(operations=("GetOrder",), code=FINDING)
    assert [(each["grade"], each["where"]) for each in told["drift"]] == [("breaking", "pay_order")]
    assert (
        "policies/shop.cedar" not in shop.files()
        or "pay_order" not in shop.text("policies/shop.cedar").split(";\n\n")[-1]
    )
    assert "pay_order" not in shop.text("openapi/shop.yaml")
    assert "test_pay_order" not in shop.text("tests/test_shop.py")
    assert shop.figway("check")[0] == 0
    told = shop.again()
    assert [(each["grade"], each["where"]) for each in told["drift"]] == [("additive", "pay_order")]
    assert '    Action::"pay_order"\n' in shop.text("policies/shop.cedar")


def test_a_route_that_people_removed_stays_away(shop: Any) -> None:
    text = shop.text("openapi/shop.yaml")
    at, end = text.index("  /orders/pay:\n"), text.index("components:\n")
    shop.write("openapi/shop.yaml", text[:at] + text[end:])
    edit(shop, "policies/shop.cedar", ('@id("shop-writes-1")', '// @id("shop-writes-1")'))
    shop.write("policies/shop.cedar", "// nothing to deny\n")
    shop.again(('t:Order"/>', 't:Order"/><xs:element name="More" type="xs:int" minOccurs="0"/>'))
    assert "pay" not in shop.text("openapi/shop.yaml")
    assert "More: {type: integer" in shop.text("openapi/shop.yaml")
    assert shop.figway("check")[0] == 0


def test_check_reports_drift_and_writes_nothing(shop: Any, service: Callable[..., Path]) -> None:
    assert "is as it was imported" in shop.figway("check", "--drift")[1]
    service(GET.replace("OrderId", "Number") + PAY, BOTH, TYPES)
    before = shop.files()
    code, output = shop.figway("check", "--drift")
    assert code == FINDING
    assert "breaking: get_order: GET /orders/{order_id} is GET /orders/{order_number} now\n" in output
    assert shop.files() == before
    service(GET + PAY, BOTH, TYPES.replace('name="Note"', 'name="Note" nillable="true"'))
    assert shop.figway("check", "--drift")[0] == 0
    (service(GET, ("GetOrder",), TYPES)).unlink()
    code, output = shop.figway("check", "--drift")
    assert (code, "its source can't be read" in output) == (FINDING, True)


def document(schema: Any, *, given: Any = None, parameters: Any = (), **operation: Any) -> dict[str, Any]:
    made = {
        "operationId": "a",
        "parameters": list(parameters),
        "responses": {"200": {"content": {"application/json": {"schema": schema}}}},
        **operation,
    }
    if given is not None:
        made["requestBody"] = {"content": {"application/json": {"schema": given}}}
    return {"paths": {"/a": {"post": made}}, "components": {"schemas": {}}}


def members(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


T, N = {"type": "string"}, {"type": "integer"}
_OUT = Grade.POTENTIALLY
GRADES: dict[str, tuple[Any, Any, Grade, Grade]] = {
    # before, after, grade for those who send it, grade for those who get it
    "a member more": (members(a=T), members(a=T, b=T), Grade.ADDITIVE, Grade.ADDITIVE),
    "a needed member more": (members(a=T), members("b", a=T, b=T), Grade.BREAKING, Grade.ADDITIVE),
    "a member less": (members(a=T, b=T), members(a=T), Grade.BREAKING, Grade.BREAKING),
    "a member needed": (members(a=T), members("a", a=T), Grade.BREAKING, Grade.ADDITIVE),
    "a member not needed": (members("a", a=T), members(a=T), Grade.ADDITIVE, _OUT),
    "another type": (members(a=T), members(a=N), Grade.BREAKING, Grade.BREAKING),
    "null too": (members(a=T), members(a={"type": ["string", "null"]}), Grade.ADDITIVE, _OUT),
    "null no more": (members(a={"type": ["string", "null"]}), members(a=T), Grade.BREAKING, Grade.ADDITIVE),
    "a value more": ({"enum": ["a"]}, {"enum": ["a", "b"]}, Grade.ADDITIVE, _OUT),
    "a value less": ({"enum": ["a", "b"]}, {"enum": ["a"]}, Grade.BREAKING, Grade.ADDITIVE),
    "longer": ({"type": "string", "maxLength": 5}, {"type": "string", "maxLength": 9}, Grade.ADDITIVE, _OUT),
    "shorter": ({"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 5}, Grade.BREAKING, Grade.ADDITIVE),
    "words": ({"type": "string", "description": "a"}, {"type": "string", "description": "b"},
              Grade.COSMETIC, Grade.COSMETIC),
    "an alternative more": ({"oneOf": [T]}, {"oneOf": [T, N]}, Grade.ADDITIVE, _OUT),
    "deep within": ({"items": members(a=T)}, {"items": members(a=N)}, Grade.BREAKING, Grade.BREAKING),
}  # fmt: skip


@pytest.mark.parametrize("case", list(GRADES))
def test_changes_are_graded_by_who_has_to_live_with_them(case: str) -> None:
    before, after, sent, got = GRADES[case]
    assert [each.grade for each in drift(document(before), document(after))][:1] == [got]
    assert [each.grade for each in drift(document({}, given=before), document({}, given=after))][:1] == [sent]


def test_changes_of_operations_are_graded() -> None:
    def grades(before: Any, after: Any) -> list[Grade]:
        return [each.grade for each in drift(before, after)]

    base = document(T, **{"x-gateway": {"effect": "read"}})
    need = {"name": "q", "in": "query", "required": True, "schema": T}
    assert grades(base, base) == []
    assert grades(base, {"paths": {}}) == [Grade.BREAKING]
    assert grades({"paths": {}}, base) == [Grade.ADDITIVE]
    assert grades(base, {"paths": {"/b": base["paths"]["/a"]}}) == [Grade.BREAKING]
    assert grades(base, document(T, **{"x-gateway": {"effect": "write"}})) == [Grade.BREAKING]
    assert grades(document(T), document(T, parameters=[need])) == [Grade.BREAKING]
    assert grades(document(T), document(T, parameters=[{**need, "required": False}])) == [Grade.ADDITIVE]
    assert grades(document(T), document(T, summary="other")) == [Grade.COSMETIC]
