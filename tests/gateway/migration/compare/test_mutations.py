"""Every way in which a replacement's reply may be wrong, seeded into real-looking bodies: each one is found."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.migration.compare.comparer import Comparer, compile_parity
from gateway.migration.compare.model import Observed
from gateway.routing.parity_schema import ParityModel

SEED = 20_261_101
BODIES = 2000 if os.environ.get("FIGWAY_SLOW") else 60
RULES = {
    "ignore": ["/request_id"],
    "presence_only": ["/updated_at"],
    "tolerance": {"/balance": {"abs": "0.01"}, "/created_at": {"within": "1s"}},
    "unordered": {"/tags": {}},
    "enum_map": {"/status": {"DORMANT": "sleeping"}},
    "null_is_absent": ["/email"],
}
Body = dict[str, Any]
Mutation = Callable[[Body], Any]


def _put(*path: Any, to: Any) -> Mutation:
    """Replaces a value by `to(value)`."""

    def mutate(body: Body) -> None:
        at: Any = body
        for name in path[:-1]:
            at = at[name]
        at[path[-1]] = to(at[path[-1]])

    return mutate


def _drop(*path: Any) -> Mutation:
    def mutate(body: Body) -> None:
        at: Any = body
        for name in path[:-1]:
            at = at[name]
        del at[path[-1]]

    return mutate


MUTATIONS: dict[str, Mutation] = {
    "value: text": _put("name", to=lambda text: text + "x"),
    "value: enum": _put("status", to=lambda _: "CLOSED"),
    "value: an enum that no map names": _put("status", to=lambda text: text.lower()),
    "value: boolean": _put("vip", to=lambda yes: not yes),
    "value: off by one": _put("orders", to=lambda number: number + 1),
    "value: sign": _put("discount", to=lambda number: -number),
    "value: nested": _put("address", "city", to=lambda _: "Oslo"),
    "value: of an open object": _put("labels", "region", to=lambda _: "east"),
    "value: bytes": _put("photo", to=lambda _: "aGFsZGVuIHN1cHBsaQ=="),
    "value: date": _put("born", to=lambda day: day[:-2] + "28"),
    "value: two swapped": lambda body: body.update(balance=body["credit_limit"], credit_limit=body["balance"]),
    "type: decimal as number": _put("balance", to=float),
    "type: integer as text": _put("orders", to=str),
    "type: boolean as integer": _put("vip", to=int),
    "type: boolean as text": _put("vip", to=lambda yes: str(yes).lower()),
    "type: object as list": _put("address", to=lambda each: [each]),
    "type: list as object": _put("tags", to=lambda each: {"item": each}),
    "type: a list of one as its item": _put("tags", to=lambda each: each[0]),
    "type: empty list as object": _put("contacts", to=lambda _: {}),
    "missing: member": _drop("phone"),
    "missing: nested": _drop("address", "post_code"),
    "missing: object": _drop("address"),
    "missing: item": _drop("tags", 1),
    "missing: presence only": _drop("updated_at"),
    "missing: member of an item": _drop("contacts", 2, "role"),
    "extra: member": lambda body: body.update(internal_flag=1),
    "extra: nested": lambda body: body["address"].update(region="west"),
    "extra: item": lambda body: body["contacts"].append({"id": 99, "email": "x@example.org"}),
    "extra: item twice": lambda body: body["tags"].append(body["tags"][0]),
    "order: items": _put("contacts", to=lambda each: each[::-1]),
    "order: two items": lambda body: body["contacts"].insert(0, body["contacts"].pop()),
    "precision: cut": _put("credit_limit", to=lambda _: "20000.001"),
    "precision: a cent too many": lambda body: body.update(balance=_more(body["balance"], "0.02")),
    "precision: rounded": _put("discount", to=lambda number: round(number, 2)),
    "precision: a thousand": _put("credit_limit", to=lambda _: "20.00"),
    "null: member": _put("phone", to=lambda _: None),
    "null: where absence would do": _put("email", to=lambda _: None),
    "null: presence only": _put("updated_at", to=lambda _: None),
    "empty: text": _put("name", to=lambda _: ""),
    "empty: where absence would do": _put("email", to=lambda _: ""),
    "empty: list": _put("contacts", to=lambda _: []),
    "empty: object": _put("labels", to=lambda _: {}),
    "time zone: shifted": _put("created_at", to=lambda at: at.replace("Z", "+01:00")),
    "time zone: lost": _put("created_at", to=lambda at: at.rstrip("Z")),
    "time zone: an hour": _put("created_at", to=lambda at: at.replace("T09", "T10")),
    "time: two seconds": _put("created_at", to=lambda at: at.replace(":00Z", ":02Z")),
    "time: only the day": _put("created_at", to=lambda at: at[:10]),
    "truncation: text": _put("name", to=lambda text: text[:-1]),
    "truncation: list": _put("contacts", to=lambda each: each[:2]),
    "truncation: leading zero": _put("address", "post_code", to=lambda code: code[1:]),
    "truncation: padding": _put("name", to=lambda text: text + "  "),
    "encoding: mojibake": _put("name", to=lambda text: text.encode().decode("latin-1") if not text.isascii() else "?"),
    "encoding: replaced": _put("name", to=lambda text: "".join(c if c.isascii() else "?" for c in text) + "\ufffd"),
    "encoding: case": _put("name", to=str.upper),
    "encoding: entities": _put("name", to=lambda text: text.replace(" ", "&#32;")),
}


def _more(amount: str, by: str) -> str:
    from decimal import Decimal

    return str(Decimal(amount) + Decimal(by))


def _bodies(make: Callable[[random.Random], Body]) -> Iterator[Body]:
    dice = random.Random(SEED)
    for _ in range(BODIES):
        yield make(dice)


def _mutated(mutation: Mutation, body: Body) -> Body:
    changed = copy.deepcopy(body)
    mutation(changed)
    return changed


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_of_an_entity_is_found(name: str, corpus: Any) -> None:
    comparer = compile_parity(ParityModel.model_validate(RULES), corpus.CUSTOMER, corpus.TODAY)
    missed = [body for body in _bodies(corpus.customer)
              if not _is_found(comparer, body, _mutated(MUTATIONS[name], body))]  # fmt: skip
    assert missed == []


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_of_an_item_of_a_page_is_found(name: str, corpus: Any) -> None:
    comparer = compile_parity(ParityModel.model_validate(RULES), corpus.PAGE, corpus.TODAY)
    for number, body in enumerate(_bodies(corpus.page)):
        changed = copy.deepcopy(body)
        MUTATIONS[name](changed["items"][number % 4])
        assert _is_found(comparer, body, changed)


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_found_without_a_contract(name: str, corpus: Any) -> None:
    comparer = compile_parity(ParityModel.model_validate(RULES), None, corpus.TODAY)
    for body in _bodies(corpus.customer):
        assert _is_found(comparer, body, _mutated(MUTATIONS[name], body))


PAGES: dict[str, Mutation] = {
    "the last page isn't the last": _put("next", to=lambda _: None),
    "no word of a next page": _drop("next"),
    "one item less": lambda body: body["items"].pop(),
    "the first item less": lambda body: body["items"].pop(0),
    "an item twice": lambda body: body["items"].append(body["items"][0]),
    "another order": lambda body: body["items"].reverse(),
    "no items": _put("items", to=lambda _: []),
    "null for no items": _put("items", to=lambda _: None),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_cut_otherwise_is_found(name: str, corpus: Any) -> None:
    comparer = compile_parity(ParityModel.model_validate(RULES), corpus.PAGE, corpus.TODAY)
    for body in _bodies(corpus.page):
        changed = _mutated(PAGES[name], body)
        assert _is_found(comparer, body, changed)
        assert _is_found(comparer, changed, body)


@pytest.mark.parametrize(
    ("status", "problem"),
    [(201, None), (204, None), (404, "not-found"), (409, "conflict"), (422, "rejected"), (403, "forbidden"),
     (500, "internal-error"), (502, "bad-upstream-reply"), (502, "upstream-refused")],
)  # fmt: skip
def test_another_end_of_the_call_is_found(status: int, problem: str | None, corpus: Any) -> None:
    comparer = compile_parity(ParityModel.model_validate(RULES), corpus.CUSTOMER, corpus.TODAY)
    for body in _bodies(corpus.customer):
        reply = body if problem is None else {"type": f"urn:figway:problem:{problem}", "status": status}
        assert comparer.compare(Observed(200, body), Observed(status, reply, problem)).verdict == "mismatch"


def test_problems_are_held_against_each_other_by_what_they_say(corpus: Any) -> None:
    comparer = compile_parity(ParityModel(), corpus.CUSTOMER, corpus.TODAY)
    blames = {"errors": [{"pointer": "/email", "detail": "one sentence"}], "detail": "a"}
    other = {"errors": [{"pointer": "/email", "detail": "another"}], "detail": "b"}
    elsewhere = {"errors": [{"pointer": "/phone", "detail": "one sentence"}], "detail": "a"}
    rejected = Observed(422, blames, "rejected")
    assert comparer.compare(rejected, Observed(422, other, "rejected")).verdict == "match"
    assert comparer.compare(rejected, Observed(422, elsewhere, "rejected")).verdict == "mismatch"
    found = comparer.compare(rejected, Observed(422, blames, "idempotency-mismatch"))
    assert [each.kind for each in found.differences] == ["fault"]


def _is_found(comparer: Comparer, legacy: Body, replacement: Body) -> bool:
    """Found, told with its place, and with a signature to know it by."""
    found = comparer.compare(Observed(200, legacy), Observed(200, replacement))
    return found.verdict == "mismatch" and bool(found.differences) and bool(found.signature)
