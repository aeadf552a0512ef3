"""A statement is prepared once, as the server itself counts it, also where its text is made anew for each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TABLES = """
tables:
  things:
    primary_key: [id]
    columns: [{name: id, type: integer}]
"""
PREPARED = {
    "postgresql": "SELECT count(*), max(extract(epoch FROM prepare_time)) FROM pg_prepared_statements",
    "mariadb": "SELECT 0, variable_value FROM information_schema.session_status "
    "WHERE variable_name = 'Com_stmt_prepare'",
}


async def test_calls_that_differ_by_their_values_share_a_prepared_statement(
    make: Any, server: Any, soon: Callable[..., Any]
) -> None:
    server.fresh("things", "id int primary key")
    variables = {"principal": "app.principal", "agent": "app.agent"}
    adapter = make(server, TABLES, variables=variables, concurrency=1)

    async def counted() -> list[float]:
        def count(session: Any) -> list[float]:
            return [float(each) for each in session._connection.cursor().execute(PREPARED[server.kind]).fetchone()]

        answer: list[float] = await adapter._pool.run(count, soon().deadline, write=False)
        return answer

    async def call(number: int) -> None:
        who = soon(principal=f"user {number}", agent=f"bot {number}")
        await adapter.invoke("things.list", {"limit": number, "where": [["id", "gt", number]]}, who)

    await call(1)
    # Counting prepares something, too.
    counts = [await counted(), await counted()]
    for number in range(2, 6):
        await call(number)
    counts.append(await counted())
    first, second, last = counts
    assert [b - a for a, b in zip(second, last, strict=True)] == [b - a for a, b in zip(first, second, strict=True)]
