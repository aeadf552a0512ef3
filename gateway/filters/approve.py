"""Which writes need a plan or another person's yes, and whether this one has it.

An approval is bound to who asks, to the route as it is, and to the very arguments: it stands in a file that no caller
can write, is given by another person at `/-/approvals`, and is used up for one idempotency key before anything is sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar

import orjson

from adapters.contract import Held, Json
from adapters.errors import NotTried
from gateway.adapter_problems import stale
from gateway.approvals.approvals import Approvals
from gateway.approvals.record import Approval, Asker, TooMany
from gateway.approvals.webhook import Webhooks
from gateway.call import Call, Planned
from gateway.control_errors import ApprovalDenied, ApprovalPending, PlanRequired
from gateway.errors import BadRequest, Problem, RequestTooLarge, StateUnavailable
from gateway.filters.dry_run import preview, shown
from gateway.filters.plan import Opened, Plans, bound_to, expired
from gateway.instants import spelt
from gateway.limit_errors import RateLimited
from gateway.operations.record import caller_digest
from gateway.pipeline import Handler
from gateway.routing.model import Expression, MappingFailed, Route
from gateway.routing.scope import now_text, scope_builder
from gateway.store.contract import StoreError
from gateway.store.offload import Offload

T = TypeVar("T")
_HEADER = b"figway-approval"
_LOOK_AGAIN = 15.0
_MOST_ARGUMENTS, _MOST_PREVIEW = 256 * 1024, 64 * 1024
"""Bytes as JSON: a call of more can't be decided on, a preview of more isn't shown."""
_ASK = "Send it without Figway-Approval to ask for another one."
_FALSE: tuple[Json, ...] = (None, False, "", [], {})


@dataclass(frozen=True, slots=True)
class Needs:
    """What writes of a route must bring: a plan, and the yes of `always` people, or of `needed` where `when` holds."""

    plan: bool = False
    always: int = 0
    needed: int = 0
    when: Expression | None = None

    def approvals(self, call: Call) -> int:
        """How many people must say yes to a call."""
        return max(self.always, self.needed if self.when is not None and _holds(self.when, call) else 0)

    def asked(self, call: Call) -> dict[str, Json]:
        """The same as callers are told it."""
        return {"plan": self.plan, "approval": self.approvals(call)}


def needs_of(route: Route, routes: Mapping[str, Route]) -> Needs:
    """What a route asks for; a composite asks for what any of its steps does, of every call."""
    rule, always, plan = route.approval, 0, route.plan
    for step in () if route.compose is None else route.compose.steps:
        for name in step.routes():
            within = needs_of(routes[name], routes)
            plan, always = plan or within.plan, max(always, within.always, within.needed)
    if rule is None:
        return Needs(plan, always)
    return Needs(plan, max(always, rule.needed)) if rule.when is None else Needs(plan, always, rule.needed, rule.when)


def _holds(when: Expression, call: Call) -> bool:
    """Whether an expression is true as JMESPath has it; what can't be told is."""
    try:
        value = when(scope_builder(when.names())(call))
    except MappingFailed:
        return True
    return not any(value is each or (value == each and type(value) is type(each)) for each in _FALSE)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where approvals are kept, and who is told of them."""

    approvals: Approvals
    webhooks: Webhooks
    offload: Offload

    async def __call__(self, work: Callable[[], T]) -> T:
        """Does something with the approvals; raises `StateUnavailable`."""
        try:
            return await self.offload(work)
        except StoreError as error:
            raise StateUnavailable(
                "Approvals can't be read or written now; nothing was sent.", retry_after=1, note=str(error)
            ) from error

    def close(self) -> None:
        """Waits for what is under way, and closes the file."""
        self.offload.close()
        self.approvals.close()


def gate(
    route: Route, needs: Needs, plans: Plans, config: str, desk: Desk, trial: Handler | None
) -> Callable[[Call], Awaitable[None]]:
    """What lets a write through, once it is kept and before it is sent; raises a `Problem` where it may not be."""
    keeper = _Keeper(route, plans, config, desk, trial)

    async def admit(call: Call) -> None:
        if call.parent is not None:  # a step: its composite asks for no less
            return
        given, wanted = plans.opened(call), needs.approvals(call)
        if needs.plan and given is None and not call.repeated:
            raise PlanRequired(
                "This change must be tried before it is made; nothing was sent.",
                fix="Send it with 'Prefer: dry-run' first, then again with the plan_token of that as Figway-Plan.",
            )
        if wanted:
            call.planned = await keeper.approved(call, given, wanted)
        elif given is not None:
            if given.over and not call.repeated:
                raise expired()
            call.planned = given.planned
        if call.repeated and call.planned is not None:
            # What it would change may have been changed by itself.
            call.planned = call.planned._replace(held=Held())

    return admit


class _Keeper:
    """Asks for approvals of one route's calls, and uses them."""

    def __init__(self, route: Route, plans: Plans, config: str, desk: Desk, trial: Handler | None) -> None:
        self._route, self._plans, self._config, self._desk, self._trial = route, plans, config, desk, trial

    async def approved(self, call: Call, given: Opened | None, wanted: int) -> Planned:
        """What was shown to whoever approved the call, which is used up by this; raises where nobody has."""
        if call.idempotency_key is None:
            raise BadRequest(
                "This change needs another person's approval, and so an Idempotency-Key; nothing was sent.",
                fix="Send a new UUID as Idempotency-Key, and the same one again once it is approved.",
            )
        subject, key = f"call:{sha256(bound_to(call) + self._config.encode()).hexdigest()}", call.idempotency_key
        desk, approvals = self._desk, self._desk.approvals
        found = await desk(partial(approvals.standing, subject, key))
        _check_named(call, found)
        if found is None or found.needed < wanted:
            found = await self._asked(call, given, wanted, subject)
        call.noted["approval"] = found.id
        if found.state == "denied":
            raise _denied(found)
        if found.state == "pending":
            raise _pending(found)
        if not await desk(partial(approvals.use_for, found.id, key)):
            raise ApprovalDenied("Another request of yours has used the approval up.", fix=_ASK, headers=_where(found))
        id, at, upstream, state, affected = found.planned
        return Planned(id, at, upstream, Held(state, affected))

    async def _asked(self, call: Call, given: Opened | None, wanted: int, subject: str) -> Approval:
        if given is not None and given.over:
            raise expired()
        arguments = _arguments(call)
        if len(orjson.dumps(arguments)) > _MOST_ARGUMENTS:
            raise RequestTooLarge(f"A change of more than {_MOST_ARGUMENTS // 1024} KiB can't be approved.")
        document, planned = await self._preview(call, given)
        who = call.principal
        assert who is not None
        details: dict[str, Json] = {"operation": call.operation, "method": call.method, "path": self._route.path}
        details |= {"principal": who.id, "agent": who.agent, "delegation": list(who.delegation)}
        details |= {"tenant": who.tenant, "issuer": who.issuer or None, "arguments": arguments}
        barred = tuple(dict.fromkeys(each for each in (who.agent, *who.delegation) if each))
        asker = Asker(caller_digest(who).hex(), barred, who.tenant)
        via = "" if who.agent is None else f" via {who.agent}"
        ask = partial(
            self._desk.approvals.ask, subject, f"{call.operation} for {who.id}{via}", who.id, wanted,
            {**details, "preview": document}, asker=asker, planned=[*planned[:3], *planned.held],
        )  # fmt: skip
        try:
            found, new = await self._desk(ask)
        except TooMany as error:
            fix = "Wait until they are decided on, or expire."
            raise RateLimited(str(error), fix=fix, retry_after=_LOOK_AGAIN) from error
        if new:
            self._desk.webhooks.tell("approval.asked", found.announced())
        return found

    async def _preview(self, call: Call, given: Opened | None) -> tuple[dict[str, Any] | None, Planned]:
        """What whoever decides is shown beside the arguments, with what that fixes of the write: what it would do,
        where that can be told. A write that would fail isn't asked for: raises as it would, and where things aren't
        any more as the plan that was `given` found them."""
        fixed = self._plans.planned(call.id, now_text(), Held()) if given is None else given.planned
        if self._trial is None:
            return None, fixed
        attempt = replace(call, trying=True, writes=False, upstream_calls=[], reply_headers=[], noted={})
        try:
            reply, planned = await shown(attempt, self._trial, self._plans, fixed)
        except Problem as problem:
            if isinstance(problem.__cause__, NotTried):
                return None, fixed
            raise
        if given is not None and planned.held != fixed.held:
            raise stale()
        document = preview(self._route, reply)
        return (document if len(orjson.dumps(document)) <= _MOST_PREVIEW else None), planned


