"""Pages over an upstream that can't be narrowed: whatever is visible, they are full, whole and in order."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract import Context, Effect, Result, Source
from adapters.errors import NotFound as Absent
from gateway.call import Call, Principal, Reply, UpstreamCall
from gateway.dispatch import dispatch
from gateway.errors import BadRequest, BadUpstreamReply, InternalError
from gateway.filters.rows import visible_rows
from gateway.identity.signing import Keyring
from gateway.policy.decide import Policies
from gateway.policy.grants import Grant
from gateway.routing.cedar import Policy, policies_of
from gateway.routing.model import Binding, Route
from gateway.routing.predicates import parse, typed
from gateway.routing.rules import Mark, Rules

ROUTE = Route(
    "list", "GET", "/a", Effect.READ, "a", (), None, 200, {}, legacy=Binding("x", "y", None, None), is_list=True
)
ANN = Principal("ann")


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path, "cursor")


def _grant(text: str = "shown = 1") -> Grant:
    rows = tuple(tuple(typed(term, "integer") for term in group) for group in parse(text))
    return Grant([Mark(rows)], ANN, b"")


class Upstream:
    """Rows that are shown or not, a page at a time; the position is the last row's number, as a keyset's would be."""

    def __init__(self, shown: list[bool]) -> None:
        self.rows = [{"n": number, "shown": int(each)} for number, each in enumerate(shown)]
        self.asked: list[int] = []

    async def __call__(self, call: Call) -> Reply:
        limit, after = call.page["limit"], call.page["after"]
        start = 0 if after is None else after["n"] + 1
        found = self.rows[start : start + limit]
        more = start + limit < len(self.rows)
        self.asked.append(limit)
        call.upstream_calls.append(UpstreamCall("x", "y", 0.5, "ok", (Source("x", "t", "key"),)))
        return Reply(200, {"items": found, "next": {"n": found[-1]["n"]} if more else None, "total": len(self.rows)})


def _call(limit: int, after: Any = None) -> Call:
    call = Call("1", "list", 1, "GET", "/a", time.monotonic() + 30, "", {})
    call.page, call.grant, call.principal = {"limit": limit, "after": after, "sort": [], "where": []}, _grant(), ANN
    return call


@given(
    shown=st.lists(st.booleans(), max_size=80),
    limit=st.integers(1, 12),
    widest=st.integers(1, 40),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
async def test_pages_are_full_and_next_tells_only_of_visible_rows(
    keys: Keyring, shown: list[bool], limit: int, widest: int
) -> None:
    upstream, filter_ = Upstream(shown), visible_rows(ROUTE, widest, keys)
    seen: list[int] = []
    after = None
    wanted = [number for number, each in enumerate(shown) if each]
    while True:
        call = _call(limit, after)
        body = (await filter_(call, upstream)).body
        assert set(body) == {"items", "next"}
        seen += [row["n"] for row in body["items"]]
        assert seen == wanted[: len(seen)]
        after = body["next"]
        assert (after is not None) == (len(seen) < len(wanted))
        assert len(body["items"]) == limit or after is None
        assert len(call.upstream_calls) == 1
        assert max(upstream.asked) <= max(limit, widest)
        if after is None:
            break
    assert seen == wanted


async def test_a_page_that_finds_nothing_within_its_bound_says_where_to_go_on(keys: Keyring) -> None:
    upstream = Upstream([False] * 300 + [True])
    filter_ = visible_rows(ROUTE, 4, keys)
    body = (await filter_(_call(1), upstream)).body
    assert body["items"] == []
    assert len(upstream.asked) == 50
    assert b"299" not in bytes.fromhex(body["next"].partition(".")[2])
    following = (await filter_(_call(1, body["next"]), upstream)).body
    assert [row["n"] for row in following["items"]] + [following["next"]] in ([300, None], [following["next"]])


async def test_an_upstream_that_stands_still_ends_the_list(keys: Keyring) -> None:
    async def still(call: Call) -> Reply:
        return Reply(200, {"items": [{"n": 1, "shown": 0}], "next": {"n": 1}})

    assert (await visible_rows(ROUTE, 10, keys)(_call(5), still)).body == {"items": [], "next": None}


async def test_an_upstream_that_knows_no_limit_is_answered_whole(keys: Keyring) -> None:
    async def whole(call: Call) -> Reply:
        return Reply(200, {"items": [{"n": n, "shown": n % 2} for n in range(20)], "next": None})

    body = (await visible_rows(ROUTE, 10, keys)(_call(5), whole)).body
    assert [row["n"] for row in body["items"]] == list(range(1, 20, 2))


@pytest.mark.parametrize("body", [None, [], {"next": None}, {"items": None}, "text"])
async def test_what_is_no_list_isnt_passed_on(keys: Keyring, body: Any) -> None:
    async def odd(call: Call) -> Reply:
        return Reply(200, body)

    with pytest.raises(BadUpstreamReply):
        await visible_rows(ROUTE, 10, keys)(_call(5), odd)


@pytest.mark.parametrize("position", [{"n": 1}, 5, "", "x.y", "00.00", [1]])
async def test_a_position_that_isnt_sealed_is_refused(keys: Keyring, position: Any) -> None:
    with pytest.raises(BadRequest):
        await visible_rows(ROUTE, 10, keys)(_call(5, position), Upstream([True] * 9))


async def test_a_write_that_cant_be_narrowed_is_never_sent() -> None:
    """`figway check` refuses it; if it came here all the same, nothing would happen."""

    class Never:
        async def call(self, *_: Any, **__: Any) -> Result:
            raise AssertionError("it was sent")

        resume = call

    route = Route("put", "PUT", "/a", Effect.WRITE, "a", (), None, 200, None, legacy=Binding("x", "y", None, None))
    call = _call(1)
    call.writes = True
    with pytest.raises(InternalError):
        await dispatch(route, {"x": Never()})(call)


async def test_the_rows_of_a_write_reach_the_upstream_by_its_own_names() -> None:
    seen: list[Any] = []

    class Told:
        async def call(self, _: str, __: Any, *, effect: Effect, context: Context) -> Result:
            seen.append(context.rows)
            raise Absent("no such row")

        resume = call

    binding = Binding("x", "y", None, None, {}, filters_rows=True)
    route = Route("put", "PUT", "/a", Effect.WRITE, "a", (), None, 200, None, legacy=binding)
    with pytest.raises(Exception, match="no such row"):
        await dispatch(route, {"x": Told()})(_call(1))
    assert [[(each.field, each.op, each.value) for each in group] for group in seen[0]] == [[("shown", "eq", 1)]]


def test_who_cant_be_read_is_denied() -> None:
    read = [
        each for each in policies_of("a.cedar", "permit (principal, action, resource);") if isinstance(each, Policy)
    ]
    policies = Policies(Rules(tuple(read)))
    assert policies.decide(Principal("ann"), ROUTE).allowed
    assert not policies.decide(Principal("\ud800"), ROUTE).allowed
    assert not policies.permits(Principal("\ud800"), "gateway:read_audit").allowed
