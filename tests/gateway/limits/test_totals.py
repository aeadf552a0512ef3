"""A run's totals: the arithmetic against a dictionary, how long they are kept, and what calls take of them."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.contract import Effect, Json
from gateway.call import Call, Principal, Reply, UpstreamCall
from gateway.errors import InvalidRequest, NotAcceptable, UnknownOutcome
from gateway.filters.totals import Taking
from gateway.limits import runs as module
from gateway.limits.bucket import TOTAL, Bucket, Full, Refusal
from gateway.limits.calendar import Day
from gateway.limits.ledger import UNBOUND, Ledger
from gateway.limits.memory import Memory
from gateway.limits.plan import plans
from gateway.limits.runs import Runs
from gateway.limits.totals import UNITS, Amounts, Charge, Total
from gateway.routing.limits_schema import Limits
from gateway.routing.model import Binding, Defaults, Parameter, Route
from gateway.store.shared import Shared

DAY = Day("UTC")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    runs = Runs(tmp_path_factory.mktemp("runs") / "runs")
    yield runs
    runs.close()


_SMALL = st.integers(0, 9)


@given(
    most=st.tuples(*(st.integers(0, 40) for _ in UNITS)),
    steps=st.lists(st.tuples(st.booleans(), _SMALL, _SMALL, _SMALL, st.integers(-9, 9)), max_size=40),
)
@settings(max_examples=200, deadline=None)
def test_a_total_is_counted_as_a_dictionary_would(
    runs: Runs, most: Amounts, steps: list[tuple[bool, int, int, int, int]]
) -> None:
    identity = os.urandom(8)
    whole, inner = Total(identity, "run", most), Total(identity, "run", most, of_steps=True)
    used: Counter[str] = Counter()
    for of_steps, writes, cost, rows, more in steps:
        total = inner if of_steps else whole
        charge = Charge((total,), writes, cost, rows)
        taken = dict(zip(UNITS, (0 if of_steps else 1, writes, 0 if of_steps else cost, rows), strict=True))
        over = [
            unit
            for unit, bound in zip(UNITS, most, strict=True)
            if bound and taken[unit] and used[unit] + taken[unit] > bound
        ]
        refusal = runs.look(charge)
        assert (refusal is None) == (not over)
        if refusal is not None:
            assert UNITS[refusal.kind - TOTAL] == over[0]
            assert refusal.wait == max(0, most[UNITS.index(over[0])] - used[over[0]])
            continue
        runs.write(charge)
        used.update(taken)
        assert [(unit, left) for _, unit, left in charge.left] == [
            (at, max(0, bound - used[UNITS[at]])) for at, bound in enumerate(most) if bound
        ]
        runs.settle((total,), (0, 0, 0, more))
        used["rows"] = max(0, used["rows"] + more)


def test_it_outlives_a_restart_and_is_kept_as_long_as_its_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr(module.time, "time", lambda: now)

    def again(name: bytes, expires: float = 0.0) -> bool:
        runs = Runs(tmp_path / "runs")
        charge = Charge((Total(name, "run", (1, 0, 0, 0), expires=expires),), 0, 0, 0)
        allowed = runs.look(charge) is None
        if allowed:
            runs.write(charge)
        runs.close()
        return allowed

    assert [again(b"short"), again(b"short")] == [True, False]
    assert again(b"long", now + 7 * 86_400)
    assert again(b"endless", now + 10**9)
    now += 86_390
    assert not again(b"short")
    now += 20
    assert again(b"short")
    now += 6 * 86_400 - 100
    assert not again(b"long")
    now += 86_400
    assert again(b"long")
    assert not again(b"endless")
    now += 31 * 86_400
    assert again(b"endless")


def test_a_host_that_is_full_of_runs_forgets_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr(module.time, "time", lambda: now)
    monkeypatch.setattr(module, "RUNS", 4)
    monkeypatch.setattr(module, "_PROBES", 4)
    runs = Runs(tmp_path / "runs")
    for number in range(4):
        charge = Charge((Total(b"%d" % number, "run", (2, 0, 0, 0)),), 0, 0, 0)
        assert runs.look(charge) is None
        runs.write(charge)
    fifth = Charge((Total(b"5", "run", (2, 0, 0, 0)),), 0, 0, 0)
    with pytest.raises(Full):
        runs.look(fifth)
    now += 86_402
    assert runs.look(fifth) is None
    runs.close()


def test_totals_of_one_call_never_share_a_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RUNS", 2)
    monkeypatch.setattr(module, "_PROBES", 2)
    runs = Runs(tmp_path / "runs")
    charge = Charge((Total(b"1", "run", (2, 0, 0, 0)), Total(b"2", "run", (9, 0, 0, 0))), 0, 0, 0)
    for left in ([1, 8], [0, 7]):
        assert runs.look(charge) is None
        runs.write(charge)
        assert [each[2] for each in charge.left] == left
    assert runs.look(charge) is not None
    runs.close()


def test_a_call_counts_in_buckets_and_totals_or_in_neither(tmp_path: Path) -> None:
    shared = Shared.open(tmp_path / "shared")
    ledger = Ledger(Memory.open(tmp_path / "limits", shared))
    quota, total = Bucket(b"q", "q", quota=2, day=DAY), Total(b"t", "run", (3, 0, 0, 0))
    charge = Charge((total,), 0, 1, 0)
    assert [isinstance(ledger.take((quota,), 1, charge), Refusal) for _ in range(3)] == [False, False, True]
    assert ledger.take((), 1, charge) is UNBOUND  # the third call was refused, and counted nowhere
    refusal = ledger.take((), 1, charge)
    assert isinstance(refusal, Refusal)
    assert (refusal.bucket, refusal.kind) == (total, TOTAL)
    with (tmp_path / "limits").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert ledger.take((), 1, charge) is None
        assert not ledger.settle((), 0, (total,), (0, 0, 0, 1))
    ledger.close()
    shared.close()


def route(name: str = "here", effect: Effect = Effect.READ, **more: Any) -> Route:
    return Route(
        name, "GET", f"/{name}", effect, "things", more.pop("parameters", ()), None, 200, None,
        legacy=Binding("erp", "op", None, None), **more,
    )  # fmt: skip


def totals(match: dict[str, str], who: Principal, *, step: bool = False) -> tuple[Total, ...]:
    limits = Limits.model_validate({"rules": [{"match": match, "total": {"writes": 2}}]})
    return plans(limits, [route()])["here"][step].entry(who).totals


def test_a_run_is_one_of_its_issuer_and_tenant_and_steps_share_it() -> None:
    run = Principal("alice", "bot", run="r1", issuer="https://id.example", expires=7.0)
    (mine,) = totals({"run": "*"}, run)
    assert mine.expires == 7.0
    assert (
        totals({"run": "*"}, Principal("bob", "sub", run="r1", issuer="https://id.example"))[0].identity
        == mine.identity
    )
    for other in (
        Principal("alice", "bot", run="r2", issuer="https://id.example"),
        Principal("alice", "bot", run="r1", issuer="https://other.example"),
        Principal("alice", "bot", run="r1", issuer="https://id.example", tenant="acme"),
    ):
        assert totals({"run": "*"}, other)[0].identity != mine.identity
    assert totals({"run": "*"}, Principal("alice", "bot")) == ()
    (inner,) = totals({"run": "*"}, run, step=True)
    assert (inner.identity, inner.of_steps, mine.of_steps) == (mine.identity, True, False)
    (placed,) = totals({"run": "*", "route": "here"}, run, step=True)
    assert not placed.of_steps


@pytest.mark.parametrize(
    "rule",
    [
        {"match": {"agent": "*"}, "total": {"calls": 1}},
        {"match": {"run": "*"}, "total": {}},
        {"match": {"run": "*"}, "total": {"calls": 0}},
        {"match": {"run": "*"}, "total": {"tokens": 1}},
    ],
    ids=["no run", "nothing", "none", "unknown"],
)
def test_a_total_that_means_nothing_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate({"rules": [rule]})


LIMIT = Parameter("limit", "query", {"type": "integer"})
TOTALS = (Total(b"t", "run", (0, 0, 0, 9)),)


def called(raw: bytes = b"", **more: Any) -> Call:
    return Call("id", "op", 1, "GET", "/here", 0.0, "", {}, raw_query=raw, **more)


@pytest.mark.parametrize(
    ("raw", "rows"),
    [
        (b"", 50),
        (b"limit=7", 7),
        (b"sort=a&limit=7", 7),
        (b"l%69mit=7", 7),
        (b"limit=9999", 500),
        (b"limit=-7", 500),
        (b"limit=7e2", 500),
        (b"limit=%F0", 500),
        (b"limit=", 500),
        ("limit=٧".encode(), 500),
        (b"xlimit=7", 50),
    ],
    ids=["default", "asked", "behind", "escaped", "most", "negative", "float", "not text", "empty", "arabic", "other"],
)
def test_as_many_rows_are_reserved_as_the_page_can_have(raw: bytes, rows: int) -> None:
    taking = Taking(route(is_list=True, parameters=(LIMIT,)), 1, Defaults())
    assert taking.charge(called(raw), TOTALS).rows == rows


async def test_what_was_reserved_is_settled_by_what_the_call_came_to() -> None:
    reading = Taking(route(is_list=True, parameters=(LIMIT,)), 1, Defaults())
    charge = reading.charge(called(b"limit=7"), TOTALS)
    for ended, rows in (
        (Reply(200, {"items": [1, 2, 3]}), -4),
        (Reply(200, None, encoded=b'{"items": [1]}'), -6),
        (InvalidRequest("no"), -7),
    ):
        assert await reading.really(charge, called(), ended) == (0, rows)
    writing = Taking(route(effect=Effect.WRITE), 1, Defaults())
    charge = writing.charge(called(), TOTALS)
    assert (charge.writes, charge.rows) == (1, 0)
    sent = called(upstream_calls=[UpstreamCall("erp", "op", 0.1, "ok")])
    assert await writing.really(charge, sent, Reply(200, {})) == (0, 0)
    assert await writing.really(charge, called(), Reply(200, {})) == (-1, 0)  # replayed, or tried
    assert await writing.really(charge, called(), UnknownOutcome("who knows")) == (0, 0)
    trying = called(trying=True)
    charge = writing.charge(trying, TOTALS)
    assert (charge.writes, charge.rows) == (0, 1)  # it may be told the entity as it is
    shown: tuple[Json, ...] = ({"before": {"sku": "A"}}, {"before": None}, {"request": "<Envelope/>"})
    assert [(await writing.really(charge, trying, Reply(200, each)))[1] for each in shown] == [0, -1, -1]


def test_all_of_a_list_isnt_told_where_rows_are_counted() -> None:
    taking = Taking(route(is_list=True, parameters=(LIMIT,)), 1, Defaults())
    with pytest.raises(NotAcceptable):
        taking.charge(called(sink=object()), TOTALS)
    assert taking.charge(called(sink=object()), (Total(b"t", "run", (9, 0, 0, 0)),)).rows == 50


def test_yes_is_no_number_of_rows() -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate({"rules": [{"match": {"run": "*"}, "total": {"rows": True}}]})
