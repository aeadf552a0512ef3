"""The writes of one composite call, noted before they are sent and once they are done, so that they can be undone."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.contract import Json
from gateway.call import Call, Reply
from gateway.compose import notes
from gateway.errors import Problem, UnknownOutcome
from gateway.operations.parts import Part, PartState
from gateway.operations.parts_ledger import PartLedger
from gateway.pipeline import Handler
from gateway.routing.model import Route, Step

_DONE = frozenset({"ok", "cancelled", "UnknownOutcome"})


class Doing:
    """The parts of one call, which is kept as the operation `whole.kept`."""

    def __init__(self, ledger: PartLedger, routes: Mapping[str, Route], whole: Call) -> None:
        self._ledger, self._routes, self._whole = ledger, routes, whole
        self.count = 0

    async def part(self, step: Step, made: Call, known: Mapping[str, Json], handler: Handler) -> Reply:
        """Makes one write; raises what it does, or `StateUnavailable` where it can't be noted and so isn't sent."""
        kept = notes.before(step, made, known)
        part = Part(self.count, step.name, made.step, step.route, PartState.SENT, kept)
        operation = self._whole.kept
        await self._ledger.add_part(operation, part)
        self.count += 1
        try:
            reply = await handler(made)
        except Problem as problem:
            state = PartState.UNKNOWN if self._may_have_happened(made, problem) else PartState.NOT_DONE
            await self._ledger.note_part(operation, part._replace(state=state, note=problem.title))
            raise
        # One that ends otherwise stays as one that may be under way.
        undo = notes.after(kept, reply.body)
        await self._ledger.note_part(operation, part._replace(state=PartState.DONE, undo=undo))
        return reply

    def _may_have_happened(self, made: Call, problem: Problem) -> bool:
        composite = self._routes[made.operation].compose
        if isinstance(problem, UnknownOutcome):
            return True
        # A composite that doesn't undo what it has done fails as its part did.
        half = composite is not None and not composite.undoes
        return half and any(each.outcome in _DONE for each in made.upstream_calls)
