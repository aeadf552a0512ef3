"""The page stands alone, whatever names and sentences it shows."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.readiness.model import QUESTIONS
from gateway.readiness.page import page

HOSTILE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["<script>alert(1)</script>", '"><img src=x onerror=a()>', "</style>", "`<b>`", "a`b", "&lt;", "'"]
    ),
)
ANSWER = st.fixed_dictionaries(
    {"verdict": st.sampled_from(["yes", "no", "unchecked"]), "why": HOSTILE, "next": st.one_of(st.none(), HOSTILE)}
)
ANSWERS = st.fixed_dictionaries(dict.fromkeys(QUESTIONS, ANSWER))
TIMING = st.one_of(
    st.none(),
    st.fixed_dictionaries({"calls": st.just(3), "p50_ms": st.floats(0, 1e5), "p95_ms": st.floats(0, 1e5)}),
)
ROW = st.fixed_dictionaries(
    {"route": HOSTILE, "method": st.just("GET"), "path": HOSTILE, "effect": st.just("read"),
     "side": st.sampled_from([None, "legacy", "replacement"]), "timing": TIMING, "answers": ANSWERS}
)  # fmt: skip
SYSTEM = st.fixed_dictionaries(
    {"upstream": HOSTILE, "kind": HOSTILE, "timing": TIMING, "answers": ANSWERS, "routes": st.lists(ROW, max_size=2)}
)
REPORT = st.fixed_dictionaries(
    {"made": st.just("2026-11-21T14:00:00Z"), "live": st.booleans(), "calls": st.just(10), "limit_ms": st.just(1000),
     "questions": st.just(dict(QUESTIONS)), "verdicts": st.just({"yes": 1, "no": 0, "unchecked": 2}),
     "upstreams": st.lists(SYSTEM, max_size=2), "composites": st.lists(ROW, max_size=1),
     "without_system": st.lists(st.fixed_dictionaries({"route": HOSTILE, "calls": st.just("fail")}), max_size=1)}
)  # fmt: skip
KNOWN = """html head meta title style body main header section footer h1 h2 p span b small
table thead tbody tr th td svg rect ol ul li br code dl dt dd div"""
TAGS = frozenset(KNOWN.split())


class Reader(HTMLParser):
    """The page's elements, their attributes and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REPORT)
def test_nothing_comes_from_elsewhere_and_nothing_runs(report: Any) -> None:
    reader = Reader()
    reader.feed(text := page(report))
    assert reader.tags <= TAGS
    assert not {each for each in reader.attributes if each.startswith("on")} | reader.attributes & {"src", "href"}
    assert "url(" not in text
    assert "@import" not in text
    for system in report["upstreams"]:
        assert system["kind"].replace("`", "").split() == [] or system["kind"].split("`")[0] in reader.text


def test_every_shortfall_has_its_next_step_once() -> None:
    no, yes = {"verdict": "no", "why": "w", "next": "do it"}, {"verdict": "yes", "why": "w", "next": None}
    answers = {"fast": no, "acts": yes, "visible": yes, "scales": no}
    system = {"upstream": "old", "kind": "soap", "timing": None, "answers": answers, "routes": []}
    report = {"made": "m", "live": False, "calls": 1, "limit_ms": 1000, "questions": dict(QUESTIONS),
              "verdicts": {"yes": 2, "no": 2, "unchecked": 0}, "upstreams": [system], "composites": [],
              "without_system": [{"route": "get_x", "calls": "are mocked"}]}  # fmt: skip
    text = page(report)
    assert text.count("do it") == 1
    assert "old: under a second; old: scales" in text
    assert "get_x: its calls are mocked" in text
