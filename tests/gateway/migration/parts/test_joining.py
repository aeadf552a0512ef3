"""Whatever both sides answer: a field of the replacement's is the replacement's, and every other one is legacy's."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Effect, Json
from gateway.call import Call, Reply
from gateway.migration.compare.model import Observed
from gateway.migration.model import Group, Stage
from gateway.migration.split import joined, narrowed
from gateway.pipeline import Handler
from gateway.routing.model import Binding, Route

NAMES = ["a", "b", "c"]
ENTITIES = st.dictionaries(
    st.sampled_from(NAMES),
    st.one_of(st.integers(0, 3), st.none(), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3), max_size=3)),
    max_size=3,
)
OWNED = st.lists(
    st.one_of(st.tuples(st.sampled_from(NAMES)), st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))),
    min_size=1,
    max_size=3,
    unique_by=lambda path: path[0],
)
_NOTHING = object()


def answering(body: Json) -> Handler:
    async def handler(call: Call) -> Reply:
        return Reply(200, body)

    return handler


def at(body: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        body = body.get(name, _NOTHING) if isinstance(body, dict) else _NOTHING
    return body


def made(owns: tuple[tuple[str, ...], ...], legacy: Json, replacement: Json) -> Json:
    binding = Binding("new", "op", None, None, owns=owns)
    route = Route("get", "GET", "/x", Effect.READ, "g", (), None, 200, None, replacement=binding)
    handler = joined(route, Group("g", Stage()), {"legacy": answering(legacy), "replacement": answering(replacement)})
    call = Call("id", "get", 1, "GET", "/x", time.monotonic() + 5, "", {})
    reply = asyncio.run(handler(call))
    assert (reply.served_by, call.side) == ("both", "both")
    return reply.body


@settings(max_examples=200, deadline=None)
@given(OWNED, ENTITIES, ENTITIES)
def test_each_field_is_its_own_sides(
    owned: list[tuple[str, ...]], legacy: dict[str, Any], replacement: dict[str, Any]
) -> None:
    owns, before = tuple(owned), repr((legacy, replacement))
    body = made(owns, legacy, replacement)
    for path in owns:
        assert at(body, path) == at(replacement, path)
    for name in NAMES:
        mine = [path for path in owns if path[0] == name]
        if not mine:
            assert at(body, (name,)) == at(legacy, (name,))
        for inner in NAMES:
            if mine and mine[0] != (name,) and (name, inner) not in mine and isinstance(legacy.get(name), dict):
                assert at(body, (name, inner)) == at(legacy, (name, inner))
    assert repr((legacy, replacement)) == before
    # What is compared is the replacement's fields, and nothing else.
    only = narrowed(Observed(200, replacement), owns, None, is_list=False).body
    assert all(at(only, path) == at(replacement, path) for path in owns)
    assert set(only) <= {path[0] for path in owns}
