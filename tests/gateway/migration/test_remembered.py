"""What the guardrails knew when whoever led was killed: the next one goes on from there, as if nothing had been."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.migration import watch
from gateway.migration.evidence import Evidence
from gateway.migration.gates.judge import Judge
from gateway.migration.model import Group, Stage
from gateway.migration.remembered import Remembered
from gateway.migration.totals import Arm, Totals, Verdicts
from gateway.migration.watch import Watch
from gateway.routing.gates_schema import GatesModel

CANARY = Stage("canary", weight=500_000)
LAXER = GatesModel.model_validate({"error": "10%"})
GROUP = Group("customers", CANARY, gates=GatesModel())


@pytest.fixture
def evidence(tmp_path: Path) -> Iterator[Evidence]:
    opened = Evidence.open(tmp_path / "evidence", SimpleNamespace(claim=lambda: 0))
    opened.begin("customers", 1, CANARY)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes come one after another, instead of once a second."""
    monkeypatch.setattr(watch, "_PROBE_PAUSE", 0.0)


def fail(evidence: Evidence, key: int) -> None:
    evidence.note("customers", "replacement", error=True, slow=False, key=key, signature="timeout")


def watched(evidence: Evidence, *, well: bool = True) -> Watch:
    """By a process that has just been elected."""

    async def probe(group: str, deadline: float) -> bool | None:
        return well

    return Watch(GROUP, evidence, probe, 0.0)


async def until(watch: Watch, ruling: str) -> None:
    """Looks until that is the ruling."""
    for _ in range(1000):
        if watch.look(0.0) == ruling:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"it is {watch.ruling}, not {ruling}")


async def test_what_was_seen_before_a_crash_counts_however_much_went_well_before(evidence: Evidence) -> None:
    for _ in range(20_000):
        evidence.note("customers", "replacement", error=False, slow=False)
    for key in range(2):
        assert watched(evidence).look(0.0) == "fine"
        fail(evidence, key)
    assert watched(evidence).look(0.0) == "fine"
    fail(evidence, 2)
    last = watched(evidence)
    assert last.look(0.0) == "checking"
    assert evidence.stopped("customers")
    last.close()


async def test_a_veto_outlives_who_found_it(evidence: Evidence) -> None:
    first = watched(evidence, well=False)
    for key in range(3):
        fail(evidence, key)
    await until(first, "vetoed")
    first.close()
    for key in range(10, 20):
        fail(evidence, key)
        another = watched(evidence, well=False)
        assert another.look(0.0) == "vetoed"
        assert not evidence.stopped("customers")
        another.close()
    last = watched(evidence)
    await until(last, "fine")
    last.close()


@pytest.mark.parametrize("killed_behind", ["checking", "rollback"])
async def test_what_was_decided_is_carried_out_by_the_next(evidence: Evidence, killed_behind: str) -> None:
    first = watched(evidence)
    for key in range(3):
        fail(evidence, key)
    await until(first, killed_behind)
    first.close()
    last = watched(evidence)
    assert last.ruling == killed_behind
    await until(last, "rollback")
    assert "above 0.5 %" in last.reason
    last.close()


def test_of_other_limits_nothing_is_taken_over(evidence: Evidence) -> None:
    for key in range(2):
        fail(evidence, key)
    watched(evidence).look(0.0)
    judge = Judge(LAXER, 0.5)
    judge.recall(evidence.recalled("customers") or {}, 0.0)
    assert judge.memory() == Judge(LAXER, 0.5).memory()


counted = st.tuples(
    st.integers(0, 40), st.integers(0, 40), *(st.sampled_from([0, 0, 0, 1]) for _ in range(5)), st.booleans()
)


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(counted, max_size=60), st.sampled_from([0.05, 0.5, 0.99]))
def test_a_judge_that_is_killed_at_any_looks_says_what_one_says_that_lives(
    looks: list[tuple[int, int, int, int, int, int, int, bool]], share: float
) -> None:
    gates = GatesModel.model_validate({"error": "0.5%", "slow": {"over": "1s"}, "mismatch": "1%"})
    lives, killed = Judge(gates, share), Judge(gates, share)
    legacy, replacement, verdicts = Arm(), Arm(), Verdicts()
    for now, (old, new, old_bad, new_bad, old_slow, new_slow, differing, dies) in enumerate(looks):
        legacy = Arm(*map(sum, zip(legacy, (old + 2, old_bad, old_slow, old_bad, old_slow), strict=True)))
        replacement = Arm(*map(sum, zip(replacement, (new + 2, new_bad, new_slow, new_bad, new_slow), strict=True)))
        verdicts = verdicts._replace(
            match=verdicts.match + new, mismatch=verdicts.mismatch + differing,
            mismatch_incidents=verdicts.mismatch_incidents + differing,
        )  # fmt: skip
        totals = Totals(1, 0.0, legacy, replacement, verdicts)
        if dies:
            memory = orjson.loads(orjson.dumps(killed.memory()))
            killed = Judge(gates, share)
            killed.recall(memory, 0.0)
        # Always at the same time, as the deadline of looking at legacy begins anew.
        assert lives.look(totals, 0.0) == killed.look(totals, 0.0), now
        assert lives.memory() == killed.memory()


def test_what_was_half_kept_is_not_taken_for_anything(tmp_path: Path) -> None:
    kept = Remembered(tmp_path / "judged", 2)
    for number in range(3):
        kept.keep(1, 7, {"number": number})
    assert (kept.recall(1, 7), kept.recall(1, 8), kept.recall(0, 7)) == ({"number": 2}, None, None)
    kept.keep(1, 7, {"text": "x" * 10_000})
    kept.close()
    whole = (tmp_path / "judged").read_bytes()
    # Killed anywhere while the fourth was written: a prefix of it, its head being written last.
    other = Remembered(tmp_path / "other", 2)
    for number in range(4):
        other.keep(1, 7, {"number": number})
    other.close()
    written = (tmp_path / "other").read_bytes()
    differing = [at for at in range(len(whole)) if whole[at] != written[at]]
    order = [at for at in differing if at % 8192 >= 24] + [at for at in differing if at % 8192 < 24]
    for done in range(len(order) + 1):
        torn = bytearray(whole)
        for at in order[:done]:
            torn[at] = written[at]
        (tmp_path / "torn").write_bytes(torn)
        found = Remembered(tmp_path / "torn", 2)
        assert found.recall(1, 7) == {"number": 3 if done == len(order) else 2}
        found.close()
