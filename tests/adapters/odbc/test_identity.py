"""Who calls reaches the database: as a role, as session variables, for one call and never for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from adapters.errors import AdapterError, NotMapped, NotTried, Refused, Unavailable, UnknownOutcome
from adapters.odbc.failures import DatabaseError, Failure

Soon = Callable[..., Any]

TABLES = """
tables:
  notes:
    primary_key: [id]
    columns:
      - {name: id, type: integer, generated: true}
      - {name: owner, type: text(300), nullable: true}
      - {name: body, type: text(100), nullable: true}
"""
VARIABLES = {"principal": "app.principal", "agent": "app.agent", "tenant": "app.tenant"}
ROLES = {"alice": {"role": "fig_alice"}, "role:clerk": {"role": "fig_clerk"}, "bob": {"role": "fig_bob"}}

TELL = {
    "postgresql": "SELECT current_user AS role, coalesce(current_setting('app.principal', true), '') AS principal, "
    "coalesce(current_setting('app.agent', true), '') AS agent, coalesce(current_setting('app.tenant', true), '') AS "
    "tenant, pg_backend_pid() AS connection",
    "mariadb": "SELECT coalesce(current_role(), 'nobody') AS role, coalesce(@`app.principal`, '') AS principal, "
    "coalesce(@`app.agent`, '') AS agent, coalesce(@`app.tenant`, '') AS tenant, connection_id() AS connection",
}
SLOW = {"postgresql": "SELECT pg_sleep(5)", "mariadb": "SELECT sleep(5)"}
HEAD = "-- result: one\n-- function: pg_sleep\n-- function: pg_backend_pid\n-- function: sleep\n"
HEAD += "-- function: current_role\n-- function: connection_id\n"
# The gateway's own view of the connection, read through an adapter that tells the database nothing.
NOBODY = {"postgresql": "fig_gate", "mariadb": "nobody"}


@pytest.fixture
def asked(make: Any, gate: Any, soon: Soon) -> Callable[..., Any]:
    """`asked(**config)`: an adapter, and a function from a caller to what the database says of it."""

    def build(**config: Any) -> tuple[Any, Any]:
        queries = {"tell": HEAD + TELL[gate.kind], "sleep": HEAD + SLOW[gate.kind]}
        adapter = make(gate, TABLES, queries, **config)

        async def tell(principal: str | None, **more: Any) -> dict[str, Any]:
            return dict((await adapter.invoke("tell", {}, soon(principal=principal, **more))).value)

        return adapter, tell

    return build


async def test_a_call_has_its_callers_role(asked: Any, gate: Any) -> None:
    _, tell = asked(callers={**ROLES, "*": {"role": "fig_bob"}})
    assert (await tell("alice"))["role"] == "fig_alice"
    assert (await tell("carol", roles=("other", "clerk")))["role"] == "fig_clerk"
    assert (await tell("carol"))["role"] == "fig_bob"
    # A person called like an entry of another sort is everyone else.
    assert (await tell("role:clerk"))["role"] == "fig_bob"
    assert (await tell("*"))["role"] == "fig_bob"


@pytest.mark.parametrize("principal", ["carol", "Alice", "alice'; DROP TABLE notes; --", "fig_alice", "", None])
async def test_who_is_not_mapped_is_refused_before_anything_is_sent(
    make: Any, servers: Any, soon: Soon, principal: Any
) -> None:
    dsn = f"Driver={servers.driver('psqlodbcw.so')};Server=127.0.0.1;Port={servers.free_port()};Database=x;Uid=x"
    nowhere = type("Database", (), {"dsn": dsn})()
    adapter = make(nowhere, TABLES, callers=ROLES)
    for call in (adapter.invoke, adapter.dry_run):
        with pytest.raises(NotMapped):
            await call("notes.delete", {"id": 1}, soon(principal=principal))
    with pytest.raises(Unavailable):
        await adapter.invoke("notes.delete", {"id": 1}, soon(principal="alice"))


async def test_variables_say_who_calls_through_whom_for_which_tenant(asked: Any, gate: Any) -> None:
    _, tell = asked(variables=VARIABLES, concurrency=1)
    first = await tell("alice", agent="bot", tenant="acme")
    assert (first["principal"], first["agent"], first["tenant"]) == ("alice", "bot", "acme")
    second = await tell("bob")
    assert (second["principal"], second["agent"], second["tenant"]) == ("bob", "", "")
    assert first["connection"] == second["connection"]


@pytest.mark.parametrize(
    "name",
    [
        "alice'; DROP TABLE notes; --",
        'a`b"c\\',
        "$$;RESET ROLE",
        "Ünï 😀 日本",
        "n" * 256,
        "%s ? {fn}",
        "none",
        "',@a='",
    ],
)
async def test_a_name_is_a_value_whatever_it_holds(asked: Any, name: str) -> None:
    _, tell = asked(variables=VARIABLES)
    told = await tell(name, agent=name, tenant=name)
    assert (told["principal"], told["agent"], told["tenant"]) == (name, name, name)
    assert (await tell("bob", agent="x"))["agent"] == "x"


@pytest.mark.parametrize("name", ["alice\x00evil", "alice\nbob", "alice ", " alice", "a\u2028b", "\ud800", "n" * 257])
async def test_a_name_that_systems_would_read_differently_is_refused(asked: Any, name: str) -> None:
    _, tell = asked(variables=VARIABLES)
    for who in ({"principal": name}, {"principal": "alice", "agent": name}, {"principal": "alice", "tenant": name}):
        with pytest.raises(NotMapped):
            await tell(**who)


async def test_row_level_security_isolates_by_variable(make: Any, gate: Any, soon: Soon) -> None:
    adapter = make(gate, TABLES, variables={"principal": "app.principal"}, concurrency=1)
    for who in ("alice", "bob", "alice"):
        page = (await adapter.invoke("notes.list", {"limit": 50}, soon(principal=who))).value
        assert [item["owner"] for item in page["items"]] == [who]
    for who in ("Alice", "alicé", "carol", "' OR '1'='1"):
        assert (await adapter.invoke("notes.list", {"limit": 50}, soon(principal=who))).value["items"] == []


async def test_mariadb_compares_the_variable_exactly(make: Any, gate: Any, soon: Soon) -> None:
    """The column's own collation takes ALICE, and alice with a blank behind, for alice."""
    if gate.kind != "mariadb":
        return
    queries = {"mine": "SELECT owner FROM all_notes WHERE owner = @`app.principal`"}
    adapter = make(gate, "", queries, variables=VARIABLES)
    found = await adapter.invoke("mine", {}, soon(principal="alice"))
    assert found.value["items"] == [{"owner": "alice"}]


