"""What a call asks of one side's system, as the key of its answer.

The key holds the operation's input as the binding makes it, so all that the system is asked: the rows that the caller
may see among it, where the system itself is narrowed to them. Who calls is part of it wherever the system may look at
that. Rows and fields that the gateway leaves out are left out of what was kept, for each caller anew.
"""

from __future__ import annotations

import copy
import time
from hashlib import blake2b

import orjson

from adapters.capabilities import SupportsSharing
from adapters.contract import Context, Json
from adapters.errors import AdapterError
from gateway.adapter_problems import problem_of
from gateway.cache.flights import Usual
from gateway.cache.places import places_read
from gateway.call import Call, Principal
from gateway.inputs import input_builder
from gateway.routing.groups import Side
from gateway.routing.model import Binding, Expression, Route
from gateway.upstream import Upstream

_LONGEST = 512
"""Bytes of a key that stands as it is."""
_NOBODY = Principal("")


class Question:
    """Questions of one route to one side, as one snapshot puts them. `digest` stands for the upstream's
    configuration."""

    def __init__(self, route: Route, side: Side, binding: Binding, upstream: Upstream, digest: str) -> None:
        self.side, self.binding, self.upstream = side, binding, upstream
        self.usual = Usual(upstream.limits.deadline)
        self.places = places_read(route, binding.upstream)
        self.build = input_builder(route, binding)
        self._prefix = _prefix(route, side, binding, digest)
        adapter = upstream.adapter
        self._personal = not isinstance(adapter, SupportsSharing) or adapter.reads_caller(binding.operation)

    def key(self, call: Call) -> bytes | None:
        """What stands for the question; None: it can't be told. Prepares the call as asking the system would."""
        input = self.build(call)
        try:
            text = orjson.dumps([input, _who(call)] if self._personal else input, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            return None
        return self._prefix + (text if len(text) <= _LONGEST else blake2b(text, digest_size=32).digest())

    def watch(self, call: Call) -> None:
        """Counts the caller as one who needs the system, though it isn't asked; raises the problem of one that refuses
        for a while to see who does."""
        if self.upstream.watcher is None:
            return
        who = call.principal or _NOBODY
        try:
            self.upstream.watcher(
                self.binding.operation, "caller", Context(call.deadline, principal=who.id or None, agent=who.agent)
            )
        except AdapterError as error:
            raise problem_of(error, writes=False) from error


def _prefix(route: Route, side: Side, binding: Binding, digest: str) -> bytes:
    """What is the same for all of them: another workspace's answers are never taken for this one's."""
    input = None if binding.input is None else {name: each.source for name, each in binding.input.items()}
    facts: list[Json] = [
        route.operation_id,
        side,
        digest,
        binding.operation,
        input,
        _source(binding.output),
        binding.version,
    ]
    facts += [route.status, route.location, route.method, route.path]
    return blake2b(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _source(expression: Expression | None) -> str | None:
    return None if expression is None else expression.source


def _who(call: Call) -> Json:
    """All that an adapter is told of who calls."""
    who, token = call.principal or _NOBODY, call.subject_token
    digest = None if token is None else blake2b(token.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
    return [who.id, who.agent, who.tenant, who.roles, who.delegation, digest]


def behind(call: Call, seconds: float, *, batch: bool) -> Call:
    """The call as it is made on nobody's behalf: it outlives its caller, and leads to nothing of its connection."""
    made = copy.copy(call)
    made.deadline = time.monotonic() + seconds
    made.page, made.upstream_calls, made.reply_headers, made.noted = dict(call.page), [], [], {}
    made.read_body = made.sink = made.reading = made.later = made.parent = made.accepts = None
    made.batch = made.batch or batch
    return made
