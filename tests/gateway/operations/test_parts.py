"""The parts of composite writes, as the operations' file keeps them, and how such a write ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.call import Principal, Reply
from gateway.errors import Conflict, Problem, UnknownOutcome, UpstreamUnavailable
from gateway.operations.parts import Part, PartFile, PartState, principal_of, spelt
from gateway.operations.parts_ledger import PartLedger
from gateway.operations.record import Intent, OperationState, caller_digest
from gateway.operations.undoable import Undoable

ANN = Principal("ann", "bot", ("writer",), "acme", "key:ab12", teams=("a", "b"), scopes=None, delegation=("bot",))
ONE = Part(0, "one", "one", "make", PartState.SENT, b"{}")


def _intent(id: str) -> Intent:
    return Intent(id, "saga", "ann", None, None, caller_digest(ANN), key=id.encode(), fingerprint=b"f")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "operations.db"


@pytest.fixture
def ledger(place: Path) -> Iterator[PartLedger]:
    with closing(PartLedger(PartFile(place))) as ledger:
        yield ledger


async def _write(ledger: PartLedger, id: str, ends: Problem | None, *phases: str) -> Problem | None:
    """One write with a part, that ends so once its undoing has had these phases; what its caller is told."""
    await ledger.begin(_intent(id))

    async def release(problem: Problem) -> None:
        await ledger.forget(id)

    async def work() -> Reply:
        if phases:
            await ledger.add_part(id, ONE)
        for phase in phases[1:]:
            await (ledger.wait(id, 0) if phase == "waiting" else ledger.undo(id, phase))
        if ends is not None:
            raise ends
        return Reply(200, {})

    try:
        await Undoable(ledger, id, ANN, "all", release, (Conflict,)).run(work())
    except Problem as problem:
        return problem
    return None


def test_who_makes_a_call_is_kept_whole() -> None:
    assert principal_of(spelt(ANN)) == ANN


async def test_what_succeeds_is_over(ledger: PartLedger) -> None:
    assert await _write(ledger, "a", None, "doing") is None
    found = await ledger.read("a")
    assert found is not None
    assert (found.state, await ledger.phase("a")) == (OperationState.SUCCEEDED, "over")
    assert [part.undo for part in await ledger.parts("a")] == [None]


@pytest.mark.parametrize(("problem", "kept"), [(Conflict("No."), True), (UpstreamUnavailable("No."), False)])
async def test_what_is_undone_has_failed_and_its_key_is_free_where_it_may_work_later(
    ledger: PartLedger, problem: Problem, kept: bool
) -> None:
    assert await _write(ledger, "a", problem, "doing", "settled") is problem
    found = await ledger.read("a")
    assert found is not None
    assert (found.state, found.key is not None) == (OperationState.FAILED, kept)
    assert await ledger.phase("a") == "over"


@pytest.mark.parametrize("phases", [("doing",), ("doing", "settled")])
async def test_what_is_left_is_unknown(ledger: PartLedger, phases: tuple[str, ...]) -> None:
    told = await _write(ledger, "a", UnknownOutcome("Half."), *phases)
    assert told is not None
    assert (told.detail, told.operation) == ("Half.", "a")
    found = await ledger.read("a")
    assert found is not None
    assert (found.state, await ledger.phase("a")) == (OperationState.UNKNOWN, "over")


@pytest.mark.parametrize("phase", ["waiting", "undoing"])
async def test_what_somebody_else_is_at_is_left_to_them(ledger: PartLedger, phase: str) -> None:
    assert isinstance(await _write(ledger, "a", UnknownOutcome("Half."), "doing", phase), UnknownOutcome)
    found = await ledger.read("a")
    assert found is not None
    assert (found.state, await ledger.phase("a")) == (OperationState.RUNNING, phase)


async def test_what_sent_nothing_leaves_nothing(ledger: PartLedger, place: Path) -> None:
    problem = Conflict("No.")
    assert await _write(ledger, "a", problem) is problem
    assert await ledger.read("a") is None
    with closing(sqlite3.connect(place)) as kept:
        assert kept.execute("SELECT count(*) FROM undoings").fetchone() == (0,)


async def test_only_what_nobody_is_at_is_taken_and_only_once(ledger: PartLedger, place: Path) -> None:
    for id in ("lives", "waits", "dead", "over"):
        await ledger.begin(_intent(id))
        ledger.expect(id, spelt(ANN), "all")
        await ledger.add_part(id, ONE)
    await ledger.wait("waits", -60)  # its time has come
    await ledger.ended("over", OperationState.UNKNOWN, b"")
    with closing(sqlite3.connect(place)) as kept, kept:
        kept.execute("UPDATE operations SET owner = '1:1:gone', state = 'unknown' WHERE id IN ('dead', 'over')")
    taken = await ledger.take_undoing()
    assert sorted(each.operation.id for each in taken) == ["dead", "waits"]
    assert [principal_of(each.who) for each in taken] == [ANN, ANN]
    assert {each.operation.state for each in taken} == {OperationState.RUNNING}
    assert await ledger.take_undoing() == []


async def test_parts_go_with_their_operation(ledger: PartLedger, place: Path) -> None:
    await ledger.begin(_intent("a"))
    ledger.expect("a", spelt(ANN), "all")
    await ledger.add_part("a", ONE)
    await ledger.forget("a")
    assert await ledger.parts("a") == []
    with closing(sqlite3.connect(place)) as kept:
        assert kept.execute("SELECT count(*) FROM undoings").fetchone() == (0,)
