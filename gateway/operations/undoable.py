"""How a composite write ends that undoes what it has done when it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from gateway.call import Principal, Reply
from gateway.errors import Problem, StateUnavailable, UnknownOutcome
from gateway.operations import outcome
from gateway.operations.parts import spelt
from gateway.operations.parts_ledger import PartLedger
from gateway.operations.record import OperationState

Release: TypeAlias = Callable[[Problem], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Undoable:
    """One such write, kept as the operation `id`: who makes it, and what they may see of the reply. `release` gives its
    key back where nothing was sent; a problem of a `final` kind is said again to who sends the same."""

    ledger: PartLedger
    id: str
    who: Principal
    sight: str
    release: Release
    final: tuple[type[Problem], ...]

    async def run(self, work: Awaitable[Reply]) -> Reply:
        """Does the write, and notes its end."""
        self.ledger.expect(self.id, spelt(self.who), self.sight)
        try:
            reply = await work
            kept = outcome.of_reply(reply, self.sight)
        except Problem as problem:
            raise await self._ended(problem) from problem
        except Exception:
            if await self.ledger.phase(self.id):
                await self.ledger.wait(self.id, 0)  # whoever undoes what was left behind finds it
            else:
                await self._released(UnknownOutcome("The gateway failed."))
            raise
        await self.ledger.made(self.id, kept)
        return reply

    async def _ended(self, problem: Problem) -> Problem:
        """Notes how it ended that failed; returns what its caller is told."""
        try:
            phase = await self.ledger.phase(self.id)
        except StateUnavailable:
            phase = "waiting"
        if not phase:
            await self._released(problem)
            return problem
        if phase == "settled" and not isinstance(problem, UnknownOutcome):
            told = outcome.of_problem(problem, self.sight)
            free = not isinstance(problem, self.final)
            await self.ledger.ended(self.id, OperationState.FAILED, told, free=free)
            return problem
        left = told_left(problem, self.id)
        if phase in ("doing", "settled"):  # it was made, and something failed behind that; or something is left
            await self.ledger.ended(self.id, OperationState.UNKNOWN, outcome.of_problem(left, self.sight))
        return left

    async def _released(self, problem: Problem) -> None:
        await self.release(problem)
        self.ledger.over(self.id)


def told_left(problem: Problem, id: str) -> UnknownOutcome:
    """The problem of a composite of which something is left, with where to ask what."""
    return UnknownOutcome(
        problem.detail,
        fix=f"GET /-/operations/{id} says part by part what was done, undone and left.",
        headers=[(b"location", f"/-/operations/{id}".encode())],
        operation=id,
        note=problem.note,
    )
