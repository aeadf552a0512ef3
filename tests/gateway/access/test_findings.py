"""What `figway check` says of policies: only what can be enforced is accepted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.contract import Effect
from gateway.routing.cedar import Policy, policies_of, split
from gateway.routing.model import Binding, Body, Parameter, Route
from gateway.routing.policies import Policed, read_policies
from gateway.routing.report import Report
from gateway.routing.rules import Rules

ROW = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "region": {"type": ["string", "null"]},
        "mail": {"type": "string", "format": "email"},
        "code": {"type": "string", "enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"type": "object", "properties": {"by": {"type": "string"}}}},
        "any": {},
        "amount": {"type": "string", "format": "decimal"},
    },
}
PAGE = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/Row"}}, "next": {"type": "null"}},
    "$defs": {"Row": ROW},
}
KEY = Parameter("id", "path", {"type": "string"}, required=True)
BODY = Body(True, {"application/json": {"type": "object", "properties": {"amount": {"type": "integer"}}}})


def _binding(*, narrows: bool) -> Binding:
    return Binding("crm", "op", None, None, {}, narrows)


ROUTES = (
    Route("list", "GET", "/a", Effect.READ, "a", (), None, 200, PAGE, legacy=_binding(narrows=False), is_list=True),
    Route("get", "GET", "/a/{id}", Effect.READ, "a", (KEY,), None, 200, ROW, legacy=_binding(narrows=False)),
    Route("put", "PUT", "/a/{id}", Effect.WRITE, "a", (KEY,), BODY, 200, ROW, legacy=_binding(narrows=False)),
    Route("pull", "DELETE", "/a/{id}", Effect.WRITE, "a", (KEY,), None, 204, None, legacy=_binding(narrows=True)),
)


def _read(text: str) -> tuple[Rules, list[str]]:
    report = Report()
    policed = Policed.of([each.operation_id for each in ROUTES], ROUTES)
    rules = read_policies({"policies/a.cedar": text.encode()}, policed, report)
    return rules, [f"{each.line}: {each.message}" for each in report.sorted()]


READS = 'permit (principal, action in Action::"read", resource);'


@pytest.mark.parametrize(
    "text",
    [
        f'@rows("region = principal.tenant") {READS}',
        f'@mask("mail, tags.by") {READS}',
        f'@tokenise("mail") {READS}',
        '@rows("region = \'x\'") permit (principal, action == Action::"pull", resource);',
        'permit (principal in Team::"t", action, resource in Upstream::"crm") when { context.time.hour > 8 };',
        'forbid (principal in Tenant::"x", action, resource) when { context.delegation_depth > 2 };',
        'forbid (principal, action, resource) when { context has agent && context.agent == Agent::"bot" };',
        'permit (principal, action == Action::"put", resource) when { context.arguments.body has amount && '
        "context.arguments.body.amount < 100 };",
        'permit (principal, action == Action::"get", resource) when { context.arguments.path.id like "a*" };',
        'permit (principal, action, resource) when { context has scopes && context.scopes.contains("x") };',
    ],
)
def test_what_can_be_enforced_is_accepted(text: str) -> None:
    assert _read(text)[1] == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f'\n@rows("region =") {READS}', "2: @rows can't be read"),
        (f"@rows(\"city = 'x'\") {READS}", "1: @rows reads 'city', which the reply doesn't have"),
        (f'@rows("any = 1") {READS}', "whose type isn't one that can be compared"),
        (f"@rows(\"tags.by = 'x'\") {READS}", "doesn't have"),
        (f"@rows(\"region < 'x'\") {READS}", "has no order"),
        (f"@rows(\"amount = 'x'\") {READS}", "is decimal"),
        (f'@mask("id") {READS}', "which the contract requires"),
        (f'@mask("") {READS}', "names no member"),
        (f'@mask("male") {READS}', "which no reply has"),
        (f'@tokenise("id") {READS}', "by which the route is asked for"),
        (f'@tokenise("code") {READS}', "no room for a token"),
        (f'@tokenise("amount") {READS}', "no room for a token"),
        ('@rows("region = \'x\'") permit (principal, action == Action::"put", resource);', "can't be enforced before"),
        ("@rows(\"region = 'x'\") forbid (principal, action, resource);", "stands on a forbid"),
        ("permit (principal, action, resource) when { context.arguments.body.amount > 1 };", "doesn't fit"),
        ('permit (principal, action == Action::"put", resource) when { context.arguments.body.amount > 1 };', "amount"),
        ('permit (principal, action == Action::"get", resource) when { context.arguments.path.key == "a" };', "key"),
        (
            'permit (principal, action == Action::"get", resource) when { context.arguments.path == {id: "a"} };',
            "whole",
        ),
        ('permit (principal, action, resource in Upstream::"gone");', "no upstream 'gone'"),
        ("permit (principal == ?principal, action, resource);", "templates"),
        ("permit (principal, action, resource) when { context.approval };", "approval"),
    ],
)
def test_what_cant_be_enforced_is_told(text: str, sentence: str) -> None:
    found = _read(text)[1]
    assert any(sentence in each for each in found), found


def test_no_operation_is_called_as_an_effect() -> None:
    report = Report()
    route = replace(ROUTES[1], operation_id="read", where="openapi/a.yaml:7")
    read_policies({"policies/a.cedar": READS.encode()}, Policed.of(["read"], (route,)), report)
    (found,) = [each for each in report.sorted() if each.level == "error"]
    assert str(found).startswith("openapi/a.yaml:7: operationId: an operation can't be called 'read'")


def test_marks_are_kept_for_each_route_that_a_permit_may_decide_on() -> None:
    rules, _ = _read(f'@rows("region = \'x\'") @mask("mail") {READS}')
    assert {operation for _, operation in rules.marks} == {"list", "get"}


def test_a_policy_is_taken_apart_where_it_waits() -> None:
    text = """forbid (principal, action, resource)
        when { principal.tenant == "a" && context.time.hour > 1 && principal in Role::"b" }
        unless { principal in Role::"c" || context.arguments.path.id == "x" };"""
    (policy,) = policies_of("policies/a.cedar", text)
    assert isinstance(policy, Policy)
    assert policy.waits()
    parts = split(policy)
    assert len(parts.first["conditions"]) == 1
    assert [each["kind"] for each in parts.known["conditions"]] == ["when", "when", "unless"]


def test_what_reads_only_the_caller_doesnt_wait() -> None:
    text = "permit (principal, action, resource) when { context.delegation_depth > 0 && context has agent };"
    (policy,) = policies_of("policies/a.cedar", text)
    assert isinstance(policy, Policy)
    assert not policy.waits()
