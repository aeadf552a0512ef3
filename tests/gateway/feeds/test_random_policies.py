"""Random policies against random changes: what a subscriber is told, judged by an oracle that knows no grants."""

from __future__ import annotations

import os
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest

from gateway.events.model import Event
from gateway.feeds.feed import Feed
from gateway.feeds.positions import BadPosition, Positions
from gateway.feeds.sources import sources_of
from gateway.identity.signing import Keyring
from gateway.policy.decide import Policies
from gateway.routing.load import compile_workspace

CHANGES = 150
SEED = int(os.environ.get("FIGWAY_SEED", "20261122"))

Row = dict[str, Any]


def _event(number: int, before: Row | None, after: Row | None) -> Event:
    what = "insert" if before is None else "delete" if after is None else "update"
    stored = [None if row is None else orjson.dumps(row) for row in (before, after)]
    key = (before or after or {})["id"]
    return Event(number, "erp.t", f"load-1/[{key}]", what, f"[{key}]", *stored, None, 1.0)


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring.open(tmp_path_factory.mktemp("keys"), "cursor")


@pytest.mark.parametrize("count", [12, pytest.param(300, marks=pytest.mark.slow)])
def test_nobody_is_told_more_or_less_than_their_policies_show(
    tmp_path: Path, ring: Keyring, judged: ModuleType, count: int
) -> None:
    chance, told = random.Random(SEED), 0
    print(f"FIGWAY_SEED={SEED}")
    for number in range(count):
        permits = judged.permits_of(chance)
        encoded = {name: text.encode() for name, text in judged.files(permits).items()}
        loaded = compile_workspace(
            encoded, cache=tmp_path / str(number), environment={"ERP_DSN": "Driver=SQLite3"}, strict_secrets=False
        )
        sources = sources_of(loaded.compiled, loaded.adapters)
        assert list(sources) == ["erp.t"]
        policies, changes = Policies(loaded.compiled.rules), judged.changes(chance, CHANGES)
        for who in judged.CALLERS:
            feed = Feed(sources, policies, who, Positions(ring))
            for at, (before, after) in enumerate(changes, 1):
                document = feed.told(_event(at, before, after))
                wanted = judged.seen(permits, who, before), judged.seen(permits, who, after)
                if wanted[0] == wanted[1]:
                    assert document is None, (SEED, number, who, before, after)
                    continue
                assert document is not None, (SEED, number, who, before, after)
                assert document["data"] == {"before": wanted[0], "after": wanted[1]}
                assert set(document) == {
                    "specversion", "id", "source", "type", "time", "datacontenttype", "capturedtime", "data", "subject",
                }  # fmt: skip
                told += 1
    print(f"{count} policies, {count * len(judged.CALLERS) * CHANGES} judgements, {told} events told")
    assert told > 1_000


def test_a_place_tells_nothing_and_is_taken_back(ring: Keyring, tmp_path: Path) -> None:
    positions = Positions(ring)
    for number in (0, 1, 41, 2**40):
        assert positions.opened(positions.of_event(number)) == number
        assert positions.opened(positions.place(number)) == number
        assert positions.of_event(number) == positions.of_event(number)
        assert positions.place(number) != positions.place(number)
    strange = Positions(Keyring.open(tmp_path, "cursor")).of_event(1)
    good = positions.of_event(1)
    for text in ("", "7", ".", strange, good[:-2], good + "00", good[:-1] + ("0" if good[-1] != "0" else "1"), "é"):
        with pytest.raises(BadPosition):
            positions.opened(text)
