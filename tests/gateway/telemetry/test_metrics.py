"""`/-/metrics`, as a scraper reads it: the host's sums, well-formed, bounded in labels."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Call, UpstreamCall
from gateway.telemetry import counter
from gateway.telemetry.cells import Cells, Total
from gateway.telemetry.exposition import exposition, merged
from gateway.telemetry.families import BOUNDS, DURATION, PROBLEMS
from gateway.telemetry.meters import Meters
from gateway.telemetry.series import is_kept, key_of

SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?[0-9.e+-]+|\+Inf)')
LABEL = re.compile(r'(\w+)="((?:[^"\\\n]|\\[\\"n])*)"')


def samples(page: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a page; fails on a line that isn't one."""
    found = {}
    for line in filter(None, page.split("\n")):
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP \w+ .+|TYPE \w+ (counter|gauge|histogram)|EOF)", line), line
            continue
        match = SAMPLE.fullmatch(line)
        assert match is not None, line
        found[match[1], frozenset(LABEL.findall(match[2] or ""))] = float(match[3])
    return found


@pytest.fixture
def meters(tmp_path: Path) -> Iterator[Meters]:
    cells = Cells.open(tmp_path, is_kept)
    yield Meters(cells)
    cells.close()


def page_of(meters: Meters, *, openmetrics: bool = False) -> str:
    return exposition(merged(Total((meters._cells.numbers_of(),), {})), openmetrics=openmetrics)


def ended(route: str = "/items/{sku}", method: str = "GET", calls: tuple[UpstreamCall, ...] = ()) -> Call:
    call = Call("id", "op", 1, method, "/items/1", 0.0, "", {})
    call.route, call.upstream_calls = route, list(calls)
    return call


def test_a_call_is_counted_where_its_time_belongs(meters: Meters) -> None:
    for seconds in (0.001, 0.005, 0.2, 99.0):
        meters.call(ended(), 200, None, seconds)
    found = samples(page_of(meters))
    labels = {("http_request_method", "GET"), ("http_route", "/items/{sku}"), ("http_response_status_code", "200")}
    name = "http_server_request_duration_seconds"
    cumulative = [
        found[f"{name}_bucket", frozenset({*labels, ("le", each)})] for each in ("0.005", "0.1", "0.25", "10", "+Inf")
    ]
    assert cumulative == [2, 2, 3, 3, 4]
    assert found[f"{name}_count", frozenset(labels)] == 4
    assert found[f"{name}_sum", frozenset(labels)] == pytest.approx(99.206)


def test_problems_denials_and_upstreams_are_counted(meters: Meters) -> None:
    denied = ended(calls=(UpstreamCall("crm", "Get", 0.3, "Unavailable"),))
    denied.decision = "deny"
    meters.call(denied, 403, "forbidden", 0.1)
    found = samples(page_of(meters))
    route = ("http_route", "/items/{sku}")
    assert found["figway_problems_total", frozenset({("problem", "forbidden"), route})] == 1
    assert found["figway_policy_denials_total", frozenset({route})] == 1
    labels = frozenset({("upstream", "crm"), ("outcome", "Unavailable")})
    assert found["figway_upstream_duration_seconds_count", labels] == 1


def test_callers_can_t_make_labels(meters: Meters) -> None:
    for number in range(300):
        meters.call(ended(route="", method=f"M{number}"), 404, "no-such-route", 0.1)
        meters.call(ended(calls=(UpstreamCall(f"u{number}", "op", 0.1, "ok"),)), 200, None, 0.1)
    found = samples(page_of(meters))
    methods = {dict(labels).get("http_request_method") for _, labels in found}
    assert methods == {None, "_OTHER", "GET"}
    upstreams = {dict(labels)["upstream"] for _, labels in found if "upstream" in dict(labels)}
    assert len(upstreams) == 257
    assert "other" in upstreams


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_label_can_be_read_back(one: str, other: str) -> None:
    key = key_of(PROBLEMS, (one, other))
    ((_, labels),) = samples(f"{key} 1")
    assert len(labels) == 2
    assert "\n" not in key


def test_openmetrics_ends_and_names_counters_without_their_suffix(meters: Meters) -> None:
    meters.call(ended(), 404, "not-found", 0.1)
    page = page_of(meters, openmetrics=True)
    assert page.endswith("# EOF\n")
    assert "# TYPE figway_problems counter" in page
    assert "\nfigway_problems_total{" in page
    samples(page)


def test_workers_are_added_up_and_gauges_of_the_ended_are_not() -> None:
    counted, served, workers = "figway_upstream_retries_total", "figway_snapshot", "figway_workers"
    key = f'{counted}{{upstream="crm"}}'
    living = ({key: [2.0], served: [7.0], workers: [1.0]}, {key: [3.0], served: [6.0], workers: [1.0]})
    numbers = merged(Total(living, {key: [10.0], workers: [1.0]}))
    assert numbers == {key: [15.0], served: [7.0], workers: [2.0]}


def test_other_rooms_count_through_counters(meters: Meters) -> None:
    refused = counter("figway_test_refusals_total", "Refused.", rule="r1")
    assert counter("figway_test_refusals_total", "Refused.", rule="r1") is refused
    refused.add()
    refused.add(2)
    meters.flush()
    assert samples(page_of(meters))["figway_test_refusals_total", frozenset({("rule", "r1")})] == 3
    with pytest.raises(ValueError, match="is a counter"):
        counter("figway_test_refusals_total", "Refused.", other="r1")


def test_buckets_are_in_order() -> None:
    assert list(BOUNDS) == sorted(set(BOUNDS))
    assert DURATION.cells == len(BOUNDS) + 2


# ── through a gateway of two workers ─────────────────────────────────────────────────────────────────────────


def scraped(gateway: Any, scraper: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{gateway.url}/-/metrics", headers={"authorization": scraper, **headers})


def test_any_worker_shows_what_all_counted(gateway: Any, scraper: str) -> None:
    labels = {("http_request_method", "GET"), ("http_route", "/items/{sku}"), ("http_response_status_code", "200")}
    name = ("http_server_request_duration_seconds_count", frozenset(labels))
    before = samples(scraped(gateway, scraper).text).get(name, 0)
    for _ in range(60):
        # A connection each, so that both workers get some.
        assert httpx.get(f"{gateway.url}/items/A", headers={"authorization": gateway.reader}).status_code == 200
    shown = [samples(scraped(gateway, scraper).text) for _ in range(4)]
    assert [each[name] - before for each in shown] == [60] * 4
    end = time.monotonic() + 20  # it is ready with the first worker
    while shown[-1]["figway_workers", frozenset()] < 2 and time.monotonic() < end:
        shown.append(samples(scraped(gateway, scraper).text))
    assert shown[-1]["figway_workers", frozenset()] == 2
    assert shown[-1]["figway_snapshot", frozenset()] == shown[-1]["figway_snapshot_oldest", frozenset()] == 1
    assert shown[-1]["figway_audit_unwritable", frozenset()] == 0
    assert shown[-1]["figway_upstream_breaker_open", frozenset({("upstream", "lab")})] == 0


def test_only_who_has_the_permission_may_scrape(gateway: Any, scraper: str) -> None:
    page = scraped(gateway, scraper)
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert scraped(gateway, scraper, accept="application/openmetrics-text").text.endswith("# EOF\n")
    refused = httpx.get(f"{gateway.url}/-/metrics", headers={"authorization": gateway.reader})
    assert refused.status_code == 403
    assert httpx.get(f"{gateway.url}/-/metrics").status_code == 401
