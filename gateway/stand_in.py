"""What answers a route in place of a system: a clear no, or an example that says that it is one."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from adapters.contract import Json
from gateway.call import MOCKED, NEVER_KEPT, Call, Reply
from gateway.compose.handler import compose
from gateway.compose.undoing import Undoing
from gateway.dispatch import dispatch, location_of
from gateway.errors import BadUpstreamReply, InternalError, NotBuilt, UnknownOutcome
from gateway.invoker import Invoker
from gateway.mock.answers import Answers, Asked
from gateway.mock.mock import CantMock
from gateway.pipeline import Handler
from gateway.routing.load import Loaded
from gateway.routing.model import Compiled, Route

logger = logging.getLogger("figway")

MOCK = "mock"
"""What `Figway-Served-By` and the audit say of it."""
_NO_SYSTEM = "This answer is an example made from the contract: no system is behind it."
_NOTHING_CHANGED = "This answer is an example made from the contract: nothing was changed."
_NAMED = 20
"""Mocked routes that the log names."""
_BIG = 16_384
"""Bytes of a request from which on its members aren't looked for on the event loop."""


def stand_in(route: Route) -> Handler:
    """The handler of a route whose system, or whose replacement, isn't there."""
    return mock(route) if "mock" in (route.missing, route.absent) else _refuse


async def _refuse(call: Call) -> Reply:
    raise NotBuilt(
        "The system that is to answer this isn't built yet; nothing was sent.",
        fix="Ask the owner of the gateway; where the route has a legacy side, a cohort can keep you there.",
    )


def mock(route: Route) -> Handler:
    """The handler that answers from the contract, and asks nothing."""
    mocking = _Mocking(route)

    async def answer(call: Call) -> Reply:
        return await mocking.reply(call)

    return answer


def mock_composite(route: Route, composed: Handler) -> Handler:
    """The handler of a composite of mocked routes: put together from their answers, whose policies hold as ever. Where
    examples don't fit together, the contract's own is the answer."""
    mocking = _Mocking(route)

    async def answer(call: Call) -> Reply:
        try:
            reply = await composed(call)
        except BadUpstreamReply:
            return await mocking.reply(call)
        answers = await mocking.answers()
        return reply if answers.takes(reply.body) else await mocking.reply(call)

    return answer


def answering(
    route: Route,
    routes: Mapping[str, Route],
    made: Mapping[str, Handler],
    upstreams: Mapping[str, Invoker],
    *,
    mocking: bool,
    undoing: Undoing | None = None,
) -> Handler:
    """What answers in the end a route whose group doesn't migrate."""
    if route.compose is not None:
        composed = compose(route, routes, made, None if mocking else undoing)
        return mock_composite(route, composed) if mocking else composed
    if mocking:
        return mock(route)
    return stand_in(route) if route.absent is not None else dispatch(route, upstreams)


class _Mocking:
    def __init__(self, route: Route) -> None:
        self._route, self._location = route, location_of(route)
        self._making = asyncio.Lock()
        self._made: Answers | None = None
        ends = re.search(r"\{([^{}]+)\}$", route.path)
        self._last = ends[1] if ends else ""
        self._warning = _NO_SYSTEM if route.effect.value == "read" else _NOTHING_CHANGED

    async def answers(self) -> Answers:
        """Made when first asked for: most routes of a big contract never are."""
        if self._made is None:
            async with self._making:
                if self._made is None:
                    self._made = await asyncio.to_thread(self._make)
        return self._made

    def _make(self) -> Answers:
        route = self._route
        try:
            return Answers(route.reply, route.examples, is_list=route.is_list)
        except CantMock as error:
            raise NotBuilt(
                "No system is behind this, and no example of its reply can be made from the contract.",
                fix="Give the contract an 'example' beside the reply's schema.",
            ) from error

    async def reply(self, call: Call) -> Reply:
        answers = await self.answers()
        asked = Asked(call.path, call.body, self._last, call.page if self._route.is_list else None)
        big = call.request_bytes > _BIG
        body: Json = await asyncio.to_thread(answers.to, asked) if big else answers.to(asked)
        _note(call, self._route.operation_id)
        reply = Reply(self._route.status, body, served_by=MOCK, headers=[MOCKED, NEVER_KEPT], warnings=(self._warning,))
        if self._location is not None and not call.trying:
            # An example may lack a member that the place is made of.
            with suppress(InternalError, UnknownOutcome):
                reply.headers.append((b"location", self._location(body)))
        return reply


def _note(call: Call, operation: str) -> None:
    """Has the audit tell which routes examples stood for; of a composite's part there is no record of its own."""
    while call.parent is not None:
        call = call.parent
    told: list[str] = call.noted.setdefault("mocked", [])
    if operation not in told:
        told.append(operation)


def all_mocked(loaded: Loaded) -> Loaded:
    """The workspace, whose groups say that examples answer all of them."""
    compiled = loaded.compiled
    groups = {name: replace(group, mocked=group.routes) for name, group in compiled.groups.items()}
    return replace(loaded, compiled=replace(compiled, groups=groups))


def tell_mocked(compiled: Compiled, *, mocking: bool) -> None:
    """Nobody should take an example for what a system says."""
    if mocking:
        asked = ", ".join(sorted(compiled.upstreams)) or "none is configured"
        logger.warning("MOCK: examples answer all %d routes, no upstream is asked (%s)", len(compiled.routes), asked)
        return
    mocked = sorted(name for group in compiled.groups.values() for name in group.mocked)
    if mocked:
        more = f" and {len(mocked) - _NAMED} more" if len(mocked) > _NAMED else ""
        sentence = "MOCK: no system is behind %d routes, which examples answer: %s%s"
        logger.warning(sentence, len(mocked), ", ".join(mocked[:_NAMED]), more)
