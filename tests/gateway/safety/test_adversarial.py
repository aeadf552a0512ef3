"""More than 200 tries to have something run that nobody approved: none does, as the upstreams' own counts say."""

from __future__ import annotations

import random
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

SEED = 20261122
BODY = {"sku": "wanted", "n": 1}
Try = Callable[[], httpx.Response]
_OTHER_BODIES: tuple[dict[str, Any], ...] = (
    {"sku": "Wanted", "n": 1},
    {"sku": "wanted ", "n": 1},
    {"sku": " wanted", "n": 1},
    {"sku": "wanted\u200b", "n": 1},
    {"sku": "want\u0435d", "n": 1},
    {"sku": "wanted\u0000", "n": 1},
    {"sku": "\u202edetnaw", "n": 1},
    {"sku": "", "n": 1},
    {"sku": "wanted"},
    {"sku": "wanted", "n": 1.5},
    {"sku": "wanted", "n": -1},
    {"sku": "wanted", "n": 10**15},
    {"sku": "wanted", "n": True},
    {"sku": "wanted", "n": "1"},
    {"sku": "wanted", "n": None},
    {"sku": "wanted", "n": 1, "seconds": 0},
    {"sku": "wanted", "n": 1, "more": 1},
    {"sku": ["wanted"], "n": 1},
    {"sku": {"sku": "wanted"}, "n": 1},
    {"n": 1},
    {},
)
_FORGED = (
    "", "x", "0", "null", "*", "true", "approved", "01", "0" * 26, "Z" * 26, "../approve", "' OR 1=1 --", "%2e%2e",
    "a" * 64, "a" * 5000, "[]", "{}", "01M7YGD6BMDK31Z5R9N4JQV6HT", "01M7YGD6BMDK31Z5R9N4JQV6HT,x",
)  # fmt: skip


class Stage:
    """Callers that want what they may not, and approvals at every step of their lives."""

    def __init__(self, shop: Any, fresh: Any) -> None:
        self.shop, self.fresh = shop, fresh
        self.ann, self.boss = shop.clients["ann"], shop.clients["boss"]
        self.legitimate = 0

    def caller(self, name: str | None = None, *roles: str, **more: Any) -> httpx.Client:
        client: httpx.Client = self.shop.client(
            self.shop.key(name or f"u{uuid.uuid4()}", *(roles or ("writer",)), **more)
        )
        return client

    def asked(self, client: httpx.Client, body: Any = None, headers: Any = None) -> str:
        response = client.post("/items", json=body or BODY, headers=headers or self.fresh())
        assert response.status_code == 202, response.text
        return response.headers["figway-approval"]

    def approved(self, client: httpx.Client, body: Any = None, headers: Any = None) -> str:
        id = self.asked(client, body, headers)
        assert self.shop.decide(self.boss, id).status_code == 200
        return id

    def executed(self) -> int:
        return len(self.shop.items())

    def sql(self, statement: str, *values: str) -> None:
        path = self.shop.folder / ".figway" / "approvals.db"
        with closing(sqlite3.connect(path, timeout=10)) as db, db:
            db.execute(statement, values)


def nothing_asked(stage: Stage) -> Iterator[Try]:
    """Calls without any approval, however they are spelt."""
    client = stage.caller()
    for extra in ({}, {"prefer": "respond-async"}, {"prefer": "wait=0"}, {"figway-plan": "x"}, {"if-match": "*"}):
        for key in ({}, {"idempotency-key": str(uuid.uuid4())}):
            yield lambda extra=extra, key=key: client.post("/items", json=BODY, headers={**extra, **key})
    for path in ("/items/", "//items", "/items?colour=x", "/items?", "/ITEMS", "/items/../items"):
        yield lambda path=path: client.post(path, json=BODY, headers=stage.fresh())


def forged_ids(stage: Stage) -> Iterator[Try]:
    """Approvals that nobody asked for."""
    client = stage.caller()
    for id in _FORGED:
        yield lambda id=id: client.post("/items", json=BODY, headers=stage.fresh(figway_approval=id))
    chance = random.Random(SEED)
    for _ in range(10):
        id = "".join(chance.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=26))
        yield lambda id=id: client.post("/items", json=BODY, headers=stage.fresh(figway_approval=id))


def replayed(stage: Stage) -> Iterator[Try]:
    """A used approval, once more: under other keys it is none, under its own it is the reply that was given."""
    for round in range(4):
        client, body, headers = stage.caller(), {"sku": f"replay{round}"}, stage.fresh()
        id = stage.approved(client, body, headers)
        assert client.post("/items", json=body, headers=headers).status_code == 200
        stage.legitimate += 1
        for key in (str(uuid.uuid4()), "", headers["idempotency-key"].upper(), headers["idempotency-key"] + " "):
            for named in ({"figway-approval": id}, {}):
                sent = {"idempotency-key": key, **named}
                yield lambda client=client, body=body, sent=sent: client.post("/items", json=body, headers=sent)
        yield lambda client=client, body=body, headers=headers: client.post("/items", json=body, headers=headers)


