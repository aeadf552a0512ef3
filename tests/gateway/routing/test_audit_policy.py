"""policies/audit.yaml: what it says of each route, and what it may not say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.contract import Effect
from gateway.audit.arguments import Rules
from gateway.audit.rules import AuditRules
from gateway.routing.audit_schema import FILE, Audit, check_audit
from gateway.routing.model import Body, Parameter, Route
from gateway.routing.policy_files import read_policy_files
from gateway.routing.report import Report

READ = Route(
    "get_customer", "GET", "/customers/{id}", Effect.READ, "customers",
    (Parameter("id", "path", {"type": "string"}, required=True),), None, 200, None,
)  # fmt: skip
WRITE = replace(READ, operation_id="update_customer", method="PATCH", effect=Effect.WRITE, body=Body(True, {}))
OTHER = replace(READ, operation_id="get_task", path="/tasks/{id}", group="tasks")
ROUTES = [READ, WRITE, OTHER]


def _read(text: str) -> tuple[Audit, list[str]]:
    report = Report()
    files = {FILE: text.encode()}
    audit = read_policy_files(files, report)["audit.yaml"]
    assert isinstance(audit, Audit)
    check_audit(files, audit, ROUTES, report)
    return audit, [str(each) for each in report.sorted()]


def test_without_the_file_every_argument_is_hashed() -> None:
    audit = read_policy_files({}, Report())["audit.yaml"]
    assert isinstance(audit, Audit)
    assert audit.arguments_of(READ) == Rules()
    assert audit.log_rules() == AuditRules()


def test_the_last_rule_that_names_an_argument_holds_and_the_first_person() -> None:
    audit, findings = _read("""
arguments:
  - {keep: [path.id]}
  - {match: {group: customers, effect: write}, redact: [path.id], keep: [body.note]}
  - {match: {route: get_task}, hash: [path.id]}
subjects:
  - {match: {effect: write}, subject: path.id, keep: [body.email]}
  - {match: {group: customers}, subject: path.id}
source_keys: keep
reads_when_unwritable: refuse
keep: 30d
anchor: https://log.example/figway
""")
    assert findings == []
    assert audit.arguments_of(READ) == Rules(kept=frozenset({"path.id"}), source_keys="keep", subject="path.id")
    assert audit.arguments_of(WRITE) == Rules(
        frozenset({"body.note"}), frozenset({"path.id"}), "keep", "path.id", frozenset({"body.email"})
    )
    assert audit.arguments_of(OTHER) == Rules(source_keys="keep")
    assert audit.log_rules() == AuditRules(30 * 86_400.0, "https://log.example/figway", False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("arguments: [{match: {group: custmers}, keep: [path.id]}]", "no route is matched"),
        ("arguments: [{match: {route: get_task}, keep: [path.ide]}]", "no route that is matched has the argument"),
        ("arguments: [{match: {route: get_task}, keep: [body.note]}]", "no route that is matched has the argument"),
        ("subjects: [{subject: query.id}]", "no route that is matched has the argument"),
        ("subjects: [{keep: [body.email]}]", "subject"),
        ("arguments: [{keep: [id]}]", "arguments"),
        ("anchor: relative/path", "anchor"),
        ("anchor: ftp://x/y", "anchor"),
        ("keep: forever", "keep"),
        ("retention: 3d", "retention"),
    ],
)
def test_what_nothing_would_obey_is_refused_with_its_line(text: str, says: str) -> None:
    _, findings = _read(text)
    assert len(findings) == 1
    assert findings[0].startswith(f"{FILE}:1:")
    assert says in findings[0]


def test_every_key_says_what_it_is() -> None:
    def described(schema: dict[str, Any]) -> bool:
        return all("description" in each for each in schema.get("properties", {}).values())

    schema = Audit.model_json_schema()
    assert described(schema)
    assert all(described(each) for each in schema["$defs"].values())
