"""A publisher that is killed between the store and telling everybody: all workers serve what was published."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx

from gateway.store.sqlite import SqliteState


def served(control: Any) -> set[int]:
    """What answers new connections are served by, many of them."""
    headers = {"authorization": control.gateway.reader}
    answers = (httpx.get(f"{control.gateway.url}/items/A", headers=headers, timeout=10) for _ in range(12))
    return {int(each.headers["figway-snapshot"]) for each in answers}


def test_what_nobody_was_told_of_is_served_all_the_same(administer: Callable[..., Any]) -> None:
    with administer(2, writes=True) as control:
        with closing(SqliteState(control.folder / ".figway" / "state.db")) as state:
            before, files = state.snapshot(1)
            stages = {"items": {**before.stages["items"], "frozen": True, "frozen_by": [1, 1]}}
            state.publish(files, expected_parent=1, author="killed", reason="a flip", stages=stages)
            until = time.monotonic() + 30
            # Writes stand still by then, until somebody lets go of what the dead one froze.
            while (active := state.active_snapshot()) is None or active.stages["items"]["frozen"]:
                assert time.monotonic() < until, control.gateway.logged()[-3000:]
                time.sleep(0.05)
        while served(control) != {3}:
            assert time.monotonic() < until
        with control.gateway.client() as wendy:
            assert wendy.put("/items/A").status_code == 200