def swapped_arguments(stage: Stage) -> Iterator[Try]:
    """What is approved is approved for these arguments alone."""
    for body in _OTHER_BODIES:
        client, headers = stage.caller(), stage.fresh()
        id = stage.approved(client, BODY, headers)
        for key in (headers["idempotency-key"], str(uuid.uuid4())):
            sent = {"idempotency-key": key, "figway-approval": id}
            yield lambda client=client, body=body, sent=sent: client.post("/items", json=body, headers=sent)
    for query in ("?colour=red", "?colour=", "?colour=red&colour=blue", "?id=x"):
        client, headers = stage.caller(), stage.fresh()
        stage.approved(client, BODY, headers)
        yield lambda client=client, query=query, headers=headers: client.post(
            f"/items{query}", json=BODY, headers=headers
        )


def other_routes(stage: Stage) -> Iterator[Try]:
    """Nor for another route."""
    client, headers = stage.caller(), stage.fresh()
    id = stage.approved(client, BODY, headers)
    for own in (headers, stage.fresh()):
        sent = {**own, "figway-approval": id}
        yield lambda sent=sent: client.put("/settings", json=BODY, headers=sent)
        yield lambda sent=sent: client.post("/pairs", json={"n": 1}, headers=sent)
        yield lambda sent=sent: client.patch("/both/1", json={"title": "x"}, headers=sent)
        yield lambda sent=sent: client.patch("/approved/1", json={"title": "big"}, headers=sent)


def other_callers(stage: Stage) -> Iterator[Try]:
    """Nor for anybody else, be it the principal without the agent, or with another one."""
    headers = stage.fresh()
    id = stage.approved(stage.ann, BODY, headers)
    others = [
        stage.caller("ann"), stage.caller("ann", agent="other"), stage.caller("ann", agent="Claude"),
        stage.caller("Ann", agent="claude"), stage.caller("ann", agent="claude", tenant="t"), stage.caller("claude"),
        stage.caller("bob"), stage.caller("boss"),
        stage.shop.client(stage.shop.token("ann", "writer", via=("claude",))),
    ]  # fmt: skip
    for other in others:
        for sent in (headers, {**headers, "figway-approval": id}, stage.fresh(figway_approval=id)):
            yield lambda other=other, sent=sent: other.post("/items", json=BODY, headers=sent)


def self_approved(stage: Stage) -> Iterator[Try]:
    """Nobody who asks, acts or is acted for decides."""
    asker = stage.shop.client(stage.shop.token("ida", "writer", via=("bot", "orchestrator")))
    deciders = [
        *(stage.caller(name, "both") for name in ("ida", "bot", "orchestrator")),
        stage.caller("ida", "both", agent="bot"), stage.caller("somebody", "both", agent="bot"),
        stage.caller("somebody", "both", agent="unrelated"),
        stage.shop.client(stage.shop.token("ida", "both")), stage.shop.client(stage.shop.token("bot", "both")),
        stage.shop.client(stage.shop.token("orchestrator", "both")),
        stage.shop.client(stage.shop.token("human", "both", via=("bot",))),
        stage.shop.client(stage.shop.token("human", "both", via=("fresh-agent",))),
    ]  # fmt: skip
    for number, decider in enumerate(deciders):
        headers, body = stage.fresh(), {"sku": f"self{number}"}
        id = stage.asked(asker, body, headers)

        def both(
            decider: httpx.Client = decider, id: str = id, body: Any = body, headers: Any = headers
        ) -> httpx.Response:
            assert stage.shop.decide(decider, id).status_code == 403
            return asker.post("/items", json=body, headers={**headers, "figway-approval": id})

        yield both


def forged_answers(stage: Stage) -> Iterator[Try]:
    """Answers that no approver gave."""
    client = stage.caller()
    headers, body = stage.fresh(), {"sku": "forged"}
    id = stage.asked(client, body, headers)
    nobody = httpx.Client(base_url=stage.shop.gateway.url, timeout=30)
    stage.shop.open.enter_context(nobody)
    reader = stage.caller("reader", "approves-nothing")
    paths = [f"/-/approvals/{id}/{verb}" for verb in ("approve", "approve/", "Approve", "deny/../approve", "use")]
    for who in (client, nobody, reader):
        for path in paths:
            for method in ("POST", "PUT", "GET"):

                def answered(who: httpx.Client = who, method: str = method, path: str = path) -> httpx.Response:
                    told = who.request(method, path, json={"reason": "yes"} if method != "GET" else None)
                    assert told.status_code in (401, 403, 404, 405), (method, path, told.text)
                    return client.post("/items", json=body, headers=headers)

                yield answered
    for extra in (
        {"figway-approval": id, "x-approved-by": "boss"},
        {"figway-approved": "true"},
        {"approval": "approved"},
    ):
        yield lambda extra=extra: client.post("/items", json=body, headers={**headers, **extra})
    for field in ({"approved": True}, {"approval": id}, {"_gateway": {"approval": id}}):
        yield lambda field=field: client.post("/items", json={**body, **field}, headers=headers)


