"""The ramp: goes on when all is sure, late enough and allowed; and what people may write of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from gateway.migration.gates.ramp import closed, next_step
from gateway.migration.model import Stage
from gateway.migration.totals import Arm, Totals, Verdicts
from gateway.routing.gates_schema import GatesModel, RampModel

NOON = datetime(2027, 3, 2, 12, 0, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()  # a Tuesday
STAGE = Stage("canary", weight=50_000)
GOOD = Totals(3, NOON - 7_200, Arm(10_000), Arm(5_000), Verdicts(match=6_000))


def ramp(**more: Any) -> RampModel:
    return RampModel.model_validate({"steps": [1, 5, 25, 99], "every": "1h", **more})


def gates(**more: Any) -> GatesModel:
    return GatesModel.model_validate({"mismatch": "0.1%", **more})


def step(totals: Totals = GOOD, *, keys: int = 100, now: float = NOON, stage: Stage = STAGE, **more: Any) -> str:
    taken = next_step(gates(), ramp(**more), stage, totals, keys, now)
    return f"{taken.action} {taken.weight}" if taken.weight else f"{taken.action}: {taken.reason}"


def test_all_sure_and_late_enough_it_takes_the_next_step() -> None:
    assert step() == "promote 250000"
    assert step(stage=Stage("canary", weight=1_000)) == "promote 10000"
    assert step(stage=Stage("canary", weight=990_000)).startswith("done")


@pytest.mark.parametrize(
    ("totals", "why"),
    [
        (GOOD._replace(since=NOON - 3_599), "lasted"),
        (GOOD._replace(replacement=Arm(0)), "no calls"),
        (GOOD._replace(replacement=Arm(600)), "rate of error"),
        (GOOD._replace(replacement=Arm(5_000, 25, 0, 1, 0)), "rate of error"),
        (GOOD._replace(verdicts=Verdicts()), "rate of mismatch"),
        (GOOD._replace(verdicts=Verdicts(match=5_600, incomparable=400)), "can't be compared"),
    ],
)
def test_what_isn_t_sure_holds(totals: Totals, why: str) -> None:
    held = step(totals)
    assert held.startswith("hold: ")
    assert why in held


def test_too_few_keys_hold_however_many_calls_there_are() -> None:
    assert "keys" in step(keys=19)


def test_a_slow_replacement_holds() -> None:
    slow = gates(slow={"over": "400ms", "limit": "1%"})
    totals = GOOD._replace(replacement=Arm(5_000, 0, 50, 0, 1))
    assert "slow" in next_step(slow, ramp(), STAGE, totals, 100, NOON).reason


def test_a_manual_gate_proposes() -> None:
    taken = next_step(gates(manual=True), ramp(), STAGE, GOOD, 100, NOON)
    assert (taken.action, taken.weight) == ("propose", 250_000)


@pytest.mark.parametrize(("totals", "action"), [(GOOD._replace(replacement=Arm(600)), "rollback"), (GOOD, "promote")])
def test_at_the_deadline_what_isn_t_sure_goes_back_if_it_is_said_so(totals: Totals, action: str) -> None:
    late = ramp(deadline="2h", on_deadline="rollback")
    assert next_step(gates(), late, STAGE, totals, 100, NOON).action == action
    assert next_step(gates(), ramp(deadline="2h"), STAGE, totals, 100, NOON).action in {"hold", "promote"}


def test_windows_are_in_their_zone_s_own_clock() -> None:
    working = ramp(windows=["Mon-Fri 08:00-16:00 Europe/Berlin"])
    assert closed(working, NOON) == ""
    assert "windows" in closed(working, NOON + 4 * 3600)
    assert closed(working, NOON + 4 * 3600 - 1) == ""
    assert "windows" in closed(working, NOON + 4 * 86_400)  # a Saturday
    assert step(windows=["sat,sun 00:00-24:00 UTC"]).startswith("hold")


def test_frozen_days_are_whole_days_of_their_zone() -> None:
    frozen = ramp(freezes=[{"first": "2027-03-02", "last": "2027-03-03", "zone": "Europe/Berlin"}])
    midnight = NOON - 12 * 3600
    assert [closed(frozen, midnight + shift) != "" for shift in (-1, 0, 172_799, 172_800)] == [False, True, True, False]


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": []},
        {"steps": [5, 1]},
        {"steps": [0]},
        {"steps": [100]},
        {"steps": [0.00001]},
        {"steps": [True]},
        {"windows": ["whenever"]},
        {"windows": ["Mon-Fri 08:00-16:00 Europe/Nowhere"]},
        {"deadline": "1h"},
        {"on_deadline": "rollback"},
        {"freezes": [{"first": "2027-03-03", "last": "2027-03-02"}]},
        {"freezes": [{"first": "soon", "last": "2027-03-02"}]},
        {"more": 1},
    ],
)
def test_a_ramp_that_can_t_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ramp(**wrong)


@pytest.mark.parametrize("wrong", [{"error": "0%"}, {"error": 0.5}, {"error": "21%"}, {"slow": "1%"}, {"keys": 0}])
def test_gates_that_can_t_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        gates(**wrong)


def test_gates_are_what_people_write() -> None:
    model = gates(error="0.25%", slow={"over": "400ms"})
    assert (model.error, model.mismatch) == (0.0025, 0.001)
    assert model.slow is not None
    assert (model.slow.over, model.slow.limit) == (0.4, 0.01)
