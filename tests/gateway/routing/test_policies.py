"""Policies are parsed and held against the routes, each fault with its line."""

from __future__ import annotations

import pytest

from adapters.contract import Effect
from gateway.routing.model import Finding, Route
from gateway.routing.policies import Policed, read_policies
from gateway.routing.report import Report

ROUTE = Route("get_thing", "GET", "/things", Effect.READ, "things", (), None, 200, None)


def _found(text: str, *routes: Route) -> list[Finding]:
    report = Report()
    policed = Policed.of([each.operation_id for each in routes], routes)
    read_policies({"policies/a.cedar": text.encode()}, policed, report)
    return list(report.sorted())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "// nothing; but a comment",
        'permit (principal, action in Action::"read", resource in Group::"things");',
        'permit (principal == User::"a;b", action, resource) when { principal has agent };',
        '@id("x")\npermit (principal in Role::"agent", action == Action::"get_thing", resource);\n// the end',
    ],
)
def test_sound_policies(text: str) -> None:
    assert _found(text, ROUTE) == []


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("relation", ["in", "=="])
@pytest.mark.parametrize("routes", [(), (ROUTE,)])
def test_a_policy_may_name_an_effect_that_no_route_has(
    effect: Effect, relation: str, routes: tuple[Route, ...]
) -> None:
    text = f'permit (principal in Role::"reader", action {relation} Action::"{effect}", resource);'
    assert _found(text, *routes) == []


def test_without_a_route_a_policy_is_still_held_against_what_there_can_be() -> None:
    (found,) = _found("permit (principal, action, resource) when { principal.age > 3 };")
    assert "attribute `age`" in found.message


@pytest.mark.parametrize(
    ("text", "line", "level", "sentence"),
    [
        ("// first\n\npermit (principal);\n", 3, "error", "can't be read"),
        ("permit (principal, action, resource)", 1, "error", "can't be read"),
        ('permit (principal,\n  action == Action::"gone",\n  resource);', 2, "error", "no route 'gone'"),
        ('permit (principal, action, resource == Route::"gone");', 1, "error", "no route 'gone'"),
        ('permit (principal, action, resource in Group::"gone");', 1, "error", "no group 'gone'"),
        ("permit (principal, action, resource) when { principal.age > 3 };", 1, "error", "attribute `age`"),
        ('permit (principal in Rol::"x", action, resource);', 1, "error", "entity type `Rol`"),
        ('permit (principal in Group::"things", action, resource);', 1, "warning", "no call is such"),
    ],
)
def test_faulty_policies(text: str, line: int, level: str, sentence: str) -> None:
    found = _found(text, ROUTE)
    assert any(each.line == line and each.level == level and sentence in each.message for each in found), found


def test_the_text_of_all_files_is_joined() -> None:
    policy = "permit (principal, action, resource);\n"
    files = {"policies/b.cedar": policy.encode(), "policies/a.cedar": b"// a", "openapi/c.cedar": b"no"}
    assert read_policies(files, None, Report()).text == policy.strip()


def test_another_kind_of_file_is_told() -> None:
    report = Report()
    read_policies({"policies/other.yaml": b""}, None, report)
    assert [each.file for each in report.sorted()] == ["policies/other.yaml"]