async def test_row_level_security_isolates_by_role_with_prepared_statements(make: Any, gate: Any, soon: Soon) -> None:
    if gate.kind != "postgresql":  # MariaDB has grants by role: the next test
        return
    adapter = make(gate, TABLES, callers=ROLES, concurrency=1)
    for who in ("alice", "bob") * 3:
        page = (await adapter.invoke("notes.list", {"limit": 50}, soon(principal=who))).value
        assert [item["owner"] for item in page["items"]] == [f"fig_{who}"]
        row = await adapter.invoke("notes.insert", {"owner": f"fig_{who}", "body": "x"}, soon(principal=who))
        await adapter.invoke("notes.delete", {"id": row.value["id"]}, soon(principal=who))
        with pytest.raises(AdapterError):
            await adapter.invoke("notes.insert", {"owner": "fig_clerk", "body": "forged"}, soon(principal=who))


async def test_grants_of_a_role_hold_for_prepared_statements(make: Any, gate: Any, soon: Soon) -> None:
    if gate.kind != "mariadb":
        return
    queries = {"clerks": "SELECT id FROM clerks_only"}
    adapter = make(gate, "", queries, callers=ROLES, concurrency=1)
    for _ in range(3):
        found = await adapter.invoke("clerks", {}, soon(principal="carol", roles=("clerk",)))
        assert found.value["items"] == []
        with pytest.raises(Refused):
            await adapter.invoke("clerks", {}, soon(principal="alice"))


