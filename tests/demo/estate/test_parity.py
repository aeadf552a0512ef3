"""The CRM against its replacement, as callers see both: the documented deliberate differences, no more and no fewer."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.call import Call, Principal, new_id
from gateway.demo.crm_next.backfill import plain_phone, rounded_otherwise
from gateway.demo.estate import Estate
from gateway.errors import Problem
from gateway.handlers import handlers
from gateway.identity.signing import Keyring
from gateway.migration.compare.comparer import Comparer, compile_parity
from gateway.migration.compare.model import Comparison, Observed
from gateway.migration.shadow import observed
from gateway.pipeline import Handler
from gateway.routing.folder import read_workspace
from gateway.routing.load import compile_workspace
from gateway.routing.model import Compiled, Route
from gateway.routing.parity_schema import ParityModel
from gateway.telemetry import continue_trace
from gateway.upstream import Limits, Upstream

TODAY = date(2026, 11, 1)
EVERY = 1 if os.environ.get("FIGWAY_SLOW") == "1" else 8
"""Of so many customers one is asked for; the first, and all whose balance is rounded otherwise, in any case."""
Found = set[tuple[str, str]]


@dataclass(frozen=True)
class Both:
    """The demo's contracts, with a handler a side for each operation, over running systems."""

    compiled: Compiled
    legacy: Mapping[str, Handler]
    replacement: Mapping[str, Handler]
    crm: Path
    few: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(16))
    """So many are asked at once: what waits for hundreds of others may miss its deadline."""

    def comparer(self, operation: str, parity: ParityModel) -> Comparer:
        route = next(each for each in self.compiled.routes if each.operation_id == operation)
        return compile_parity(parity, route.reply, TODAY, owner="team-crm")

    async def compared(self, comparer: Comparer, operation: str, query: str = "", **path: str) -> Comparison:
        sides = (self.legacy[operation], self.replacement[operation])
        async with self.few:
            legacy, replacement = await asyncio.gather(*(_asked(each, operation, path, query) for each in sides))
        return comparer.compare(legacy, replacement)


async def _asked(handler: Handler, operation: str, path: dict[str, str], query: str) -> Observed:
    async def read_body() -> bytes:
        return b""

    call = Call(
        id=new_id(), operation=operation, snapshot=0, method="GET", target="/", deadline=time.monotonic() + 60,
        traceparent=continue_trace(None), path=dict(path), raw_query=query.encode(), raw_headers={},
        read_body=read_body, principal=Principal("host"),
    )  # fmt: skip
    try:
        return observed(await handler(call))
    except Problem as problem:
        return observed(problem)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    # An estate of its own: others change customers on one side alone.
    folder = tmp_path_factory.mktemp("both")
    async with Estate(folder / "estate", every=3_600) as estate, _over(estate, folder) as made:
        yield made


@asynccontextmanager
async def _over(estate: Estate, folder: Path) -> AsyncIterator[Both]:
    environment = {**os.environ, **estate.environment()}
    loaded = compile_workspace(
        read_workspace(Path(__file__).parents[3]), cache=folder / "cache", environment=environment, strict_secrets=True
    )
    upstreams = {name: Upstream(each, Limits(queue=4000)) for name, each in loaded.adapters.items()}
    ring = Keyring.open(folder / "keys", "cursor")

    def side(narrowed: Callable[[Route], Route]) -> dict[str, Handler]:
        routes = tuple(narrowed(each) if each.group == "customers" else each for each in loaded.compiled.routes)
        return handlers(replace(loaded.compiled, routes=routes), upstreams, lambda _: [], ring).answers

    legacy = side(lambda route: replace(route, replacement=None))
    replacement = side(lambda route: replace(route, legacy=None))
    yield Both(loaded.compiled, legacy, replacement, estate.folder / "crm.db")
    await asyncio.gather(*(each.close() for each in upstreams.values()))


