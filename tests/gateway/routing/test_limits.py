"""`policies/limits.yaml`: what it may say, and what nonsense is told, with its line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.limits_schema import DAYS, Limits, Rate, Rule, Window
from gateway.routing.load import Loaded
from gateway.routing.model import Finding

PATH = "policies/limits.yaml"
WHOLE = """\
rules:
  - {match: {agent: "*"}, rate: 20/s, burst: 40, concurrency: 8}
  - {match: {principal: "*", effect: write}, rate: 60/min, quota: 5000/day, time_zone: Europe/Berlin}
  - {match: {upstream: shop}, concurrency: 4, priority: {interactive: 3, agent: 2, batch: 1}}
  - {match: {group: things}, budget: 1000/day, closed: ["02:00-04:00 Europe/Berlin", "fri-mon,wed 22:00-24:00"]}
  - {match: {role: nightly}, priority: batch}
on_store_failure: deny
"""


def test_what_it_says(load: Callable[..., Loaded], files: dict[str, bytes]) -> None:
    limits = load({**files, PATH: WHOLE.encode()}).compiled.policy_files["limits.yaml"]
    assert isinstance(limits, Limits)
    first, second, third, fourth, fifth = limits.rules
    assert (first.rate, first.burst, first.concurrency) == (Rate(20, 1), 40, 8)
    assert (second.rate, second.quota, second.time_zone) == (Rate(60, 60), 5000, "Europe/Berlin")
    assert third.match.upstream == "shop"
    assert fourth.closed[0] == Window(frozenset(range(7)), 120, 240, "Europe/Berlin")
    assert fourth.closed[1] == Window(frozenset({0, 2, 4, 5, 6}), 1320, 1440, "UTC")
    assert (fifth.priority, limits.on_store_failure) == ("batch", "deny")


def test_without_the_file_nothing_is_limited(load: Callable[..., Loaded], files: dict[str, bytes]) -> None:
    assert load(files).compiled.policy_files["limits.yaml"] == Limits()


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("{rate: 20}", "a rate is a whole number"),
        ("{rate: 0/s}", "a rate is a whole number"),
        ("{rate: 5/day}", "a rate is a whole number"),
        ("{quota: 5/h}", "whole number per day"),
        ("{match: {agent: x}}", "limits nothing"),
        ("{burst: 3, quota: 5/day}", "burst belongs to a rate"),
        ("{rate: 1/s, burst: 0}", "greater than or equal to 1"),
        ("{match: {session: x}, rate: 1/s}", "unknown key"),
        ("{match: {effect: delete}, rate: 1/s}", "'read'"),
        ("{match: {route: get_nothing}, rate: 1/s}", "no route 'get_nothing'"),
        ("{match: {group: nothings}, rate: 1/s}", "no group 'nothings'"),
        ("{match: {upstream: erp}, rate: 1/s}", "no upstream 'erp'"),
        ("{match: {route: get_thing}, priority: {batch: 2}}", "belong to an upstream"),
        ("{priority: urgent}", "'interactive'"),
        ('{closed: ["02:00-02:00"]}', "no length"),
        ('{closed: ["02:00-24:30"]}', "no length"),
        ('{closed: ["2:00-4:00"]}', "a window is written"),
        ('{closed: ["02:00-04:00 Europe/Atlantis"]}', "no time zone"),
        ("{quota: 5/day, time_zone: Europe}", "no time zone"),
    ],
)
def test_nonsense_is_told_with_its_line(
    problems: Callable[..., list[Finding]], files: Mapping[str, bytes], rule: str, sentence: str
) -> None:
    text = f"rules:\n  - {{rate: 1/s}}\n  - {rule}\n"
    found = problems({**files, PATH: text.encode()})
    assert found
    assert all((each.file, each.line) == (PATH, 3) for each in found)
    assert any(sentence in each.message for each in found), found


@pytest.mark.parametrize(
    ("cost", "expected"),
    [("0", (0, None)), ("7", (7, None)), ("{estimate: 3, measured: length(parts)}", (3, "length(parts)"))],
)
def test_a_route_states_its_cost(
    load: Callable[..., Loaded], files: Mapping[str, bytes], cost: str, expected: tuple[int, str | None]
) -> None:
    contract = files["openapi/things.yaml"].decode().replace("effect: read", f"effect: read\n        cost: {cost}")
    route = load({**files, "openapi/things.yaml": contract.encode()}).compiled.routes[0]
    assert (route.cost, route.measured and route.measured.source) == expected


def test_a_measure_of_what_a_reply_hasnt_is_told(problems: Callable[..., list[Finding]], files: Any) -> None:
    cost = "effect: read\n        cost: {estimate: 3, measured: price}"
    contract = files["openapi/things.yaml"].decode().replace("effect: read", cost)
    assert "there is no 'price'" in problems({**files, "openapi/things.yaml": contract.encode()})[0].message


@pytest.mark.parametrize(
    ("url", "sound"),
    [("memory:", True), ("redis://cache:6379/0", True), ("env:LIMITS", True), ("memcached://x", False),
     ("redis://:secret@cache/0", False)],
)  # fmt: skip
def test_where_limits_are_kept(
    problems: Callable[..., list[Finding]], files: Mapping[str, bytes], url: str, sound: bool
) -> None:
    gateway = files["gateway.yaml"].decode() + f'stores: {{limits: "{url}"}}\n'
    found = problems({**files, "gateway.yaml": gateway.encode()}, environment={"LIMITS": "redis://x/1"})
    assert (found == []) is sound


@given(st.sets(st.integers(0, 6), min_size=1), st.integers(0, 1439), st.integers(1, 1440))
def test_a_window_is_read_as_it_is_written(days: set[int], start: int, end: int) -> None:
    if start == end:
        return
    text = ",".join(DAYS[day] for day in sorted(days))
    clock = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (start, end))
    rule = Rule.model_validate({"closed": [f"{text} {clock} Asia/Tokyo"]})
    assert rule.closed == (Window(frozenset(days), start, end, "Asia/Tokyo"),)
