"""What a call takes of its run's totals: reserved before it is made, settled by what it came to.

Rows are the entities that it is told, and a write counts when it has reached its system. A composite takes calls and
cost; rows and writes are its steps'. What nobody can tell, such as a call whose caller has left, stays as reserved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson

from adapters.contract import Effect, Json
from gateway.call import Call, Reply
from gateway.errors import BadRequest, NotAcceptable, Problem, UnknownOutcome
from gateway.filters.parameters import split_query
from gateway.limit_errors import RunExhausted
from gateway.limits.bucket import TOTAL, Refusal
from gateway.limits.totals import CALLS, COST, ROWS, WRITES, Amounts, Charge, Total
from gateway.routing.model import Defaults, Route

_SMALL = 2**16
"""Bytes of a reply that are read on the event loop."""
_OWNER = "Another run, or a larger total, is for the owner of the gateway's policies to give."


class Taking:
    """What calls of one route take."""

    def __init__(self, route: Route, cost: int, defaults: Defaults) -> None:
        whole = route.compose is not None
        self._cost, self._list, self._most = cost, route.is_list, defaults.max_page
        self._writes = not whole and route.effect is not Effect.READ
        self._reads = not whole and not self._writes
        self._page = defaults.page
        self._limited = False
        for each in route.parameters:
            if (each.where, each.name) == ("query", "limit"):
                self._limited = True
                self._page = each.default if isinstance(each.default, int) else self._page

    def charge(self, call: Call, totals: Sequence[Total]) -> Charge:
        """What is reserved; raises `NotAcceptable` for all of a list, as nobody knows beforehand how long it is."""
        if call.sink is not None and any(each.most[ROWS] for each in totals):
            raise NotAcceptable(
                "All of a list isn't told in a run whose rows are counted.",
                fix="Send 'Accept: application/json', and ask for its pages.",
            )
        rows = int(self._writes and call.trying)  # a dry run may tell the entity as it is
        if self._reads:
            rows = self._asked(call) if self._list else 1
        return Charge(totals, int(self._writes and not call.trying), self._cost, rows)

    def _asked(self, call: Call) -> int:
        """The most items that the page can have; what isn't a limit is refused later, and counts as the most."""
        asked: Json = call.query.get("limit") if call.parent is not None else self._of_query(call.raw_query)
        if asked is None:
            return min(self._page, self._most)
        digits = str(asked)
        return (
            min(int(digits), self._most) if digits.isascii() and digits.isdigit() and len(digits) < 10 else self._most
        )

    def _of_query(self, raw: bytes) -> str | None:
        if b"%" not in raw and b"limit=" not in raw:
            return None
        try:
            return next((text for name, text in split_query(raw) if name == "limit"), None)
        except BadRequest:
            return ""

    async def really(self, charge: Charge, call: Call, ended: Reply | Problem) -> tuple[int, int]:
        """The writes and rows that a call took beyond what was reserved; less than none: that is given back."""
        sent = bool(call.upstream_calls) or isinstance(ended, UnknownOutcome)
        rows = 0
        if isinstance(ended, Reply) and (self._reads or _shows(ended)):
            rows = await self._told(charge.rows, ended)
        return (0 if sent else -charge.writes), rows - charge.rows

    async def _told(self, reserved: int, reply: Reply) -> int:
        if not self._list or not reserved:
            return reserved
        body = reply.body
        if body is None and (raw := reply.encoded) is not None:
            body = orjson.loads(raw) if len(raw) <= _SMALL else await asyncio.to_thread(orjson.loads, raw)
        items = body.get("items") if isinstance(body, dict) else None
        return len(items) if isinstance(items, list) else reserved

    def refused(self, refusal: Refusal) -> RunExhausted:
        """The problem of a call for which its run has too little left."""
        assert isinstance(refusal.bucket, Total)
        unit, left = refusal.kind - TOTAL, int(refusal.wait)
        most = refusal.bucket.most[unit]
        if unit == CALLS:
            return RunExhausted(f"The run's {most} calls are made.", fix=f"End the run. {_OWNER}")
        if unit == WRITES:
            fix = f"Write nothing more in this run; reads are let through as before. {_OWNER}"
            return RunExhausted(f"The run's {most} writes are made.", fix=fix)
        if unit == COST:
            detail = f"Of what the run may cost, {most}, {left} is left, and the call costs {self._cost}."
            fix = f"Make calls that cost {left} at most. {_OWNER}" if left else f"End the run. {_OWNER}"
            return RunExhausted(detail, fix=fix)
        return self._out_of_rows(most, left)

    def _out_of_rows(self, most: int, left: int) -> RunExhausted:
        detail = f"Of the {most} rows that the run may be told, {left} are left, and the call may be told more."
        if not (left and self._list and self._limited):
            return RunExhausted(detail, fix=f"Read nothing more in this run. {_OWNER}")
        error = {"pointer": "/query/limit", "detail": f"must be at most {left}", "rule": "maximum", "expected": left}
        return RunExhausted(detail, fix=f"Ask for limit={left} at most. {_OWNER}", errors=[error])


def _shows(reply: Reply) -> bool:
    """Whether a dry run tells the entity as it is."""
    return isinstance(reply.body, dict) and reply.body.get("before") is not None


def undoes(call: Call) -> bool:
    """Whether a call undoes a part of a composite, or is a step of one that does: no total is too small for that, as
    the part would stay done."""
    step: Call | None = call
    while step is not None and not step.undoing:
        step = step.parent
    return step is not None


def tell_left(call: Call, charge: Charge, more: Amounts) -> None:
    """Adds to `RateLimit` what is left of the run's totals, `more` of which was taken since."""
    policies, lefts = [], []
    for total, unit, left in charge.left:
        policy, form = total.fields[unit]
        policies.append(policy)
        lefts.append(form % max(0, left - more[unit]))
    _add(call, b"ratelimit-policy", policies)
    _add(call, b"ratelimit", lefts)


def tell_refused(call: Call, refusal: Refusal) -> None:
    """Tells which total is too small."""
    assert isinstance(refusal.bucket, Total)
    policy, form = refusal.bucket.fields[refusal.kind - TOTAL]
    _add(call, b"ratelimit-policy", [policy])
    _add(call, b"ratelimit", [form % int(refusal.wait)])


def _add(call: Call, name: bytes, items: list[bytes]) -> None:
    """Adds items to a field that is a list (RFC 9651 section 3.1), in one line."""
    before = [value for each, value in call.reply_headers if each == name]
    if items:
        kept = [(each, value) for each, value in call.reply_headers if each != name]
        call.reply_headers[:] = [*kept, (name, b", ".join([*before, *items]))]
