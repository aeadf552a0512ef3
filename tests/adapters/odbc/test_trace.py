"""The trace of a sampled call stands in its statements, and costs the others nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import AdapterError
from adapters.odbc.trace import comment_of

SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = SAMPLED[:-1] + "0"
TABLES = """
tables:
  things:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: name, type: text(20), nullable: true}
"""
# The statement that runs just now, as the server itself sees it.
RUNNING = {
    "postgresql": "-- result: one\n-- function: pg_backend_pid\n-- param id: integer\n"
    "SELECT query AS text, :id AS id FROM pg_stat_activity WHERE pid = pg_backend_pid()",
    "mariadb": "-- result: one\n-- function: connection_id\n-- param id: integer\n"
    "SELECT info AS text, :id AS id FROM information_schema.processlist WHERE id = connection_id()",
}


async def test_the_server_sees_the_trace_of_a_sampled_call(make: Any, server: Any, soon: Callable[..., Any]) -> None:
    adapter = make(server, "", {"running": RUNNING[server.kind]}, trace=True, concurrency=1)
    for number in range(3):
        seen = await adapter.invoke("running", {"id": number}, soon(traceparent=SAMPLED))
        assert seen.value["text"].endswith(f" /*traceparent='{SAMPLED}'*/")
        assert int(seen.value["id"]) == number
        seen = await adapter.invoke("running", {"id": number}, soon(traceparent=UNSAMPLED))
        assert "traceparent" not in seen.value["text"]


async def test_without_trace_no_statement_has_one(make: Any, server: Any, soon: Callable[..., Any]) -> None:
    adapter = make(server, "", {"running": RUNNING[server.kind]})
    seen = await adapter.invoke("running", {"id": 1}, soon(traceparent=SAMPLED))
    assert "traceparent" not in seen.value["text"]


async def test_reads_and_writes_do_what_they_do_without(make: Any, database: Any, soon: Callable[..., Any]) -> None:
    database.fresh("things", "id int primary key, name varchar(20)")
    adapter = make(database, TABLES, {"one": "-- result: one\nSELECT name FROM things"}, trace=True, concurrency=1)
    sampled = soon(traceparent=SAMPLED)
    for _ in range(2):
        assert (await adapter.invoke("things.insert", {"id": 1, "name": "Ünï"}, sampled)).value["name"] == "Ünï"
        with pytest.raises(AdapterError):
            await adapter.invoke("things.insert", {"id": 1, "name": "again"}, sampled)
        changed = await adapter.invoke("things.update", {"id": 1, "name": "new"}, sampled)
        assert changed.value == {"id": 1, "name": "new"}
        assert (await adapter.invoke("things.list", {"limit": 5}, sampled)).value["items"] == [changed.value]
        assert (await adapter.invoke("one", {}, sampled)).value == {"name": "new"}
        await adapter.invoke("things.delete", {"id": 1}, sampled)


async def test_statements_with_a_trace_crowd_out_no_prepared_one(
    make: Any, database: Any, soon: Callable[..., Any]
) -> None:
    database.fresh("things", "id int primary key, name varchar(20)")
    adapter = make(database, TABLES, trace=True, concurrency=1)
    await adapter.invoke("things.list", {"limit": 5}, soon(traceparent=UNSAMPLED))
    session = adapter._pool._idle[0].session
    (prepared,) = session._cursors.items()
    for number in range(100):
        trace = f"00-{number + 1:032x}-00f067aa0ba902b7-01"
        await adapter.invoke("things.list", {"limit": 5}, soon(traceparent=trace))
    assert prepared in session._cursors.items()
    assert len(session._cursors) == 2


@pytest.mark.parametrize(
    "given_",
    [
        None,
        "",
        UNSAMPLED,
        SAMPLED + "*/; DROP TABLE things; /*",
        SAMPLED[:-2] + "*/",
        SAMPLED + "\n",
        SAMPLED.upper(),
        "01" + SAMPLED[2:],
        SAMPLED.replace("4", "４"),
    ],
)
def test_only_a_sampled_trace_makes_a_comment(given_: str | None) -> None:
    assert comment_of(given_) == ""


@given(st.one_of(st.text(), st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-..", fullmatch=True)))
def test_nothing_closes_the_comment(text: str) -> None:
    comment = comment_of(text)
    assert comment == "" or (comment.count("*/") == comment.count("/*") == 1 and comment.count("'") == 2)
