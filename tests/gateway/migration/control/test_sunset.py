"""Callers of a group that is going to go are told since when, and until when, whatever the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOLD = {"deprecation": "@1793491200", "sunset": "Mon, 01 Mar 2027 00:00:00 GMT"}


def said(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name in TOLD}


def test_each_answer_says_when_the_route_goes(administer: Callable[..., Any]) -> None:
    with administer(group=", deprecated: 2026-11-01, sunset: 2027-03-01") as control:
        with control.gateway.client(control.gateway.reader) as alice:
            assert said(alice.get("/items/A")) == TOLD
            assert said(alice.get("/items/A?colour=red")) == TOLD
        with control.gateway.client("Bearer nobody") as nobody:
            answer = nobody.get("/items/A")
            assert (answer.status_code, said(answer)) == (401, TOLD)


def test_each_answer_says_where_to_go_instead(administer: Callable[..., Any]) -> None:
    group = ", successor: 'https://api.example.com/v2/items', docs: 'https://example.com/moving?from=v1'"
    with administer(group=group) as control, control.gateway.client(control.gateway.reader) as alice:
        for path in ("/items/A", "/items/A?colour=red"):
            assert alice.get(path).headers.get_list("link") == [
                '<https://api.example.com/v2/items>; rel="successor-version"',
                '<https://example.com/moving?from=v1>; rel="deprecation"',
            ]


def test_routes_that_stay_say_nothing(administer: Callable[..., Any]) -> None:
    with administer() as control, control.gateway.client(control.gateway.reader) as alice:
        assert said(alice.get("/items/A")) == {}


@pytest.mark.parametrize(
    ("days", "why"),
    [
        ("deprecated: 2027-03-02, sunset: 2027-03-01", "the sunset is before the routes are deprecated"),
        ("sunset: soon", "a day is written 2027-06-30"),
        ("successor: 'javascript:alert(1)'", "groups.items.successor"),
        ("docs: 'https://example.com/>; rel=next'", "groups.items.docs"),
    ],
)
def test_days_that_make_no_sense_are_refused(running: ModuleType, tmp_path: Path, days: str, why: str) -> None:
    running.write_workspace(
        tmp_path, {"gateway.yaml": "{}", "policies/migration.yaml": f"groups: {{items: {{{days}}}}}"}
    )
    checked = running.figway("check", "--workspace", str(tmp_path))
    assert checked.returncode == 1
    assert why in checked.stdout + checked.stderr
