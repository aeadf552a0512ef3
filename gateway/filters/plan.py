"""Plans: what a dry run has shown of a write, sealed for whoever may make it, as it was shown, within ten minutes.

A plan holds for its caller, its route and its very arguments (AES-SIV, RFC 5297, with all three as associated data),
for one configuration of the route, and for what would be changed, as that was. It may be shown again: what it stands
for has its id already.
"""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from adapters.contract import Held
from gateway.call import Call, Planned
from gateway.control_errors import PlanRefused
from gateway.filters.fingerprint import fingerprint
from gateway.identity.signing import Keyring, SigningKey
from gateway.operations.record import caller_digest
from gateway.routing.model import Binding, Expression, Route, UpstreamSpec

LASTS = 600
"""Seconds for which a plan may be shown."""
HEADER = b"figway-plan"
_AGAIN = "Try the change again with 'Prefer: dry-run', and send the plan_token of that."
_MOST = 4096


class Opened(NamedTuple):
    """A plan that is for this call; `over`: it was, until lately."""

    planned: Planned
    over: bool


class Plans:
    """The plans of one route. `upstream` is the one that its writes go to; `config` changes with the route."""

    def __init__(self, keys: Keyring, config: str, upstream: str, clock: Callable[[], float] = time.time) -> None:
        self._keys, self._config, self._upstream, self._clock = keys, config, upstream, clock

    def sealed(self, call: Call, planned: Planned) -> tuple[str, float]:
        """The token of what was shown, and until when it counts, in seconds since the epoch."""
        until, key = float(int(self._clock()) + LASTS), self._keys.current
        kept = [self._config, until, *planned[:3], *planned.held]
        raw = _cipher(key.secret).encrypt(orjson.dumps(kept), [bound_to(call)])
        return f"{key.id}.{urlsafe_b64encode(raw).rstrip(b'=').decode()}", until

    def planned(self, id: str, at: str, held: Held) -> Planned:
        """What a dry run with that id and time has fixed."""
        return Planned(id, at, self._upstream, held)

    def opened(self, call: Call) -> Opened | None:
        """The plan that a call brings; None: it brings none. Raises `PlanRefused`."""
        given = call.raw_headers.get(HEADER)
        if given is None:
            return None
        config, until, id, at, upstream, state, affected = self._read(given, call)
        if not hmac.compare_digest(config, self._config):
            raise PlanRefused("The route has changed since the plan was made; nothing was sent.", fix=_AGAIN)
        return Opened(Planned(id, at, upstream, Held(state, affected)), until <= self._clock())

    def _read(self, given: bytes, call: Call) -> list[Any]:
        id, _, sealed = given.partition(b".")
        key: SigningKey | None = self._keys.by_id(id.decode("latin-1"))
        try:
            if key is None or len(given) > _MOST:
                raise ValueError("no key of ours")
            raw = urlsafe_b64decode(sealed + b"=" * (-len(sealed) % 4))
            found: list[Any] = orjson.loads(_cipher(key.secret).decrypt(raw, [bound_to(call)]))
        except (InvalidTag, ValueError):
            raise PlanRefused(
                "The plan isn't one of this caller's for this very call; nothing was sent.",
                fix=f"Send exactly what was tried, as who tried it. {_AGAIN}",
            ) from None
        return found


def expired() -> PlanRefused:
    """What a call is told that comes too late."""
    return PlanRefused(f"The plan is older than {LASTS // 60} minutes; nothing was sent.", fix=_AGAIN)


def bound_to(call: Call) -> bytes:
    """Who makes which call with which arguments."""
    assert call.principal is not None
    return orjson.dumps([call.operation, caller_digest(call.principal).hex(), fingerprint(call).hex()])


def config_of(route: Route, side: str, routes: Mapping[str, Route], upstreams: Mapping[str, UpstreamSpec]) -> str:
    """A digest of all that decides what a call of the route does, its steps' routes included."""
    digest = sha256(orjson.dumps(list(_config(route, side, routes, upstreams)), default=str))
    return digest.hexdigest()[:32]


def _config(route: Route, side: str, routes: Mapping[str, Route], upstreams: Mapping[str, UpstreamSpec]) -> Any:
    media = None if route.body is None else dict(route.body.media)
    yield [route.operation_id, route.method, route.path, route.effect, side, route.max_affected, route.reply, media]
    for binding in (route.legacy, route.replacement):
        if binding is not None:
            spec = upstreams.get(binding.upstream)
            yield [*_spelt(binding), "" if spec is None else spec.digest]
    if route.compose is not None:
        yield route.compose.output.source
        for step in route.compose.steps:
            undo = None if step.compensate is None else _sources(step.compensate.input)
            said = [each and each.source for each in (step.when, step.for_each)]
            yield [step.name, _sources(step.input), said, step.on_error, step.default, sorted(step.after), undo]
            for name in step.routes():
                yield from _config(routes[name], side, routes, upstreams)


def _sources(input: Mapping[str, Expression]) -> list[Any]:
    return [[name, each.source] for name, each in sorted(input.items())]


def _spelt(binding: Binding) -> list[Any]:
    inputs = None if binding.input is None else _sources(binding.input)
    return [binding.upstream, binding.operation, inputs, binding.output and binding.output.source, binding.version]


@lru_cache(maxsize=16)
def _cipher(secret: bytes) -> AESSIV:
    return AESSIV(hmac.digest(secret, b"plans of writes", "sha512"))