def _arguments(call: Call) -> dict[str, Json]:
    """The very arguments, as they were validated: an approver is shown all of what is bound."""
    parts = {"path": call.path, "query": call.query, "header": call.header}
    shown = {name: dict(part) for name, part in parts.items() if part}
    condition = call.raw_headers.get(b"if-match")
    if condition is not None:
        shown.setdefault("header", {})["if-match"] = condition.decode("latin-1")
    return shown | ({"body": call.body} if isinstance(call.body, dict | list | str | int | float) else {})


def _check_named(call: Call, found: Approval | None) -> None:
    """Raises where a call names an approval that isn't its own."""
    given = call.raw_headers.get(_HEADER)
    if given is not None and (found is None or given.decode("latin-1") != found.id):
        raise ApprovalDenied(
            "The approval that Figway-Approval names isn't one for this very call, is used up or has expired.",
            fix=f"Send exactly what was approved, as who asked, with the same Idempotency-Key. {_ASK}",
        )


def _denied(found: Approval) -> ApprovalDenied:
    reason = f": {found.reason}" if found.reason else "."
    return ApprovalDenied(
        f"Another person has denied this change{reason}",
        fix="Don't send it again; send another change, or talk to whoever decides.",
        headers=_where(found),
    )


def _pending(found: Approval) -> ApprovalPending:
    people = "another person's yes" if found.needed == 1 else f"{found.needed} other people's yes"
    errors = [{"pointer": f"/-/approvals/{found.id}", "detail": found.summary}]
    return ApprovalPending(
        f"Nothing is done yet: this change needs {people}, which was asked for as approval {found.id}.",
        fix=f"Send the same call with the same Idempotency-Key again; GET /-/approvals/{found.id} says what became of "
        f"it, until {spelt(found.expires)}.",
        errors=errors,
        retry_after=_LOOK_AGAIN,
        headers=_where(found),
    )


def _where(found: Approval) -> list[tuple[bytes, bytes]]:
    return [(b"location", f"/-/approvals/{found.id}".encode()), (b"figway-approval", found.id.encode())]
