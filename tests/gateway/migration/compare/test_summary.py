"""What is kept of comparisons: counts that workers add up, and examples that give no value away."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from gateway.audit.arguments import Hasher
from gateway.migration.compare.comparer import Comparer
from gateway.migration.compare.model import Comparison, Difference, Observed
from gateway.migration.compare.redact import Redactor, shape
from gateway.migration.compare.summary import Summary
from gateway.routing.parity_schema import Samples

Make = Callable[..., Comparer]
SECRETS = ("Nordlys", "post@", "55 01", "9871.23", "Ingrid")


def _compared(comparer: Comparer, legacy: Any, replacement: Any) -> Comparison:
    return comparer.compare(Observed(200, legacy), Observed(200, replacement))


def _person() -> dict[str, Any]:
    return {"name": "Nordlys Marine", "email": "post@nordlys.example", "phone": "+47 55 01 02 03", "balance": "9871.23",
            "address": {"street": "Ingridsgate 1", "city": "Bergen"}}  # fmt: skip


def _other() -> dict[str, Any]:
    return {"name": "NORDLYS MARINE", "phone": "+4755010203", "balance": "9871.24", "address": None, "Ingrid": 1}


def test_no_value_is_in_a_sample_unless_it_is_named(comparer: Make) -> None:
    comparison = _compared(comparer({"samples": {"keep": ["/a"]}}), _person(), _other())
    for redactor in (Redactor(Samples()), Redactor(Samples(), Hasher("k1", b"secret"))):
        text = json.dumps(redactor.comparison(comparison))
        assert not [secret for secret in SECRETS if secret.lower() in text.lower()]
        assert "/phone" in text
    summary = Summary()
    summary.add(comparison, Redactor(Samples(), Hasher("k1", b"secret")))
    assert not [secret for secret in SECRETS if secret.lower() in json.dumps(summary.to_json()).lower()]


def test_a_sample_still_shows_what_the_matter_is(comparer: Make) -> None:
    comparison = _compared(comparer(), _person(), _other())
    redactor = Redactor(Samples(), Hasher("k1", b"secret"))
    told = {each.pattern: redactor.difference(each) for each in comparison.differences}
    assert told["/phone"]["legacy"]["shape"] == "+99 99 99 99 99"
    assert told["/phone"]["replacement"]["shape"] == "+9999999999"
    assert told["/phone"]["legacy"]["hash"] != told["/phone"]["replacement"]["hash"]
    assert (told["/balance"]["apart"], told["/balance"]["legacy"]["scale"]) == ("0.01", 2)
    assert told["/email"]["replacement"] == {"type": "absent"}
    assert told["/address"]["legacy"]["members"] == 2
    assert told["/address"]["replacement"] == {"type": "null"}
    assert told["/name"]["kind"] == "case"


def test_what_is_named_is_kept_or_left_out() -> None:
    policy = Samples(keep=("/status", "/address", "/**/code"), redact=("/address/street",))
    redactor = Redactor(policy, Hasher("k1", b"secret"))
    assert redactor.value("/status", "ACTIVE") == "ACTIVE"
    assert redactor.value("/items/*/status", "ACTIVE") == "ACTIVE"
    assert redactor.value("/x/*/code", 7) == 7
    assert redactor.value("/address", {"city": "Bergen", "street": "Ingridsgate"}) == {
        "city": "Bergen",
        "street": {"type": "string"},
    }
    assert redactor.value("/address/street", "Ingridsgate") == {"type": "string"}
    assert set(redactor.value("/name", "Nordlys")) == {"type", "length", "shape", "hash"}
    assert "hash" in redactor.value("/status", "x" * 5000)


def test_a_shape_has_no_letter_and_no_digit_of_the_text() -> None:
    assert shape("Åse-7 x") == "Aaa-9 a"


def test_a_zero_isnt_given_away_by_how_far_the_other_is() -> None:
    redactor = Redactor(Samples())
    assert "apart" not in redactor.difference(Difference("/a", "number", 0, 123, pattern="/a"))


def _many(comparer: Comparer, corpus: Any, seed: int, times: int) -> list[Comparison]:
    dice = random.Random(seed)
    found = []
    for number in range(times):
        body = corpus.customer(dice)
        other = copy.deepcopy(body)
        if number % 4 == 0:
            other["name"] = "wrong"
        if number % 10 == 0:
            other["balance"] = body["balance"] + "1"
        found.append(_compared(comparer, body, other))
    return found


def test_workers_add_up_to_what_one_would_have_counted(comparer: Make, corpus: Any) -> None:
    comparisons = _many(comparer(), corpus, 1, 200)
    whole, parts = Summary(), [Summary() for _ in range(4)]
    for number, each in enumerate(comparisons):
        whole.add(each)
        parts[number % 4].add(each)
    merged = Summary()
    for part in parts:
        merged.merge(Summary.from_json(json.loads(json.dumps(part.to_json()))))
    one, other = whole.to_json(), merged.to_json()
    for told in (*one["places"], *other["places"]):
        assert 0 < len(told.pop("examples")) <= 3
    for told in (one, other):
        told["places"].sort(key=lambda place: (place["at"], place["kind"]))
    assert one == other
    assert whole.verdicts == {"match": 140, "mismatch": 60}


def test_a_summary_reads_as_it_was_written(comparer: Make, corpus: Any) -> None:
    summary = Summary()
    for each in _many(comparer(), corpus, 2, 50):
        summary.add(each)
    assert Summary.from_json(json.loads(json.dumps(summary.to_json()))).to_json() == summary.to_json()


def test_the_worst_comes_first(comparer: Make, corpus: Any) -> None:
    summary = Summary()
    ruled = comparer({"tolerance": {"/balance": {"abs": "1"}}})
    for each in _many(ruled, corpus, 3, 40):
        summary.add(each)
    assert [(at, kind) for at, kind, _ in summary.worst()] == [("/name", "value"), ("/balance", "number")]
    assert summary.worst(1)[0][2].verdicts == {"mismatch": 10}
    assert summary.rules == {"tolerance /balance": 4}
    assert summary.coverage == 1.0


def test_more_than_one_in_twenty_incomparable_is_inconclusive() -> None:
    summary = Summary()
    assert summary.inconclusive
    for number in range(100):
        summary.add(Comparison("incomparable", reason="too deep") if number < 5 else Comparison("match"))
    assert not summary.inconclusive
    summary.add(Comparison("incomparable", reason="too deep"))
    assert summary.inconclusive
    assert summary.reasons == {"too deep": 6}


def test_a_summary_stays_small_whatever_differs(comparer: Make) -> None:
    summary = Summary()
    plain = comparer({}, None)
    for number in range(80):
        summary.add(_compared(plain, {f"m{number}-{at}": at for at in range(10)}, {}))
    assert len(summary.places) == 500
    assert summary.untold == 300
