"""What legacy systems are asked, counted: nothing is lost between processes, and callers have a bound."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from adapters.contract import Context
from adapters.errors import Unavailable
from gateway.migration import tally as tallying
from gateway.migration.tally import Brownout, Tally, Watcher

ASKED = {("crm", "Get"), ("crm", "")}


def context(principal: str | None = "ann", agent: str | None = None) -> Context:
    return Context(deadline=0.0, principal=principal, agent=agent)


def test_processes_add_up_and_who_asked_last_comes_first(tmp_path: Path) -> None:
    one, other = Tally(tmp_path / "legacy.db"), Tally(tmp_path / "legacy.db")
    for _ in range(3):
        one.watcher("crm")("Get", "caller", context())
    other.watcher("crm")("Get", "caller", context())
    other.watcher("crm")("Put", "caller", context())
    one.close()
    other.watcher("crm")("", "probe", context(None))
    other.close()
    found = Tally(tmp_path / "legacy.db").callers(ASKED)
    assert [(each.operation, each.purpose, each.principal, each.calls) for each in found] == [
        ("", "probe", "", 1),
        ("Get", "caller", "ann", 4),
    ]


def test_beyond_a_bound_callers_are_counted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallying, "_MOST", 2)
    tally = Tally(tmp_path / "legacy.db")
    for name in ("a", "b", "c", "d", "a"):
        tally.watcher("crm")("Get", "caller", context(name))
    tally.close()
    assert {each.principal: each.calls for each in tally.callers(ASKED)} == {"a": 2, "b": 1, "(others)": 2}


def test_what_cant_be_written_now_is_written_later(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "legacy.db")
    tally.watcher("crm")("Get", "caller", context())
    hidden = tmp_path / "hidden"
    (tmp_path / "legacy.db").rename(hidden)
    (tmp_path / "legacy.db").mkdir()
    tally.close()
    (tmp_path / "legacy.db").rmdir()
    hidden.rename(tmp_path / "legacy.db")
    tally.watcher("crm")("Get", "caller", context())
    tally.close()
    assert [each.calls for each in tally.callers(ASKED)] == [2]


async def test_a_brown_out_of_another_process_is_obeyed_and_ends(tmp_path: Path) -> None:
    one, other = Tally(tmp_path / "legacy.db"), Tally(tmp_path / "legacy.db")
    pulse = asyncio.create_task(one.pulse())
    watch, now = one.watcher("crm"), time.time()
    other.brown_out(Brownout("customers", now, now + 3, "ann", "why", frozenset({("crm", "Get")})))
    while time.time() < now + 2.5 and not _refused(watch):  # noqa: ASYNC110 - nothing tells of other processes
        await asyncio.sleep(0.01)
    with pytest.raises(Unavailable):
        watch("Get", "caller", context())
    watch("Put", "caller", context())
    await asyncio.sleep(max(0.0, now + 3 - time.time()))
    watch("Get", "caller", context())
    pulse.cancel()
    assert one.brownouts() == ()
    assert [each.group for each in one.brownouts(over=True)] == ["customers"]


def _refused(watch: Watcher) -> bool:
    try:
        watch("Get", "caller", context())
    except Unavailable:
        return True
    return False
