"""Dry runs over HTTP: what is asked, and that no reply counts that doesn't say it was one."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.capabilities import SupportsDryRun
from adapters.contract import Context
from adapters.errors import BadReply, Conflict, Invalid, Retry, Unacknowledged, Unavailable

OPERATION = "PATCH /c/{id}"
INPUT = {"id": 1, "name": "Ann", "header": {"prefer": "return=minimal"}}


async def test_a_dry_run_asks_for_no_effect(adapter: Any, reply: Any, context: Context) -> None:
    next_, server = await adapter(reply("200 OK", b'{"id": 1}', "Preference-Applied: return=minimal, Dry-Run"))
    assert isinstance(next_, SupportsDryRun)
    assert (await next_.dry_run(OPERATION, INPUT, context)).value == {"id": 1}
    seen = server.seen[0]
    assert (seen.method, seen.headers["prefer"]) == ("PATCH", "dry-run")
    assert "idempotency-key" not in seen.headers


@pytest.mark.parametrize(
    "said", ["X-Nothing: 1", "Preference-Applied: return=minimal", "Preference-Applied: no-dry-run"]
)
async def test_success_without_the_proof_may_be_a_change(adapter: Any, reply: Any, context: Context, said: str) -> None:
    next_, _ = await adapter(reply("201 Created", b'{"id": 1}', said))
    with pytest.raises(Unacknowledged) as caught:
        await next_.dry_run(OPERATION, INPUT, context)
    assert caught.value.answered


@pytest.mark.parametrize("answer", ["500 Internal Server Error", "502 Bad Gateway", None])
async def test_no_answer_is_no_proof_either(adapter: Any, reply: Any, context: Context, answer: str | None) -> None:
    next_, _ = await adapter(None if answer is None else reply(answer, b"{}"))
    with pytest.raises(Unacknowledged) as caught:
        await next_.dry_run(OPERATION, INPUT, context)
    assert not caught.value.answered


@pytest.mark.parametrize(
    ("status", "error"),
    [("422 Unprocessable Entity", Invalid), ("409 Conflict", Conflict), ("429 Too Many Requests", Retry)],
)
async def test_a_refusal_needs_no_proof(
    adapter: Any, reply: Any, context: Context, status: str, error: type[Exception]
) -> None:
    next_, _ = await adapter(reply(status, b"{}"))
    with pytest.raises(error):
        await next_.dry_run(OPERATION, INPUT, context)


async def test_a_proven_dry_run_that_cant_be_read_changed_nothing(adapter: Any, reply: Any, context: Context) -> None:
    next_, _ = await adapter(reply("200 OK", b"{", "Preference-Applied: dry-run"))
    with pytest.raises(BadReply):
        await next_.dry_run(OPERATION, INPUT, context)


async def test_nothing_is_sent_where_nobody_listens(built: Any, context: Context) -> None:
    with pytest.raises(Unavailable):
        await built(base_url="http://127.0.0.1:9").dry_run(OPERATION, INPUT, context)


def test_only_a_binding_can_vouch_for_it(built: Any) -> None:
    adapter = built(base_url="http://127.0.0.1:9")
    assert [adapter.tries(each) for each in (OPERATION, "GET /c/{id}", "nonsense")] == [None, False, False]
