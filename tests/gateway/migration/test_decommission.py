"""When a legacy system may be switched off: days, ends of months, late callers, writes, brown-outs, history."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from gateway.audit.note import Signer
from gateway.cli.route_decommission import evidence
from gateway.migration.decommission import Facts, judged, signed
from gateway.migration.decommission_page import DAYS, markdown
from gateway.migration.model import Group, Stage
from gateway.migration.tally import DAY, Brownout, Caller
from gateway.routing.groups import stage_document
from gateway.store.contract import StoredSnapshot
from gateway.store.sqlite import SqliteState

DONE = Stage("new_only", "new_only", probe=False)
GROUP = Group("items", DONE)
LEGACY = frozenset({("old", "item.get"), ("old", "")})
START = datetime(2026, 3, 10, 12, tzinfo=UTC)
LAID = START.timestamp()


def snapshot(version: int, stage: Stage, at: float) -> StoredSnapshot:
    parent = None if version == 1 else f"hash{version - 1}"
    stages = {"items": stage_document(stage, "flip")}
    return StoredSnapshot(
        version, f"hash{version}", parent, "anna", "why", None, datetime.fromtimestamp(at, UTC), stages=stages
    )


HISTORY = (
    snapshot(1, Stage(), LAID - 90 * DAY),
    snapshot(2, Stage("new_only", "new_only"), LAID - DAY),
    snapshot(3, DONE, LAID),
    snapshot(4, DONE, LAID + DAY),
)
BROWNOUT = Brownout("items", LAID - 5 * DAY, LAID - 5 * DAY + 600, "anna", "who needs it?", LEGACY)
FACTS = Facts(GROUP, LEGACY, 4, HISTORY, (), LAID - 100 * DAY, (BROWNOUT,), {})


def test_after_the_days_with_an_end_of_a_month_it_may_go() -> None:
    found = judged(FACTS, now=LAID + DAYS * DAY)
    assert (found["decommission"], found["refused"]) == (True, [])
    assert found["days"] == {"needed": 30, "quiet": 30, "month_ends": ["2026-03-31"]}
    assert found["laid_down"] == "2026-03-10T12:00:00Z"


def late(purpose: str, last: float, **about: Any) -> Caller:
    return Caller("old", "" if purpose == "probe" else "item.get", purpose, **{"principal": "", "agent": ""} | about,
                  calls=1, last=last)  # fmt: skip


@pytest.mark.parametrize("purpose", ["caller", "shadow", "probe", "lookup"])
def test_each_sort_of_call_starts_the_days_anew(purpose: str) -> None:
    facts = replace(FACTS, callers=(late(purpose, LAID + DAY),))
    found = judged(facts, now=LAID + 30.5 * DAY)
    assert found["days"]["quiet"] == 29
    assert sum(found["called_since"].values()) == 1
    assert len(found["refused"]) == 2
    assert judged(facts, now=LAID + 31 * DAY)["days"]["quiet"] == 30


def test_who_asked_after_it_was_laid_down_is_named() -> None:
    facts = replace(FACTS, callers=(late("caller", LAID + 1, principal="ann", agent="bot"),))
    assert any(
        each.startswith("ann via bot asked old item.get at 2026-03-10T12:00:01Z") for each in judged(facts)["refused"]
    )


def test_a_call_of_before_doesnt_count() -> None:
    facts = replace(FACTS, callers=(late("caller", LAID - 1),))
    assert judged(facts, now=LAID + 30 * DAY)["decommission"]


@pytest.mark.parametrize(
    ("facts", "now", "why"),
    [
        (FACTS, LAID + 29.9 * DAY, "nothing has asked legacy for 29 whole days, 30 are needed"),
        (
            replace(FACTS, waiting={"unknown": 2}),
            LAID + 40 * DAY,
            "writes wait in the outbox or are of unknown outcome",
        ),
        (replace(FACTS, brownouts=()), LAID + 40 * DAY, "there was no brown-out"),
        (replace(FACTS, counting_since=LAID + 15 * DAY), LAID + 40 * DAY, "for 25 whole days"),
        (replace(FACTS, history=(*HISTORY[:1], *HISTORY[2:])), LAID + 40 * DAY, "the history is broken at snapshot 3"),
        (replace(FACTS, history=HISTORY[:2]), LAID + 40 * DAY, "legacy isn't laid down"),
        (
            replace(FACTS, history=(*HISTORY, snapshot(5, Stage("new_only", "new_only"), LAID + 2 * DAY))),
            LAID + 40 * DAY,
            "legacy isn't laid down",
        ),
    ],
    ids=["days", "writes", "brown-out", "counting", "history", "never", "warm again"],
)
def test_what_is_lacking_is_said(facts: Facts, now: float, why: str) -> None:
    found = judged(facts, now=now)
    assert not found["decommission"]
    assert any(why in each for each in found["refused"]), found["refused"]
    assert why in markdown(found)


def test_fewer_days_need_an_end_of_a_month_all_the_same() -> None:
    found = judged(FACTS, days=7, now=LAID + 8 * DAY)
    assert found["refused"] == ["no end of a month is among the days"]
    assert judged(FACTS, days=7, now=LAID + 22 * DAY)["decommission"]


def test_a_history_that_was_written_anew_has_another_head() -> None:
    other = (*HISTORY[:2], replace(HISTORY[2], author="mallory"), HISTORY[3])
    assert judged(FACTS)["history"]["head"] != judged(replace(FACTS, history=other))["history"]["head"]


def test_what_others_have_written_stays_in_its_cell() -> None:
    history = (
        *HISTORY[:3],
        replace(HISTORY[3], stages={"items": stage_document(Stage(), "flip")}, reason="a|b\n# c<b>"),
    )
    assert "a\\|b # c&lt;b>" in markdown(judged(replace(FACTS, history=history)))


def test_a_stage_that_was_written_over_breaks_the_history(tmp_path: Path) -> None:
    with closing(SqliteState(tmp_path / "state.db")) as state:
        for version, stage in enumerate((Stage(), Stage("shadow"), Stage("canary"))):
            stages = {"items": stage_document(stage, "flip")}
            state.publish({}, expected_parent=version or None, author="anna", reason="why", stages=stages)
        assert judged(replace(FACTS, history=state.history()[::-1]))["history"]["unbroken"]
        with closing(sqlite3.connect(tmp_path / "state.db")) as db, db:
            db.execute("DROP TRIGGER snapshots_update")
            db.execute("UPDATE snapshots SET stages = replace(stages, 'shadow', 'legacy') WHERE version = 2")
        found = judged(replace(FACTS, history=state.history()[::-1]))
    assert not found["history"]["unbroken"]
    assert "the history is broken at snapshot 2" in found["refused"]


@pytest.mark.parametrize(
    ("change", "key", "arguments", "code"),
    [
        ({}, True, (), 0),
        ({}, True, ("items",), 0),
        ({}, True, ("orders",), 1),
        ({"decommission": False}, True, (), 1),
        ({"days": {"needed": 1}}, True, (), 1),
        ({"signature": ""}, True, (), 1),
        ({}, False, (), 1),
    ],
    ids=["as signed", "its group", "another group", "its verdict", "a number", "its signature", "another key"],
)
def test_evidence_is_verified_without_a_gateway(
    tmp_path: Path, change: dict[str, Any], key: bool, arguments: tuple[str, ...], code: int
) -> None:
    signer, other = (Signer.of("k1", bytes([number]) * 32) for number in (1, 2))
    document, keys = tmp_path / "evidence.json", tmp_path / "keys"
    document.write_bytes(orjson.dumps({**signed(judged(FACTS, now=LAID + DAYS * DAY), signer), **change}))
    keys.write_text(f"# kept\n{(signer if key else other).public}\n")
    told = CliRunner().invoke(evidence, [*arguments, "--verify", str(document), "--public-key", str(keys)])
    assert told.exit_code == code, told.output
    assert ("may be switched off" in told.output) == (code == 0)


@pytest.mark.parametrize("content", [b"# May old be switched off?", b"[]", b"\xff", b'{"group": 1}', None])
def test_what_isn_t_evidence_is_not_verified(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "evidence.json").write_bytes(content)
    (tmp_path / "keys").write_text("")
    told = CliRunner().invoke(
        evidence, ["--verify", str(tmp_path / "evidence.json"), "--public-key", str(tmp_path / "keys")]
    )
    assert (told.exit_code, "Traceback" in told.output) == (2, False)
    assert CliRunner().invoke(evidence, ["--workspace", str(tmp_path)]).exit_code == 2
