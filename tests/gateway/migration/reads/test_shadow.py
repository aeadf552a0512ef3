"""The other side of reads, asked off their path: what callers notice (nothing), and what people are told."""

from __future__ import annotations

import json
import stat
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.migration.budget import Budget
from gateway.migration.samples import folder_of, parity_of

STAGES = {"shaded": "{stage: shadow}", "most": "{stage: live, holdback: 20}", "moved": "{stage: new_only}"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, running: ModuleType, stages: ModuleType) -> Path:
    folder = tmp_path_factory.mktemp("shadows")
    made: Path = stages.workspace(running, folder, {**STAGES, "differing": "{stage: shadow}"}, sample=100)
    policy = folder / "policies" / "migration.yaml"
    text = policy.read_text()
    start = text.index("  differing:")
    policy.write_text(text[:start] + text[start:].replace('{ignore: ["/name"]}', "{}"))
    return made


@pytest.fixture(scope="module")
def shadowing(place: Path, running: ModuleType) -> Iterator[Any]:
    with running.serving(place) as gateway:
        yield gateway


def compared(folder: Path, group: str, least: int, seconds: float = 15) -> dict[str, Any]:
    """What is kept of a group, once so much was compared."""
    until = time.monotonic() + seconds
    while True:
        found = parity_of(folder / ".figway" / "parity", group)
        if found is not None and found["comparisons"] >= least:
            return found
        assert time.monotonic() < until, f"compared so far: {found}"
        time.sleep(0.05)


def lines(folder: Path, name: str, start: str) -> list[str]:
    return [line for line in (folder / f"{name}.txt").read_text().splitlines() if line.startswith(start)]


def extra(folder: Path) -> dict[str, int]:
    budget = Budget.open(folder / ".figway" / "budget")
    try:
        return budget.taken("old")
    finally:
        budget.close()


def test_every_read_in_shadow_is_compared_and_legacy_answers(shadowing: Any, place: Path) -> None:
    with shadowing.client(shadowing.reader) as client:
        for number in range(40):
            answer = client.get(f"/shaded/equal-{number}")
            assert (answer.headers["figway-served-by"], answer.json()["name"]) == ("legacy", "old")
        refused = client.get("/shaded/equal-refused", params={"error": "NotFound"})
        assert refused.status_code == 404
    found = compared(place, "shaded", 41)
    assert (found["verdicts"]["tolerated"], found["verdicts"]["match"], found["comparisons"]) == (40, 1, 41)
    assert sorted(lines(place, "new", "equal-")) == sorted(lines(place, "old", "equal-"))
    # `name` is left out by a rule, and two other fields are compared; a refusal has its own.
    assert 0.5 < found["coverage"] < 1


def test_callers_do_not_wait_for_a_replacement_that_hangs(shadowing: Any, place: Path) -> None:
    with shadowing.client(shadowing.reader) as client:
        client.timeout = 4  # shorter than the deadline of what hangs
        for number in range(60):
            answer = client.get(f"/shaded/hung-{number}", params={"hang": 60})
            assert (answer.status_code, answer.headers["figway-served-by"]) == (200, "legacy")
    # Four run and 32 wait, and those that came later were left out: the replacement never saw them.
    assert len(lines(place, "old", "hung-")) == 60
    assert len(lines(place, "new", "hung-")) <= 8
    until = time.monotonic() + 10
    while (compared(place, "shaded", 41)["left_out"].get("dropped", 0)) < 60 - 36 - 4:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_difference_is_told_redacted_and_legacy_is_asked_again_within_its_budget(shadowing: Any, place: Path) -> None:
    before, started = extra(place), time.monotonic()
    with shadowing.client(shadowing.reader) as client:
        for number in range(30):
            client.get(f"/differing/other-{number}")
    found = compared(place, "differing", 30)
    elapsed, after = time.monotonic() - started, extra(place)
    assert found["verdicts"]["mismatch"] == found["comparisons"] == 30
    [worst] = found["worst"]
    assert (worst["at"], worst["kind"]) == ("/name", "value")
    asked_again = after["sandwich"] - before["sandwich"]
    # What legacy was asked is what its callers asked and the tokens, and the tokens are no more than the time gave.
    assert len(lines(place, "old", "other-")) == 30 + asked_again
    assert 1 <= asked_again <= elapsed + 1
    assert found["sandwiched"] == asked_again
    folder = folder_of(place / ".figway" / "parity", "differing")
    [file] = folder.glob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert '"old"' not in file.read_text()
    assert '"new"' not in file.read_text()


def test_live_asks_legacy_back_within_its_budget_only(shadowing: Any, place: Path) -> None:
    before, started = extra(place), time.monotonic()
    served: list[str] = []
    numbers = count()
    with shadowing.client(shadowing.reader) as client:
        while sum(extra(place).values()) < sum(before.values()) + 2:
            assert time.monotonic() < started + 30
            sku = f"live-{next(numbers)}"
            if client.get(f"/most/{sku}").headers["figway-served-by"] == "legacy":
                served.append(sku)
    total = next(numbers)
    assert 0 < len(served) < total
    elapsed, after = time.monotonic() - started, extra(place)
    asked = sum(after.values()) - sum(before.values())
    assert asked <= elapsed + 1
    while len(lines(place, "old", "live-")) < len(served) + asked:  # the last is being asked
        assert time.monotonic() < started + 45
        time.sleep(0.05)
    assert len(lines(place, "old", "live-")) == len(served) + asked


def test_what_has_moved_is_not_compared_any_more(shadowing: Any, place: Path) -> None:
    with shadowing.client(shadowing.reader) as client:
        for number in range(20):
            client.get(f"/moved/alone-{number}")
    assert lines(place, "old", "alone-") == []


def test_the_verb_and_the_control_api_tell_the_same(shadowing: Any, place: Path, running: ModuleType) -> None:
    def verb(*arguments: str) -> subprocess.CompletedProcess[str]:
        return running.figway("route", *arguments, "--workspace", str(place))

    good, bad = verb("parity", "shaded", "--json"), verb("parity", "differing")
    assert (good.returncode, bad.returncode) == (0, 1), good.stderr + bad.stderr
    assert json.loads(good.stdout)["verdicts"]["tolerated"] >= 40
    assert "/name (value): 30 mismatch" in bad.stdout
    assert verb("parity", "nothing").returncode == 1
    with shadowing.client(shadowing.reader) as client:
        assert client.get("/-/admin/groups/differing/parity").status_code == 403
    word = verb("override", "most", "--side", "legacy", "--principal", "alice", "--for", "10m")
    name, _, value = word.stdout.strip().partition(": ")
    with shadowing.client(shadowing.reader) as client:
        sides = {client.get(f"/most/word-{n}", headers={name: value}).headers["figway-served-by"] for n in range(12)}
    assert sides == {"legacy"}
