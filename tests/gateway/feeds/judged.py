"""Policies by chance, and an oracle of what they show that knows no grants."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from gateway.call import Principal

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
GATEWAY = (
    "upstreams: {erp: {kind: odbc, dsn: env:ERP_DSN, changes: {t: {method: diff, operation: t.list, key: [id]}}}}\n"
)
TABLES = """
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
CONTRACT = """
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


def seen(permits: list[Permit], who: Principal, row: Row | None) -> Row | None:
    if row is None:
        return None
    public = {"id": row["id"], "region": row["area"], "n": row["n"], "note": row["note"]}
    showing = [each for each in permits if each.role in who.roles and each.rows(public, who)]
    if not showing:
        return None
    return {name: value for name, value in public.items() if any(name not in each.masked for each in showing)}


def row(chance: random.Random, id: int) -> Row:
    return {
        "id": id,
        "area": chance.choice(("a", "b", "c", None)),
        "n": chance.choice((0, 1, 2, 3, 4, None)),
        "note": chance.choice(("x", "y", "z", None)),
        "unsaid": str(chance.random()),
    }


def changes(chance: random.Random, count: int) -> list[tuple[Row | None, Row | None]]:
    rows: dict[int, Row] = {}
    made: list[tuple[Row | None, Row | None]] = []
    for _ in range(count):
        id = chance.randrange(12)
        before = rows.pop(id, None)
        after = None if before is not None and chance.random() < 0.3 else row(chance, id)
        if after is not None:
            rows[id] = after
        made.append((before, after))
    return made


def permits_of(chance: random.Random) -> list[Permit]:
    """One to three permits."""
    return [Permit(chance) for _ in range(chance.choice((1, 2, 3)))]


def files(permits: list[Permit]) -> dict[str, str]:
    """A workspace of one captured table with these permits."""
    return {
        "gateway.yaml": GATEWAY,
        "openapi/t.yaml": CONTRACT,
        "openapi/sources/erp/tables.yaml": TABLES,
        "policies/access.cedar": "\n".join(each.cedar() for each in permits),
    }
