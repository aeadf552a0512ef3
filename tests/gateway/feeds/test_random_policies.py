"""Random policies against random changes: what a subscriber is told, judged by an oracle that knows no grants."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.call import Principal
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
ROWS: list[tuple[str, Callable[[Row, Principal], bool]]] = [
    ("region = principal.tenant", lambda row, who: row["region"] is not None and row["region"] == who.tenant),
    ("region in ['a', 'b']", lambda row, who: row["region"] in ("a", "b")),
    ("not (region = 'a')", lambda row, who: row["region"] is not None and row["region"] != "a"),
    ("n >= 3", lambda row, who: row["n"] is not None and row["n"] >= 3),
    ("n < 2 or region = 'c'", lambda row, who: (row["n"] is not None and row["n"] < 2) or row["region"] == "c"),
    ("note = principal.id", lambda row, who: row["note"] == who.id),
]
MASKS = ["region", "n", "note"]
CALLERS = [Principal(id, None, roles, tenant) for id in ("x", "y") for tenant in ("a", "b", None)
           for roles in (("r1",), ("r2",), ("r1", "r2"), ())]  # fmt: skip
_GATEWAY = (
    "upstreams: {erp: {kind: odbc, dsn: env:ERP_DSN, changes: {t: {method: diff, operation: t.list, key: [id]}}}}\n"
)
_TABLES = """
tables:
  t:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: area, type: text, nullable: true}
      - {name: n, type: integer, nullable: true}
      - {name: note, type: text, nullable: true}
      - {name: unsaid, type: text, nullable: true}
"""
_CONTRACT = """
openapi: 3.1.0
info: {title: T, version: "1"}
paths:
  /t:
    get:
      operationId: list_t
      tags: [t]
      parameters:
        - {name: limit, in: query, schema: {type: integer}}
        - {name: cursor, in: query, schema: {type: string}}
      responses:
        "200":
          description: A page.
          content:
            application/json:
              schema:
                type: object
                required: [items, next]
                properties:
                  next: {type: [string, "null"]}
                  items:
                    type: array
                    items:
                      type: object
                      required: [id]
                      properties:
                        id: {type: integer}
                        region: {type: [string, "null"]}
                        n: {type: [integer, "null"]}
                        note: {type: [string, "null"]}
      x-gateway:
        effect: read
        legacy:
          upstream: erp
          operation: t.list
          output: "{items: items[].{id: id, region: area, n: n, note: note}, next: next}"
"""


class Permit:
    """One permit, for Cedar and for the oracle."""

    def __init__(self, chance: random.Random) -> None:
        self.role = chance.choice(("r1", "r2"))
        self.text, self.rows = chance.choice([*ROWS, ("", lambda row, who: True)])
        self.masked = set(chance.sample(MASKS, chance.choice((0, 0, 1, 2))))

    def cedar(self) -> str:
        marks = [f'@rows("{self.text}")'] if self.text else []
        marks += [f'@mask("{", ".join(sorted(self.masked))}")'] if self.masked else []
        return f'{" ".join(marks)} permit (principal in Role::"{self.role}", action == Action::"list_t", resource);'


def _seen(permits: list[Permit], who: Principal, row: Row | None) -> Row | None:
    if row is None:
        return None
    public = {"id": row["id"], "region": row["area"], "n": row["n"], "note": row["note"]}
    showing = [each for each in permits if each.role in who.roles and each.rows(public, who)]
    if not showing:
        return None
    return {name: value for name, value in public.items() if any(name not in each.masked for each in showing)}


def _row(chance: random.Random, id: int) -> Row:
    return {
        "id": id,
        "area": chance.choice(("a", "b", "c", None)),
        "n": chance.choice((0, 1, 2, 3, 4, None)),
        "note": chance.choice(("x", "y", "z", None)),
        "unsaid": str(chance.random()),
    }


def _changes(chance: random.Random) -> list[tuple[Row | None, Row | None]]:
    rows: dict[int, Row] = {}
    made: list[tuple[Row | None, Row | None]] = []
    for _ in range(CHANGES):
        id = chance.randrange(12)
        before = rows.pop(id, None)
        after = None if before is not None and chance.random() < 0.3 else _row(chance, id)
        if after is not None:
            rows[id] = after
        made.append((before, after))
    return made


def _event(number: int, before: Row | None, after: Row | None) -> Event:
    what = "insert" if before is None else "delete" if after is None else "update"
    stored = [None if row is None else orjson.dumps(row) for row in (before, after)]
    key = (before or after or {})["id"]
    return Event(number, "erp.t", f"load-1/[{key}]", what, f"[{key}]", *stored, None, 1.0)


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring.open(tmp_path_factory.mktemp("keys"), "cursor")


@pytest.mark.parametrize("count", [12, pytest.param(300, marks=pytest.mark.slow)])
def test_nobody_is_told_more_or_less_than_their_policies_show(tmp_path: Path, ring: Keyring, count: int) -> None:
    chance, told = random.Random(SEED), 0
    print(f"FIGWAY_SEED={SEED}")
    for number in range(count):
        permits = [Permit(chance) for _ in range(chance.choice((1, 2, 3)))]
        files = {
            "gateway.yaml": _GATEWAY,
            "openapi/t.yaml": _CONTRACT,
            "openapi/sources/erp/tables.yaml": _TABLES,
            "policies/access.cedar": "\n".join(each.cedar() for each in permits),
        }
        encoded = {name: text.encode() for name, text in files.items()}
        loaded = compile_workspace(
            encoded, cache=tmp_path / str(number), environment={"ERP_DSN": "Driver=SQLite3"}, strict_secrets=False
        )
        sources = sources_of(loaded.compiled, loaded.adapters)
        assert list(sources) == ["erp.t"]
        policies, changes = Policies(loaded.compiled.rules), _changes(chance)
        for who in CALLERS:
            feed = Feed(sources, policies, who, Positions(ring))
            for at, (before, after) in enumerate(changes, 1):
                document = feed.told(_event(at, before, after))
                wanted = _seen(permits, who, before), _seen(permits, who, after)
                if wanted[0] == wanted[1]:
                    assert document is None, (SEED, number, who, before, after)
                    continue
                assert document is not None, (SEED, number, who, before, after)
                assert document["data"] == {"before": wanted[0], "after": wanted[1]}
                assert set(document) == {
                    "specversion", "id", "source", "type", "time", "datacontenttype", "capturedtime", "data", "subject",
                }  # fmt: skip
                told += 1
    print(f"{count} policies, {count * len(CALLERS) * CHANGES} judgements, {told} events told")
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
