"""The guardrails, look by look: what stops a replacement, what acquits it, and what legacy has to do with it."""

from __future__ import annotations

from gateway.migration.gates.judge import PROBE_DEADLINE, Judge
from gateway.migration.totals import Arm, Totals, Verdicts
from gateway.routing.gates_schema import GatesModel

GATES = GatesModel.model_validate({"error": "0.5%", "slow": {"over": "400ms", "limit": "0.5%"}, "mismatch": "0.1%"})


def totals(bad: int, *, good: int = 0, legacy_bad: int = 0, legacy_good: int = 0, raw: int | None = None) -> Totals:
    errors = bad if raw is None else raw
    legacy = Arm(legacy_good + legacy_bad, legacy_bad, 0, legacy_bad, 0)
    return Totals(1, 0.0, legacy, Arm(good + errors, errors, 0, bad, 0))


def failed(judge: Judge) -> None:
    """Three failures without a call of legacy."""
    assert judge.look(totals(2), 1.0) == "fine"
    assert judge.look(totals(3), 1.0) == "checking"


def test_at_the_deadline_without_a_failure_of_legacy_seen_it_is_rolled_back() -> None:
    judge = Judge(GATES, 0.99)
    failed(judge)
    assert judge.look(totals(3), 1.0 + PROBE_DEADLINE - 0.01) == "checking"
    assert judge.look(totals(3), 1.0 + PROBE_DEADLINE) == "rollback"
    assert judge.as_json()["stream"] == "error"


def test_legacy_that_answers_convicts_before_the_deadline() -> None:
    judge = Judge(GATES, 0.99)
    failed(judge)
    for _ in range(30):
        judge.probed(ok=True)
    assert judge.look(totals(3), 1.1) == "rollback"


def test_legacy_that_fails_acquits_until_it_is_well_again() -> None:
    judge = Judge(GATES, 0.99)
    failed(judge)
    judge.probed(ok=False)
    assert judge.look(totals(3), 1.1) == "checking"  # one failure is no proof
    judge.probed(ok=False)
    assert judge.look(totals(3), 1.2) == "vetoed"
    assert judge.look(totals(500, legacy_bad=5), 60.0) == "vetoed"
    for _ in range(100):
        judge.probed(ok=True)
    assert judge.look(totals(500, legacy_bad=5), 61.0) == "fine"
    # From then on it is watched as before.
    assert judge.look(totals(503, legacy_bad=5), 62.0) == "checking"


def test_at_the_deadline_with_a_failure_seen_it_stays() -> None:
    judge = Judge(GATES, 0.99)
    failed(judge)
    judge.probed(ok=False)
    assert judge.look(totals(3), 1.0 + PROBE_DEADLINE) == "vetoed"


def test_a_failing_legacy_doesn_t_excuse_failing_more_often() -> None:
    judge = Judge(GATES, 0.5)
    failed(judge)
    judge.probed(ok=False)
    judge.probed(ok=False)
    assert judge.look(totals(3, legacy_bad=1), 1.2) == "vetoed"
    assert judge.look(totals(103, legacy_bad=11, legacy_good=92), 2.0) == "rollback"
    assert judge.as_json()["test"] == "two_arm"


def test_worse_than_legacy_but_within_the_limit_is_no_reason() -> None:
    judge, bad = Judge(GATES, 0.5), 0
    for look in range(1, 400):
        bad += look % 2
        ruling = judge.look(totals(bad, good=400 * look, legacy_good=400 * look), look)
    assert bad == 200
    assert ruling == "fine"


def test_the_same_incident_again_is_no_new_one() -> None:
    judge = Judge(GATES, 0.99)
    assert judge.look(totals(1, raw=1), 1.0) == "fine"
    assert judge.look(totals(1, raw=10_000), 1.1) == "fine"


def test_hot_keys_of_one_side_don_t_turn_an_outage_into_its_fault() -> None:
    # Half of the keys are the replacement's, but nine of ten calls are legacy's; an outage counts once a key.
    judge = Judge(GATES, 0.5)
    for look in range(1, 200):
        judge.probed(ok=False)
        legacy, replacement = Arm(9 * look, 9 * look, 0, look, 0), Arm(look, look, 0, look, 0)
        assert judge.look(Totals(1, 0.0, legacy, replacement), 1.0 + look / 100) != "rollback"


def test_differing_replies_roll_back_with_no_probe() -> None:
    judge = Judge(GATES, 0.01)
    seen = Totals(verdicts=Verdicts(match=50, mismatch=3, mismatch_incidents=3), replacement=Arm(100))
    assert judge.look(Totals(verdicts=Verdicts(match=50)), 0.5) == "fine"
    assert judge.look(seen, 1.0) == "rollback"
    assert judge.as_json()["stream"] == "mismatch"


def test_slow_replies_are_judged_as_failing_ones() -> None:
    judge = Judge(GATES, 0.99)
    assert judge.look(Totals(replacement=Arm(3, 0, 3, 0, 3)), 1.0) == "checking"
    assert judge.alarm is not None
    assert judge.alarm.stream == "slow"


def test_legacy_s_good_calls_before_the_change_don_t_convict() -> None:
    judge = Judge(GATES, 0.5)
    assert judge.look(totals(0, good=10_000, legacy_good=10_000), 1.0) == "fine"
    assert judge.look(totals(3, good=10_000, legacy_good=10_000), 1.1) == "checking"


def test_whoever_takes_over_looks_at_legacy_again() -> None:
    judge = Judge(GATES, 0.99)
    judge.take_over(10.0)
    assert judge.look(totals(2), 10.1) == "checking"
    assert judge.look(totals(2), 10.0 + PROBE_DEADLINE) == "rollback"
