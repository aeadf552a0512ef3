"""Each rule: what it lets pass, what it doesn't, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.migration.compare.comparer import Comparer, compile_parity
from gateway.migration.compare.model import ABSENT, Comparison, Observed
from gateway.migration.compare.values import difference
from gateway.migration.compare.walk import DEEPEST, MOST_VALUES
from gateway.routing.groups import Group, Stage
from gateway.routing.migration_schema import FILE, Migration, check_migration
from gateway.routing.parity_schema import ParityModel, parity_findings
from gateway.routing.report import Report
from gateway.routing.source import parse

TODAY = date(2026, 11, 1)
Make = Callable[..., Comparer]


def _of(comparer: Comparer, legacy: Any, replacement: Any, again: Any = ...) -> Comparison:
    return comparer.compare(
        Observed(200, legacy), Observed(200, replacement), None if again is ... else Observed(200, again)
    )


LETS_PASS: list[tuple[dict[str, Any], Any, Any]] = [
    ({"ignore": ["/a"]}, {"a": 1}, {"a": {"b": 2}}),
    ({"ignore": ["/a"]}, {"a": 1}, {}),
    ({"ignore": ["/**/a"]}, {"x": [{"a": 1}], "a": 2}, {"x": [{"a": 2}]}),
    ({"ignore": ["/x/*/a"]}, {"x": [{"a": 1}, {"a": 2}]}, {"x": [{"a": 3}, {"a": 4}]}),
    ({"ignore": ["/x/1"]}, {"x": [1, 2]}, {"x": [1, 3]}),
    ({"ignore": ["/x~1y"]}, {"x/y": 1}, {"x/y": 2}),
    ({"presence_only": ["/a"]}, {"a": 1}, {"a": "x"}),
    ({"null_is_absent": ["/a"]}, {"a": None}, {}),
    ({"tolerance": {"/a": {"abs": "0.01"}}}, {"a": "10.00"}, {"a": "10.01"}),
    ({"tolerance": {"/a": {"rel": "1%"}}}, {"a": 100}, {"a": 99}),
    ({"tolerance": {"/a": {"within": "2s"}}}, {"a": "2026-01-01T00:00:00Z"}, {"a": "2026-01-01T01:00:02+01:00"}),
    ({"unordered": {"/a": {}}}, {"a": [1, 2, 3]}, {"a": [3, 1, 2]}),
    ({"unordered": ["/a"]}, {"a": [{"i": "1.0"}, {"i": "2.0"}]}, {"a": [{"i": "2.00"}, {"i": "1.00"}]}),
    ({"unordered": {"/a": {"by": "k"}}, "ignore": ["/a/*/t"]},
     {"a": [{"k": 1, "t": 1}, {"k": 2}]}, {"a": [{"k": 2}, {"k": 1}]}),
    ({"unordered": {"/a": {"by": ["k/x"]}}, "tolerance": {"/a/*/v": {"abs": 1}}},
     {"a": [{"k": {"x": 1}, "v": 5}, {"k": {"x": 2}, "v": 9}]},
     {"a": [{"k": {"x": 2}, "v": 8}, {"k": {"x": 1}, "v": 6}]}),
    ({"enum_map": {"/a": {"ACTIVE": "active"}}}, {"a": "ACTIVE"}, {"a": "active"}),
    ({"enum_map": {"/a": {"Y": True, "1": "one"}}}, {"a": "Y"}, {"a": True}),
    ({"enum_map": [{"at": "/a", "values": {"1": "one"}, "reason": "codes"}]}, {"a": 1}, {"a": "one"}),
]  # fmt: skip


@pytest.mark.parametrize(("parity", "legacy", "replacement"), LETS_PASS)
def test_a_rule_lets_pass_what_it_is_for(parity: Any, legacy: Any, replacement: Any, comparer: Make) -> None:
    found = _of(comparer(parity, None), legacy, replacement)
    assert found.verdict == "tolerated"
    assert {each.rule.split()[0] for each in found.differences if each.rule} <= set(parity)
    assert _of(comparer({}, None), legacy, replacement).verdict == "mismatch"


STOPS: list[tuple[dict[str, Any], Any, Any]] = [
    ({"ignore": ["/a"]}, {"a": 1, "b": 1}, {"a": 2, "b": 2}),
    ({"ignore": ["/*"]}, {"x": {"a": 1}}, []),
    ({"ignore": ["/x/1"]}, {"x": [1, 2]}, {"x": [2, 2]}),
    ({"presence_only": ["/a"]}, {"a": 1}, {}),
    ({"presence_only": ["/a"]}, {"a": 1}, {"a": None}),
    ({"null_is_absent": ["/a"]}, {"a": ""}, {}),
    ({"null_is_absent": ["/a"]}, {"a": None}, {"a": ""}),
    ({"null_is_absent": ["/a"]}, {"a": None}, {"a": 0}),
    ({"tolerance": {"/a": {"abs": "0.01"}}}, {"a": "10.00"}, {"a": "10.011"}),
    ({"tolerance": {"/a": {"abs": "1"}}}, {"a": 10}, {"a": "10.0"}),
    ({"tolerance": {"/a": {"rel": "1%"}}}, {"a": 100}, {"a": 98}),
    ({"tolerance": {"/a": {"within": "2s"}}}, {"a": "2026-01-01T00:00:00Z"}, {"a": "2026-01-01T00:00:02.001Z"}),
    ({"tolerance": {"/a": {"abs": 5}}}, {"a": True}, {"a": False}),
    ({"unordered": ["/a"]}, {"a": [1, 1, 2]}, {"a": [1, 2, 2]}),
    ({"unordered": {"/a": {"by": "k"}}},
     {"a": [{"k": 1, "v": 1}, {"k": 2, "v": 2}]}, {"a": [{"k": 2, "v": 1}, {"k": 1, "v": 2}]}),
    ({"enum_map": {"/a": {"ACTIVE": "active"}}}, {"a": "active"}, {"a": "ACTIVE"}),
    ({"enum_map": {"/a": {"1": 2}}}, {"a": True}, {"a": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("parity", "legacy", "replacement"), STOPS)
def test_a_rule_lets_nothing_else_pass(parity: Any, legacy: Any, replacement: Any, comparer: Make) -> None:
    assert _of(comparer(parity, None), legacy, replacement).verdict == "mismatch"


MEANS_THE_SAME = [
    ("decimal", "10.5", "10.50"),
    ("date-time", "2026-01-01T00:00:00Z", "2025-12-31T19:00:00.000-05:00"),
    ("date-time", "2026-01-01t00:00:00.1000000000z", "2026-01-01T00:00:00.1+00:00"),
    ("byte", "YWI=", "YWI"),
    (None, 1, 1.0),
]


@pytest.mark.parametrize(("form", "one", "other"), MEANS_THE_SAME)
def test_values_are_held_against_each_other_by_what_they_mean(form: Any, one: Any, other: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "format": form} if form else {}}}
    comparer = compile_parity(ParityModel(), schema, TODAY)
    assert _of(comparer, {"a": one}, {"a": other}).verdict == "match"


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [("1.10", "1.1", "value"), ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.0Z", "value"), ("a", "A", "case"),
     ("a", " a", "space"), ("é", "e\u0301", "encoding"), ("Ã©", "é", "encoding"), ("a", "", "empty"), ("1", 1, "type"),
     (None, "a", "null"), (None, [], "empty"), ("a", ABSENT, "missing"), (ABSENT, 1, "extra"), ([], {}, "type")],
)  # fmt: skip
def test_a_difference_is_told_by_its_kind(one: Any, other: Any, kind: str) -> None:
    comparer = compile_parity(ParityModel(), {"type": "object", "properties": {"a": {"type": "string"}}}, TODAY)
    legacy, replacement = ({} if each is ABSENT else {"a": each} for each in (one, other))
    found = _of(comparer, legacy, replacement)
    assert [(each.pointer, each.kind) for each in found.differences] == [("/a", kind)]


def test_items_are_told_apart_so_that_one_put_in_is_one_difference(comparer: Make) -> None:
    rows = [{"id": number, "v": number * 2} for number in range(50)]
    found = _of(comparer({}, None), {"a": rows}, {"a": [{"id": 99, "v": 0}, *rows]})
    assert [(each.pointer, each.kind) for each in found.differences] == [("/a/0", "extra")]
    plain = list(range(50))
    cut = [*plain[:20], *plain[21:]]
    found = _of(comparer({}, None), plain, cut)
    assert [(each.pointer, each.kind) for each in found.differences] == [("/20", "missing")]
    found = _of(comparer({}, None), {"a": rows}, {"a": [rows[1], rows[0], *rows[2:]]})
    assert [(each.pointer, each.kind, each.by) for each in found.differences] == [("/a", "order", ("id",))]


def test_a_groups_rules_speak_of_each_item_of_its_pages(corpus: Any, comparer: Make) -> None:
    page = {"items": [{"id": "1", "balance": "1.00"}], "next": "/a?cursor=1"}
    other = {"items": [{"id": "1", "balance": "1.01"}], "next": "/a?cursor=2"}
    parity = {"tolerance": {"/balance": {"abs": "0.01"}}}
    for schema in (corpus.PAGE, None):
        assert _of(comparer(parity, schema), page, other).verdict == "tolerated"
        found = _of(comparer(parity, schema), page, other | {"next": None})
        assert [each.kind for each in found.differences if each.verdict == "mismatch"] == ["paging"]


def test_what_is_known_is_told_as_known_and_nothing_else_is(comparer: Make) -> None:
    parity = {
        "known": [{"at": "/a", "ticket": "CRM-12", "kind": "value"}, {"at": "", "kind": "status", "ticket": "CRM-13"}]
    }
    ruled = comparer(parity, None)
    found = _of(ruled, {"a": {"b": "x"}}, {"a": {"b": "y"}})
    assert (found.verdict, found.differences[0].rule) == ("known", "known CRM-12")
    assert _of(ruled, {"a": {"b": "x"}}, {"a": {}}).verdict == "mismatch"
    assert ruled.compare(Observed(200, {}), Observed(201, {})).verdict == "known"
    assert ruled.compare(Observed(200, {"c": 1}), Observed(201, {"c": 2})).verdict == "mismatch"


def test_faults_may_be_said_to_mean_the_same(comparer: Make) -> None:
    parity = {"faults": [{"legacy": {"status": 404, "slug": "not-found"}, "replacement": {"status": 410}}]}
    ruled, gone = comparer(parity), Observed(410, {}, "rejected")
    assert ruled.compare(Observed(404, {}, "not-found"), gone).verdict == "tolerated"
    assert ruled.compare(Observed(409, {}, "conflict"), gone).verdict == "mismatch"
    assert ruled.compare(gone, Observed(404, {}, "not-found")).verdict == "mismatch"


def test_who_gave_no_answer_cant_be_compared(comparer: Make) -> None:
    fine, busy = Observed(200, {"a": 1}), Observed(503, {}, "upstream-busy")
    broken = Observed(502, {}, "bad-upstream-reply")
    for legacy, replacement in ((busy, fine), (fine, busy), (broken, fine), (broken, broken)):
        found = comparer().compare(legacy, replacement)
        assert (found.verdict, found.signature) == ("incomparable", "")
        assert found.reason
    assert comparer().compare(fine, broken).verdict == "mismatch"


def test_legacy_that_differs_from_itself_is_drift(comparer: Make) -> None:
    plain = comparer({}, None)
    found = _of(plain, {"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 2, "b": "x"})
    assert (found.verdict, found.sandwiched, [each.pointer for each in found.drift]) == ("noise", True, ["/a"])
    assert _of(plain, {"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 2, "b": "x"}).verdict == "mismatch"
    # That a value varies doesn't excuse that it is gone, or of another type, or far off.
    assert _of(plain, {"a": 1}, {}, {"a": 2}).verdict == "mismatch"
    assert _of(plain, {"a": 1}, {"a": "2"}, {"a": 2}).verdict == "mismatch"
    assert _of(plain, {"a": 1}, {"a": 20_000}, {"a": 2}).verdict == "mismatch"
    gone = Observed(404, {}, "not-found")
    assert plain.compare(Observed(200, {"a": 1}), gone, gone).verdict == "noise"


def test_a_rule_past_its_time_no_longer_applies_and_is_found(comparer: Make) -> None:
    parity = {"ignore": [{"at": "/a", "expires": "2026-10-31"}, {"at": "/b", "expires": "2026-11-01"}]}
    ruled = comparer(parity, None)
    assert ruled.expired == ("ignore /a",)
    assert _of(ruled, {"a": 1}, {"a": 2}).verdict == "mismatch"
    assert _of(ruled, {"b": 1}, {"b": 2}).verdict == "tolerated"
    model = ParityModel.model_validate(parity)
    assert [(place, level) for place, _, level in parity_findings(model, TODAY, "team-crm")] == [
        (("ignore", "0"), "warning")
    ]
    theirs = compile_parity(model, None, TODAY, owner="team-crm")
    assert theirs.owners == {"ignore /b": "team-crm"}
    late = compile_parity(ParityModel.model_validate({"ignore": ["/a"]}), None, TODAY, expires=date(2026, 1, 1))
    assert _of(late, {"a": 1}, {"a": 2}).verdict == "mismatch"


def test_a_rule_has_an_owner_and_an_end_and_stands_once() -> None:
    model = ParityModel.model_validate({"ignore": ["/a", "/a"]})
    sentences = [sentence for _, sentence, _ in parity_findings(model, TODAY)]
    assert len([each for each in sentences if "owner" in each]) == 2
    assert len([each for each in sentences if "never ends" in each]) == 2
    assert len([each for each in sentences if "another rule" in each]) == 1
    assert list(parity_findings(ParityModel.model_validate({"ignore": ["/a"]}), TODAY, "me", date(2027, 1, 1))) == []


@pytest.mark.parametrize(
    "parity",
    [{"ignore": ["a"]}, {"ignore": [""]}, {"tolerance": {"/a": {}}}, {"tolerance": {"/a": {"abs": "-1"}}},
     {"tolerance": {"/a": "0.01"}}, {"tolerance": {"/a": {"abs": "nan"}}}, {"unknown": []}, {"known": [{"at": "/a"}]},
     {"known": [{"at": "", "ticket": "x"}]}, {"faults": [{"legacy": {}, "replacement": {"status": 404}}]},
     {"enum_map": {"/a": {}}}, {"ignore": [{"at": "/a", "oops": 1}]}, {"tolerance": {"/a": {"rel": "100%"}}}],
)  # fmt: skip
def test_what_means_nothing_is_refused(parity: Any) -> None:
    with pytest.raises(ValidationError):
        ParityModel.model_validate(parity)


def test_the_share_of_fields_covered_leaves_out_what_isnt_compared(comparer: Make) -> None:
    body = {"a": 1, "b": 2, "c": {"d": 3, "e": 4}, "f": [1, 2]}
    found = _of(comparer({"ignore": ["/a"], "presence_only": ["/c/d"]}, None), body, dict(body))
    assert (found.covered, found.fields, found.verdict) == (4, 6, "match")


def test_everything_has_a_bound(comparer: Make) -> None:
    deep: Any = "x"
    for _ in range(DEEPEST + 1):
        deep = [deep]
    assert "deeper" in _of(comparer({}, None), deep, deep).reason
    many = list(range(MOST_VALUES + 1))
    assert _of(comparer({}, None), many, list(many)).verdict == "incomparable"
    wide = {str(number): number for number in range(1000)}
    found = _of(comparer({}, None), wide, dict.fromkeys(wide, -1))
    assert (len(found.differences), found.total) == (100, 1000)
    endless: Any = {}
    for _ in range(5000):
        endless = {"a": endless}
    assert _of(comparer({"ignore": ["/a"]}, None), endless, {"a": 1}).verdict in ("incomparable", "tolerated")


def test_a_workspaces_rules_are_checked_with_their_group() -> None:
    text = b"""
groups:
  items:
    owner: team-crm
    parity: {ignore: ["/a", {at: /b, expires: 2026-10-31}], tolerance: {"/c": {abs: "0.01", expires: 2027-01-01}}}
"""
    document = parse(FILE, text, Report())
    assert document is not None
    migration = Migration.model_validate(document.data)
    report = Report()
    check_migration({FILE: text}, migration, {"items": Group("items", Stage())}, (), TODAY, report)
    assert [(each.key, each.line, each.level) for each in report.sorted()] == [
        ("groups.items.parity.ignore.0", 5, "error"),
        ("groups.items.parity.ignore.1", 5, "warning"),
    ]


def test_a_text_outside_ascii_is_no_base64() -> None:
    assert difference("é", "YQ==", "bytes") == "value"
