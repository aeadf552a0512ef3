"""A call that is answered before it has ended still counts against the limits, until it has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

LIMITS = """
rules:
  - {match: {principal: "*", route: make_item}, concurrency: 1}
  - {match: {principal: "*", route: tell_item}, budget: 4/day}
"""


@pytest.fixture(scope="module")
def limited(
    tmp_path_factory: pytest.TempPathFactory, running: ModuleType, lab_in: Callable[[Path], Any]
) -> Iterator[Any]:
    """The workspace, with limits."""
    folder = tmp_path_factory.mktemp("limited")
    lab = lab_in(folder)
    (folder / "policies" / "limits.yaml").write_text(LIMITS)
    with running.serving(folder) as gateway:
        lab.gateway = gateway
        yield lab


def _until_ended(lab: Any, id: str) -> None:
    until = time.monotonic() + 20
    while lab.operation(id).json()["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.02)


def test_it_is_in_flight_until_it_has_ended(limited: Any) -> None:
    accepted = limited.post({"n": 1, "after": 2}, prefer="respond-async")
    assert accepted.status_code == 202
    assert limited.post({"n": 2}).json()["type"] == "urn:figway:problem:rate-limited"
    _until_ended(limited, accepted.json()["id"])
    assert limited.post({"n": 3}).status_code == 201


def test_it_costs_what_its_late_reply_says(limited: Any) -> None:
    accepted = []
    while (reply := limited.post({"n": 4}, path="/told", prefer="respond-async")).status_code == 202:
        _until_ended(limited, reply.json()["id"])
        accepted.append(reply)
    assert reply.json()["type"] == "urn:figway:problem:budget-exhausted"
    # By the estimate alone, of 1, there would have been four; each costs 3 in the end.
    assert 2 <= len(accepted) <= 3