def rows(crm: Path) -> Iterator[sqlite3.Row]:
    """The CRM's own rows of the customers that are asked for."""
    with closing(sqlite3.connect(f"file:{crm}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        for at, row in enumerate(database.execute("SELECT * FROM customers ORDER BY id")):
            if at % EVERY == 0 or rounded_otherwise(row["id"]):
                yield row


def documented(row: sqlite3.Row) -> Found:
    """How the answers about one customer differ by the page's table: (where, kind)."""
    found: Found = set()
    if rounded_otherwise(row["id"]):
        found.add(("/balance", "number"))
    if row["phone"] is None or plain_phone(row["phone"]) != row["phone"]:
        found.add(("/phone", "null" if row["phone"] is None else "value"))
    if row["email"] == "":
        found.add(("/email", "empty"))
    elif row["email"] is None and not row["no_email"]:
        found.add(("/email", "null"))
    if row["favourite_sku"] is None:
        found.add(("/favourite_sku", "null"))
    for at, contact in enumerate(json.loads(row["contacts"])):
        found |= {(f"/contacts/{at}{where}", kind) for where, kind in _of_contact(contact)}
    return found


def _of_contact(contact: dict[str, Any]) -> Found:
    person, reach = contact.get("Person"), contact["Reach"]
    found: Found = set()
    found |= {("/person", "null")} if person is None else set()
    found |= {("/person/role", "null")} if person is not None and "Role" not in person else set()
    found |= {("/department", "null")} if "Department" not in contact else set()
    found |= {("/email", "null")} if "Email" not in reach else set()
    if "Phone" not in reach:
        found.add(("/phone", "null"))
    elif plain_phone(reach["Phone"]) != reach["Phone"]:
        found.add(("/phone", "value"))
    return found | ({("/preferred", "extra")} if "Preferred" not in contact else set())


@pytest.mark.asyncio(loop_scope="session")
async def test_without_rules_parity_reports_the_documented_differences_and_no_others(both: Both) -> None:
    comparer = both.comparer("get_customer", ParityModel())
    asked = list(rows(both.crm))
    wanted = {row["id"]: documented(row) for row in asked}
    compared = await asyncio.gather(*(both.compared(comparer, "get_customer", customer_id=row["id"]) for row in asked))
    found = {
        row["id"]: {(each.pointer, each.kind) for each in comparison.differences}
        for row, comparison in zip(asked, compared, strict=True)
    }
    assert found == wanted
    assert {kind for each in wanted.values() for _, kind in each} == {"number", "null", "value", "empty", "extra"}
    print(f"{len(asked)} customers, {sum(map(len, wanted.values()))} differences, each of them documented")


@pytest.mark.asyncio(loop_scope="session")
async def test_under_the_demos_rules_nothing_is_left_and_no_rule_is_needless(both: Both) -> None:
    parity = both.compiled.groups["customers"].parity
    comparer = both.comparer("get_customer", parity)
    compared = await asyncio.gather(
        *(both.compared(comparer, "get_customer", customer_id=row["id"]) for row in rows(both.crm))
    )
    assert {each.verdict for each in compared} <= {"match", "tolerated", "known"}
    used = {each.rule for comparison in compared for each in comparison.differences}
    # Nobody has changed anything here: what is said of changes isn't needed.
    assert used == set(comparer.owners) - {"tolerance /updated_at"}


@pytest.mark.parametrize("query", ["limit=200", "city=Bergen", "status=DORMANT&limit=200", "name_starts_with=nord"])
@pytest.mark.asyncio(loop_scope="session")
async def test_lists_differ_as_their_customers_do(both: Both, query: str) -> None:
    bare = await both.compared(both.comparer("list_customers", ParityModel()), "list_customers", query)
    assert {(each.pattern, each.kind) for each in bare.differences} <= {
        ("/items/*/favourite_sku", "null"), ("/items/*/balance", "number"),
    }  # fmt: skip
    ruled = both.comparer("list_customers", both.compiled.groups["customers"].parity)
    assert (await both.compared(ruled, "list_customers", query)).verdict in ("match", "tolerated")


@pytest.mark.asyncio(loop_scope="session")
async def test_names_beyond_a_to_z_are_found_in_another_case_by_the_replacement_alone(both: Both) -> None:
    ruled = both.comparer("list_customers", both.compiled.groups["customers"].parity)
    compared = await both.compared(ruled, "list_customers", "name_starts_with=%C3%B8")
    assert compared.verdict == "mismatch"
    assert {each.kind for each in compared.differences if each.verdict == "mismatch"} == {"extra"}


@pytest.mark.asyncio(loop_scope="session")
async def test_who_isnt_there_isnt_there_on_either_side(both: Both) -> None:
    comparer = both.comparer("get_customer", ParityModel())
    assert (await both.compared(comparer, "get_customer", customer_id="C-99999")).verdict == "match"