async def test_nothing_of_one_caller_reaches_the_next_whatever_became_of_the_first(
    asked: Any, gate: Any, soon: Soon
) -> None:
    """Concurrent calls that end well, fail, time out and are cancelled, over few connections, many callers."""
    adapter, tell = asked(callers={**ROLES, "*": {"role": "fig_bob"}}, variables=VARIABLES, concurrency=2)
    expected = {"alice": "fig_alice", "bob": "fig_bob", "carol": "fig_clerk", "dave": "fig_bob"}

    async def disturb(number: int, who: dict[str, Any]) -> None:
        way = number % 4
        if way == 0:
            with pytest.raises(AdapterError):
                await adapter.invoke("notes.insert", {"id": -1, "owner": "n" * 250, "body": "x" * 200}, soon(**who))
        elif way == 1:
            with pytest.raises(AdapterError):  # it times out in the database or in the queue before it
                await adapter.invoke("sleep", {}, soon(0.3, **who))
        elif way == 2:
            task = asyncio.create_task(adapter.invoke("sleep", {}, soon(**who)))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def one(number: int) -> None:
        name = ("alice", "bob", "carol", "dave")[number % 4]
        roles = ("clerk",) if name == "carol" else ()
        who = {"principal": name, "agent": f"bot-{number}", "roles": roles}
        if number % 5 == 0:
            await disturb(number // 5, who)
        told = await tell(name, agent=f"bot-{number}", roles=roles)
        assert (told["role"], told["principal"], told["agent"]) == (expected[name], name, f"bot-{number}")

    await asyncio.gather(*(one(number) for number in range(60)))


async def test_the_connection_is_the_gateways_own_again(asked: Any, gate: Any, soon: Soon) -> None:
    """Seen from the same connection: by jobs of the pool that tell the database nothing."""
    adapter, tell = asked(callers=ROLES, variables=VARIABLES, concurrency=1)

    async def seen() -> tuple[Any, ...]:
        row = await adapter._pool.run(lambda session: session.one(TELL[gate.kind], ()), soon().deadline, write=False)
        return tuple(row)

    told = await tell("alice", agent="bot", tenant="acme")
    assert await seen() == (NOBODY[gate.kind], "", "", "", told["connection"])
    with pytest.raises(AdapterError):
        await adapter.invoke("notes.insert", {"id": -1, "owner": None, "body": "x" * 200}, soon(principal="alice"))
    assert (await seen())[:4] == (NOBODY[gate.kind], "", "", "")


async def test_a_call_that_timed_out_leaves_nothing(asked: Any, gate: Any, soon: Soon) -> None:
    adapter, tell = asked(callers=ROLES, variables=VARIABLES, concurrency=1)
    for name, other in (("alice", "bob"), ("bob", "alice")):
        with pytest.raises(UnknownOutcome):
            await adapter.invoke("sleep", {}, soon(0.3, principal=name, agent="bot"))
        told = await tell(other)
        assert (told["role"], told["principal"], told["agent"]) == (f"fig_{other}", other, "")


async def test_a_connection_that_could_not_be_reset_is_dropped(
    asked: Any, gate: Any, soon: Soon, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter, tell = asked(callers=ROLES, variables=VARIABLES, concurrency=1)
    first = await tell("alice", agent="bot")
    session = adapter._pool._idle[0].session
    real = session.execute

    def refuses(sql: str, parameters: Any = ()) -> Any:
        return real("this is no statement" if sql == session.dialect.drop_role else sql, parameters)

    monkeypatch.setattr(session, "execute", refuses)
    # The answer stands; the connection doesn't.
    assert (await tell("alice", agent="bot"))["connection"] == first["connection"]
    assert adapter._pool.facts["idle"] == 0
    after = await tell("bob")
    assert after["connection"] != first["connection"]
    assert (after["role"], after["agent"]) == ("fig_bob", "")


async def test_what_broke_the_connection_is_told_and_not_the_reset(asked: Any, soon: Soon) -> None:
    adapter, tell = asked(callers=ROLES, variables=VARIABLES, concurrency=1)
    first = await tell("alice")

    def breaks(session: Any) -> None:
        session._connection.close()
        raise DatabaseError(Failure.LOST, "gone", sent=True)

    job = adapter._identity.around(breaks, adapter._identity.of(soon(principal="alice")))
    with pytest.raises(UnknownOutcome):
        await adapter._pool.run(job, soon().deadline, write=True)
    assert (await tell("bob"))["connection"] != first["connection"]


async def test_a_role_that_the_database_does_not_know_is_the_operators_fault(asked: Any, gate: Any) -> None:
    _, tell = asked(callers={"alice": {"role": "fig_nobody"}, "bob": {"role": "fig_bob"}}, concurrency=1)
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await tell("alice")
        assert "fig_nobody" not in caught.value.message
        assert (await tell("bob"))["role"] == "fig_bob"


async def test_a_dry_run_is_made_in_the_callers_name(make: Any, gate: Any, soon: Soon) -> None:
    adapter = make(gate, TABLES, variables={"principal": "app.principal"})
    mine = (await adapter.invoke("notes.list", {"limit": 1}, soon(principal="alice"))).value["items"][0]["id"]
    if gate.kind == "mariadb":  # there they are a view, behind which anything may be
        with pytest.raises(NotTried):
            await adapter.dry_run("notes.update", {"id": mine, "body": "new"}, soon(principal="alice"))
        return
    tried = await adapter.dry_run("notes.update", {"id": mine, "body": "new"}, soon(principal="alice"))
    assert tried.value["body"] == "new"
    assert (await adapter.invoke("notes.get", {"id": mine}, soon(principal="alice"))).value["body"] == "va"
    with pytest.raises(AdapterError):
        await adapter.dry_run("notes.update", {"id": mine, "body": "new"}, soon(principal="bob"))
