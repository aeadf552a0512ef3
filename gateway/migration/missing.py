"""What stands for a replacement that isn't built yet: a clear no, or an example that says that it is one."""

from __future__ import annotations

from gateway.call import Call, Reply
from gateway.errors import NotBuilt
from gateway.migration.model import Side
from gateway.migration.switch import Notes
from gateway.mock.mock import mocked
from gateway.pipeline import Handler
from gateway.routing.model import Route

HEADER = (b"figway-mock", b"true")
_WARNING = "This answer is an example made from the contract: the replacement isn't built yet."


def stand_in(route: Route) -> Handler:
    """The handler of a route's replacement that is missing."""
    return _mock(route) if route.missing == "mock" else _refuse


async def _refuse(call: Call) -> Reply:
    raise NotBuilt(
        "The system that is to answer this isn't built yet; nothing was sent.",
        fix="Ask the owner of the gateway to have legacy answer you, such as by a cohort.",
    )


def _mock(route: Route) -> Handler:
    async def answer(call: Call) -> Reply:
        body = mocked(route.reply, route.examples, call.path)
        if route.is_list:
            body = {**body, "next": None}
        return Reply(route.status, body, served_by="replacement", headers=[HEADER], warnings=(_WARNING,))

    return answer


class Quiet:
    """What is noted of a group whose replacement isn't there: of legacy only, as an example proves nothing."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.stopped, self.note_parity = notes.stopped, notes.note_parity

    def note(self, group: str, side: Side, *, error: bool, slow: bool, key: int = -1, signature: str = "") -> None:
        """Passes on what legacy did."""
        if side == "legacy":
            self._notes.note(group, side, error=error, slow=slow, key=key, signature=signature)
