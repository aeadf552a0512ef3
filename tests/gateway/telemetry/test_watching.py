"""The rules and the dashboard that come with the gateway: they ask for nothing that a gateway doesn't print."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.telemetry.families import families

DOCKER = Path(__file__).parents[3] / "docker"
CAPTURING = ("figway_capture_", "figway_feed_")
"""Metrics of a gateway that captures something and tells of it, as this one doesn't."""
SECONDS = {"m": 60, "h": 3600, "d": 86_400}
MONTH = 30 * 86_400

_WORDS = {"sum", "by", "max", "min", "rate", "and", "histogram_quantile", "label_values"}
# What is left of an expression when texts, ranges and the lists of `by (…)` are taken away.
_NAME = re.compile(r"[a-zA-Z_][\w:]*")


def names(expression: str) -> set[str]:
    """The metrics that an expression of PromQL asks for."""
    bare = re.sub(r"\bby\s*\([^)]*\)|\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", " ", expression)
    return set(_NAME.findall(bare)) - _WORDS


def labels(expression: str) -> set[str]:
    """The labels that it selects or groups by."""
    selected = re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression)
    grouped = [each.strip() for inner in re.findall(r"\bby\s*\(([^)]*)\)", expression) for each in inner.split(",")]
    return {*selected, *grouped}


def balanced(expression: str) -> bool:
    waiting = []
    for character in re.sub(r'"[^"]*"', "", expression):
        if character in "([{":
            waiting.append({"(": ")", "[": "]", "{": "}"}[character])
        elif character in ")]}" and (not waiting or waiting.pop() != character):
            return False
    return not waiting


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((DOCKER / "prometheus/rules.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCKER / "grafana/figway.json").read_text())
    return found


def expressions() -> list[str]:
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    queries = [each["query"]["query"] for each in dashboard()["templating"]["list"] if each["type"] == "query"]
    return [*(rule["expr"] for rule in rules()), *panels, *queries]


def seconds(window: str) -> int:
    return int(window[:-1]) * SECONDS[window[-1]]


@pytest.fixture(scope="module")
def printed(gateway: Any, scraper: str, running: Any) -> str:
    """What a gateway prints that has had every kind of call."""
    with gateway.client() as client:
        client.get("/items/A")
        client.get("/closed/A")
        client.get("/items/A", headers={"authorization": running.create_key(gateway.folder, principal="nobody")})
        return client.get("/-/metrics", headers={"authorization": scraper}).text


def test_every_metric_asked_for_is_printed(printed: str) -> None:
    known = {re.split(r"[{ ]", line)[0] for line in printed.splitlines() if not line.startswith("#")}
    known |= {name for name in families if name.startswith(CAPTURING)}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    wanted = set().union(*(names(each) for each in expressions())) - recorded - {"http_route"}
    assert wanted - known == set()
    assert len(wanted) > 15


def test_every_label_asked_for_is_printed(printed: str) -> None:
    known = set(re.findall(r'[{,](\w+)="', printed)) | {"instance"}
    known |= {label for name, each in families.items() if name.startswith(CAPTURING) for label in each.labels}
    assert set().union(*(labels(each) for each in expressions())) - known == set()


def test_every_metric_printed_is_watched(printed: str) -> None:
    told = {re.sub(r"_(bucket|sum|count)$", "", line.split()[2]) for line in printed.splitlines() if "# TYPE" in line}
    text = " ".join(expressions())
    assert {each for each in told if each not in text and not each.startswith("figway_limit")} == set()


def test_expressions_are_whole() -> None:
    assert [each for each in expressions() if not balanced(each)] == []
    assert balanced("sum(rate(a[5m]))")
    assert not balanced("sum(rate(a[5m))")


def test_recorded_windows_are_what_their_names_say() -> None:
    for rule in rules():
        if "record" in rule:
            window = rule["record"].rpartition("rate")[2]
            assert set(re.findall(r"\[(\w+)\]", rule["expr"])) == {window}


@pytest.mark.parametrize(("objective", "budget"), [("errors", 0.001), ("slow", 0.01)])
def test_alerts_burn_as_the_workbook_advises(objective: str, budget: float) -> None:
    """The Site Reliability Workbook, table 5-8: how much of the budget is gone when the long window is full."""
    spent = {}
    for rule in rules():
        if rule.get("labels", {}).get("objective") != objective:
            continue
        (long, factor, allowed), (short, again, same) = re.findall(
            rf"figway:{objective}:ratio_rate(\w+) > ([\d.]+) \* ([\d.]+)", rule["expr"]
        )
        assert (factor, float(allowed), float(same)) == (again, budget, budget)
        assert seconds(short) * 12 == seconds(long)
        spent[long] = round(float(factor) * seconds(long) / MONTH, 4)
        severity = rule["labels"]["severity"]
        assert severity == ("page" if seconds(long) <= 6 * 3600 else "ticket")
    assert spent == {"1h": 0.02, "6h": 0.05, "1d": 0.1, "3d": 0.1}


def test_each_alert_says_what_it_is_and_has_a_name_of_its_own() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] and rule["for"] for rule in alerts)


def test_panels_stand_side_by_side() -> None:
    places = [tuple(panel["gridPos"].values()) for panel in dashboard()["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(places)
