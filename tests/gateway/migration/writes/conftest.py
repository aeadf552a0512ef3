"""A workspace whose writes go to two lab upstreams, each with a journal, and a gateway at a chosen stage."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

_BODY = """
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, properties: {n: {}, first: {type: object}, then: {type: object}}}
"""
_INPUT = (
    "{{sku: {sku}, n: body.n, seconds: body.{at}.seconds, after: body.{at}.after, error: body.{at}.error, "
    "refuse: body.{at}.refuse, ignored: body.{other}}}"
)
# `first` and `then` in a body say what the side does that is asked first, or told afterwards.
_ROUTE = """
  /{name}/{{sku}}:
    {method}:
      operationId: put_{name}
      tags: [items]
      summary: A write
      parameters: [{{name: sku, in: path, required: true, schema: {{type: string}}}}]{body}
      responses:
        "200": {{description: Done., content: {{application/json: {{schema: {{type: object}}}}}}}}
      x-gateway:
        effect: {effect}
        group: {group}
        deadline: {deadline}
        legacy: {{upstream: {old}, operation: item.put, input: {legacy}}}
        replacement: {{upstream: {new}, operation: item.put, input: {replacement}}}
"""
_READ = """
    get:
      operationId: get_items
      tags: [items]
      summary: A read
      parameters: [{name: sku, in: path, required: true, schema: {type: string}}]
      responses:
        "200": {description: Done., content: {application/json: {schema: {type: object}}}}
      x-gateway:
        effect: read
        group: lab
        legacy: {upstream: old, operation: item.get, input: {sku: path.sku}}
        replacement: {upstream: new, operation: item.get, input: {sku: path.sku}}
"""


def _contract(first: str, *, kills: bool) -> str:
    def route(name: str, effect: str, old: str, new: str, deadline: str = "8s", method: str = "put") -> str:
        at = {"legacy": ("first", "then"), "replacement": ("then", "first")}[first]
        inputs = [_INPUT.format(sku="path.sku", at=at[n], other=at[1 - n]) for n in (0, 1)]
        return _ROUTE.format(
            name=name, effect=effect, old=old, new=new, deadline=deadline, method=method, body=_BODY, group="lab",
            legacy=inputs[0], replacement=inputs[1],
        )  # fmt: skip

    return (
        'openapi: 3.1.0\ninfo: {title: Lab, version: "1"}\npaths:'
        + route("items", "write", "old", "new")
        + _READ
        + route("told", "write", "old_tells", "new_tells", "8s" if kills else "1s")
        + route("again", "idempotent_write", "old", "new")
    )


def _gateway(folder: Path) -> str:
    old, new = folder / "old.txt", folder / "new.txt"
    return f"""
upstreams:
  old: {{kind: lab, label: old, journal: "{old}", concurrency: 32, deadline: 9s}}
  new: {{kind: lab, label: new, journal: "{new}", concurrency: 32, deadline: 9s}}
  old_tells: {{kind: lab, label: old, journal: "{old}", tells: true, deadline: 9s}}
  new_tells: {{kind: lab, label: new, journal: "{new}", tells: true, deadline: 9s}}
"""


def _stages(writes: str, reads: str, weight: str = "") -> str:
    return f"""
groups:
  lab:
    owner: lab
    expires: 2099-12-31
    state: replicated
    key: path.sku
    reads: {{stage: {reads}{weight}}}
    writes: {{stage: {writes}}}
"""


@dataclass
class Lab:
    """A gateway over two upstreams."""

    gateway: Any
    folder: Path

    def put(self, path: str, n: int, key: str | None = None, **said: object) -> httpx.Response:
        headers = {} if key is None else {"idempotency-key": key}
        with self.gateway.client() as client:
            return client.put(path, json={"n": n, **said}, headers=headers)

    def get(self, sku: str) -> httpx.Response:
        with self.gateway.client() as client:
            return client.get(f"/items/{sku}")

    def journal(self, side: str) -> list[dict[str, Any]]:
        """What an upstream did, in its order."""
        path = self.folder / f"{side}.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def numbers(self, side: str, sku: str) -> list[int]:
        return [each["n"] for each in self.journal(side) if each["sku"] == sku]

    def states(self) -> dict[str, str]:
        """How far the last write of each entity is that has one that isn't over, as the outbox has it."""
        return dict(self._entries())

    def state_of(self, sku: str) -> str | None:
        """How far an entity's first write is."""
        return next((state for entity, state in self._entries() if entity == sku), None)

    def _entries(self) -> list[tuple[str, str]]:
        path = self.folder / ".figway" / "outbox.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as outbox:
            return outbox.execute("SELECT entity, state FROM entries WHERE open = 1 ORDER BY sequence").fetchall()

    def until(self, done: Callable[[], bool], seconds: float = 20.0) -> None:
        """Waits until something is so."""
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, self.gateway.logged()[-3000:]
            time.sleep(0.02)


@pytest.fixture
def lab(tmp_path: Path, running: ModuleType) -> Callable[..., AbstractContextManager[Lab]]:
    """A gateway on the workspace, its group at the stages that are given; again and again in the same folder."""

    @contextmanager
    def at(
        writes: str,
        reads: str = "canary",
        *arguments: str,
        kills: bool = False,
        extra: Mapping[str, str] | None = None,
    ) -> Iterator[Lab]:
        weight = ", weight: 100" if reads == "canary" else ""
        first = "replacement" if writes in ("dual_new", "new_only") else "legacy"
        files = {
            "gateway.yaml": _gateway(tmp_path),
            "openapi/lab.yaml": _contract(first, kills=kills),
            "policies/migration.yaml": _stages(writes, reads, weight),
        }
        running.write_workspace(tmp_path, files)
        for side in ("old", "new"):
            (tmp_path / f"{side}.txt").touch()
        with running.serving(tmp_path, *arguments, extra=extra) as gateway:
            yield Lab(gateway, tmp_path)

    return at
