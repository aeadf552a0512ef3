"""The filter: what a call knows of its caller afterwards, and that a proved caller never waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.call import Call, Principal
from gateway.errors import IdentityUnavailable, Unauthenticated
from gateway.filters.authenticate import authenticate, identify
from gateway.identity.bearer import CallerVerifier
from gateway.identity.fetching import Fetcher
from gateway.identity.keys import create
from gateway.store.contract import State, StoreError
from gateway.store.shared import Shared


def made(**changes: Any) -> Call:
    fields: dict[str, Any] = {
        "id": "1",
        "operation": "x",
        "snapshot": 1,
        "method": "GET",
        "target": "/",
        "deadline": 0.0,
    }
    return Call(**{**fields, "traceparent": "", "path": {}, **changes})


async def run(stage: Any, call: Call) -> bool:
    """Whether the filter had to wait."""
    waiting = stage.before(call)
    if waiting is not None:
        await waiting
    return waiting is not None


async def test_a_proved_token_is_there_at_once_and_goes_with_the_call(
    accepting: Callable[..., CallerVerifier], issuer: Any
) -> None:
    stage, header = authenticate(accepting()), issuer.header()
    first, second = made(raw_headers={b"authorization": header}), made(raw_headers={b"authorization": header})
    assert await run(stage, first)
    assert not await run(stage, second)
    for call in (first, second):
        assert call.principal is not None
        assert (call.principal.id, call.subject_token) == ("alice", header.removeprefix(b"Bearer ").decode())
        assert header.decode()[7:] not in repr(call)


async def test_an_api_key_is_no_token_to_be_passed_on(verifier: Any, state: State, pepper: Any, shared: Shared) -> None:
    text, _ = create(state, pepper, principal="ann")
    stage = authenticate(CallerVerifier(verifier, Fetcher()))
    call = made(raw_headers={b"authorization": f"Bearer {text}".encode()})
    await run(stage, call)
    assert call.principal is not None
    assert (call.principal.id, call.subject_token) == ("ann", None)


async def test_a_step_asks_as_its_composite_does(accepting: Callable[..., CallerVerifier]) -> None:
    parent = made(principal=Principal("alice", issuer="https://x"), subject_token="t.t.t")
    step = made(parent=parent, raw_headers={b"authorization": b"Bearer other"})
    assert not await run(authenticate(accepting()), step)
    assert (step.principal, step.subject_token) == (parent.principal, "t.t.t")


class Failing:
    """A verifier that can't tell."""

    def cached(self, _: bytes) -> Principal | None:
        return None

    async def verify(self, _: bytes) -> Principal | None:
        raise StoreError("the store /secret/path failed")

    def certified(self, peer: str | None, headers: Any) -> Principal | None:
        return None


async def test_what_cant_be_told_is_neither_yes_nor_no() -> None:
    with pytest.raises(IdentityUnavailable) as told:
        await identify(Failing(), None, {b"authorization": b"Bearer x"})
    assert told.value.status == 503
    assert "/secret/path" not in str(told.value.document())
    with pytest.raises(Unauthenticated):
        await identify(Failing(), None, {})
