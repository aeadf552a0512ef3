"""The parts of composite writes, kept by the operations' own writer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gateway.errors import StateUnavailable, UnknownOutcome
from gateway.operations.ledger import Ledger
from gateway.operations.parts import Part, PartFile, Undoing
from gateway.operations.record import OperationState, StoredOperation
from gateway.store.contract import StoreError

T = TypeVar("T")


class PartLedger(Ledger):
    """One process's operations, and the parts of those that can be undone."""

    def __init__(self, file: PartFile) -> None:
        super().__init__(file)
        self._parts = file

    def expect(self, operation: str, who: bytes, sight: str) -> None:
        """Has it noted, before any part of it, that an operation is to have parts."""
        self.do_later(lambda: self._parts.expect(operation, who, sight))

    def over(self, operation: str) -> None:
        """Has it noted that nothing more is done about it."""
        self.do_later(lambda: self._parts.over(operation))

    async def add_part(self, operation: str, part: Part) -> None:
        """Notes that a part is about to be sent, on the disk when this returns; raises `StateUnavailable`, and then it
        mustn't be sent."""
        try:
            await self.do(lambda: self._parts.add_part(operation, part))
        except StoreError as error:
            raise _unavailable(error) from error

    async def note_part(self, operation: str, part: Part) -> None:
        """Notes how far a part is; returns when that is noted, or after a while: then it is done later."""
        await self.do_surely(lambda: self._parts.note_part(operation, part), operation)

    async def parts(self, operation: str) -> list[Part]:
        """The parts of an operation, in the order in which they were sent; raises `StateUnavailable`."""
        return await self._asked(lambda: self._parts.parts(operation))

    async def phase(self, operation: str) -> str:
        """How far the undoing of an operation is; empty: it has no parts. Raises `StateUnavailable`."""
        return await self._asked(lambda: self._parts.phase(operation))

    async def find(self, key: bytes) -> StoredOperation | None:
        """The operation that has this key; raises `StateUnavailable`."""
        return await self._asked(lambda: self._parts.find(key))

    async def undo(self, operation: str, phase: str = "undoing") -> None:
        """Notes that an operation is being undone, on the disk when this returns, or that this is `settled`."""
        await self.do_surely(lambda: self._parts.undo(operation, phase), operation, durable=True)

    async def wait(self, operation: str, tries: int) -> None:
        """Notes that something is left to be undone later."""
        await self.do_surely(lambda: self._parts.wait(operation, tries), operation, durable=True)

    async def made(self, operation: str, outcome: bytes | None) -> None:
        """Notes that all of it was made, on the disk when this returns: whoever finds it else would undo it. Raises
        `UnknownOutcome`."""

        def both() -> None:
            self._parts.end(operation, OperationState.SUCCEEDED, outcome)
            self._parts.over(operation)

        try:
            await self.do(both)
        except StoreError as error:
            raise UnknownOutcome(
                "The change was made, but that can't be kept: should the gateway end now, it is undone.",
                note=str(error),
                operation=operation,
            ) from error

    async def ended(self, operation: str, state: OperationState, outcome: bytes, *, free: bool = False) -> None:
        """Notes how one ended that was undone, as far as can be; `free`: its key may be used again."""

        def all_of_it() -> None:
            if free:
                self._parts.refuse(operation, outcome)
            else:
                self._parts.end(operation, state, outcome)
            self._parts.over(operation)

        await self.do_surely(all_of_it, operation, durable=True)

    async def take_undoing(self) -> list[Undoing]:
        """Composite writes that are to be undone, and that nobody is at; raises `StoreError`."""
        found: list[Undoing] = await self.do(self._parts.take_undoing)
        return found

    async def _asked(self, work: Callable[[], T]) -> T:
        try:
            found: T = await self.ask(work)
        except StoreError as error:
            raise _unavailable(error) from error
        return found


def _unavailable(error: StoreError) -> StateUnavailable:
    return StateUnavailable("Writes can't be kept at present; nothing was sent.", retry_after=5, note=str(error))