def too_late(stage: Stage) -> Iterator[Try]:
    """An expired approval is none, whether it was decided or not."""
    for number in range(10):
        client, headers, body = stage.caller(), stage.fresh(), {"sku": f"late{number}"}
        id = stage.approved(client, body, headers) if number % 2 else stage.asked(client, body, headers)
        stage.sql("UPDATE approvals SET expires = '2026-01-01T00:00:00.000000+00:00' WHERE id = ?", id)

        def late(
            client: httpx.Client = client, id: str = id, body: Any = body, headers: Any = headers, number: int = number
        ) -> httpx.Response:
            if not number % 2:
                assert stage.shop.decide(stage.boss, id).status_code == 409
            sent = {**headers, "figway-approval": id} if number % 3 else headers
            return client.post("/items", json=body, headers=sent)

        yield late


def denied(stage: Stage) -> Iterator[Try]:
    """A no stays one."""
    for number in range(5):
        client, headers, body = stage.caller(), stage.fresh(), {"sku": f"denied{number}"}
        id = stage.asked(client, body, headers)
        stage.shop.decide(stage.boss, id, yes=False)
        assert stage.shop.decide(stage.shop.clients["chief"], id).status_code == 409
        for sent in (headers, stage.fresh(), {**headers, "figway-approval": id}):
            yield lambda client=client, body=body, sent=sent: client.post("/items", json=body, headers=sent)


def half_approved(stage: Stage) -> Iterator[Try]:
    """One yes of two is none, and two of one person are one."""
    for number in range(5):
        client, headers = stage.caller(), {}
        tried = client.patch(f"/both/{30 + number}", json={"title": "stolen"}, headers={"prefer": "dry-run"}).json()
        headers = stage.fresh(figway_plan=tried["plan_token"])
        first = client.patch(f"/both/{30 + number}", json={"title": "stolen"}, headers=headers)
        id = first.headers["figway-approval"]

        def half(
            client: httpx.Client = client, id: str = id, headers: Any = headers, number: int = number
        ) -> httpx.Response:
            stage.shop.decide(stage.boss, id)
            stage.shop.decide(stage.boss, id)
            return client.patch(f"/both/{30 + number}", json={"title": "stolen"}, headers=headers)

        yield half


KINDS = (
    nothing_asked, forged_ids, replayed, swapped_arguments, other_routes, other_callers, self_approved, forged_answers,
    too_late, denied, half_approved,
)  # fmt: skip


def test_nothing_runs_that_nobody_approved(shop: Any, fresh: Any) -> None:
    stage, tries, told = Stage(shop, fresh), Counter[str](), Counter[int]()
    rows, begun = [shop.row(number) for number in range(1, 60)], stage.executed()
    for kind in KINDS:
        for attempt in kind(stage):
            before = stage.executed()
            try:
                response = attempt()
            except (
                ValueError,
                httpx.InvalidURL,
                httpx.LocalProtocolError,
            ):  # what no client can send; it isn't counted
                continue
            tries[kind.__name__] += 1
            told[response.status_code] += 1
            assert stage.executed() == before, (kind.__name__, response.request.headers, response.request.content)
            if response.status_code == 200:  # a reply that was given before, and nothing else
                assert "figway-replayed" in response.headers
    assert [shop.row(number) for number in range(1, 60)] == rows
    assert stage.executed() == begun + stage.legitimate
    print(f"seed {SEED}: {sum(tries.values())} tries, {dict(tries)}, answered {dict(sorted(told.items()))}")
    assert sum(tries.values()) >= 200


@pytest.mark.parametrize("header", ["figway-approval", "figway-plan", "idempotency-key"])
def test_a_header_that_stands_twice_is_refused(shop: Any, header: str, fresh: Any) -> None:
    fields = [*fresh().items(), (header, "a"), (header, "b")]
    client = shop.client(shop.key("twice", "writer"))
    assert client.post("/items", json={"sku": "twice"}, headers=fields).status_code in (202, 400, 403, 412)
    assert "twice" not in [each["sku"] for each in shop.items()]
