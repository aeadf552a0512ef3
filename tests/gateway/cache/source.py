"""A system in this process whose every change is known, and a gateway over it that is called without sockets."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from adapters import errors
from adapters.contract import COMPARISONS, Context, Effect, Json, Kind, ListRequest, Operation, Probe, Result, Source
from gateway.app import Application
from gateway.settings import Settings

_ROW = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "region": {"type": "string"},
        "name": {"type": "string"},
        "version": {"type": "integer"},
    },
}
_PAGE = {"type": "object", "properties": {"items": {"type": "array", "items": _ROW}, "next": {}}}


@dataclass
class World:
    """Rows by id, and until when (seconds since the epoch) each of their versions was true."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: dict[tuple[str, int], float] = field(default_factory=dict)
    captured: tuple[datetime, dict[str, dict[str, Any]]] = (datetime.fromtimestamp(0, UTC), {})
    failing: bool = False
    hanging: bool = False
    slowest: float = 0.0
    hung: int = 0
    """So many of the next reads never answer."""
    gate: asyncio.Event | None = None
    """Reads wait for it."""
    asked: int = 0
    chance: random.Random = field(default_factory=random.Random)

    def change(self, id: str, **members: Any) -> int:
        """Makes another version of a row; its number."""
        row = self.rows[id]
        self.ended[id, row["version"]] = time.time()
        self.rows[id] = {**row, **members, "version": row["version"] + 1}
        return int(self.rows[id]["version"])

    def capture(self) -> None:
        """Takes the copy that the nightly batch answers from."""
        self.captured = (datetime.now(UTC), dict(self.rows))

    def until(self, id: str, version: int) -> float:
        """Until when that version was true; for the last one, now."""
        return self.ended.get((id, version), time.time())


_HEAD = """
openapi: 3.1.0
info: {title: Papers, version: "1"}
components:
  schemas:
    Doc:
      type: object
      required: [id, version]
      properties: {id: {type: string}, region: {type: string}, name: {type: string}, version: {type: integer}}
  responses:
    Doc: {description: One., content: {application/json: {schema: {$ref: "#/components/schemas/Doc"}}}}
    Both: {description: Both., content: {application/json: {schema: {type: object}}}}
    Docs:
      description: A page.
      content:
        application/json:
          schema:
            type: object
            properties:
              items: {type: array, items: {$ref: "#/components/schemas/Doc"}}
              next: {type: [string, "null"]}
  parameters:
    limit: {name: limit, in: query, schema: {type: integer}}
    cursor: {name: cursor, in: query, schema: {type: string}}
    id: {name: id, in: path, required: true, schema: {type: string}}
paths:
"""
_LIST = """
  /{path}:
    get:
      operationId: list_{path}
      tags: [docs]
      parameters: [{{$ref: "#/components/parameters/limit"}}, {{$ref: "#/components/parameters/cursor"}}]
      responses: {{"200": {{$ref: "#/components/responses/Docs"}}}}
      x-gateway: {{effect: read, freshness: {freshness}, legacy: {{upstream: source, operation: doc.list{input}}}}}
"""
_GET = """
  /{path}/{{id}}:
    get:
      operationId: get_{path}
      tags: [docs]
      parameters: [{{$ref: "#/components/parameters/id"}}]
      responses: {{"200": {{$ref: "#/components/responses/Doc"}}}}
      x-gateway: {{effect: read, freshness: {freshness}, legacy: {{upstream: source, operation: {operation}}}}}
"""
_REST = """
    put:
      operationId: put_paper
      tags: [docs]
      parameters: [{$ref: "#/components/parameters/id"}]
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, properties: {name: {type: string}}}}}
      responses: {"200": {$ref: "#/components/responses/Doc"}}
      x-gateway: {effect: idempotent_write, legacy: {upstream: source, operation: doc.put}}
  /both/{id}:
    get:
      operationId: get_both
      tags: [whole]
      parameters: [{$ref: "#/components/parameters/id"}]
      responses: {"200": {$ref: "#/components/responses/Both"}}
      x-gateway:
        effect: read
        compose:
          steps:
            one: {route: get_papers, input: {id: path.id}}
            batch: {route: get_batch, input: {id: path.id}}
          output: "{one: one, batch: batch}"
"""


def contract(freshness: str) -> str:
    """Routes of that freshness: the lists papers and plain (which the gateway narrows by itself), papers, batch and
    who by id; live is live, both is a composite of papers and batch."""
    own = ", input: {limit: list.limit, after: list.after}"
    lists = [
        _LIST.format(path=path, freshness=freshness, input=input) for path, input in (("papers", ""), ("plain", own))
    ]
    kinds = (("batch", "batch.get"), ("who", "who.get"), ("live", "doc.get"), ("papers", "doc.get"))
    gets = [
        _GET.format(path=path, operation=operation, freshness="{mode: live}" if path == "live" else freshness)
        for path, operation in kinds
    ]
    return _HEAD + "".join(lists + gets).replace("\n\n", "\n") + _REST


class Config(BaseModel):
    """Nothing to say."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceAdapter:
    """Answers from the world."""

    world = World()

    def __init__(self, name: str) -> None:
        self.name = name

    def operations(self) -> Mapping[str, Operation]:
        get = {"type": "object", "properties": {"id": {"type": "string"}}}
        return {
            "doc.get": Operation("doc.get", Effect.READ, get, _ROW),
            "doc.list": Operation("doc.list", Effect.READ, {"type": "object"}, _PAGE, is_list=True, filters_rows=True),
            "doc.put": Operation("doc.put", Effect.IDEMPOTENT_WRITE, {"type": "object"}, _ROW),
            "batch.get": Operation("batch.get", Effect.READ, get, _ROW),
            "who.get": Operation("who.get", Effect.READ, get, _ROW),
        }

    def reads_caller(self, operation: str) -> bool:
        return operation == "who.get"

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def probe(self, context: Context) -> Probe:
        return Probe(True, "here", 0.0)

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        world = self.world
        world.asked += 1
        before, after = (world.chance.random() * world.slowest for _ in range(2))
        if before:
            await asyncio.sleep(before)
        if operation != "doc.put":
            if world.gate is not None:
                await world.gate.wait()
            if world.hung or world.hanging:
                world.hung = max(0, world.hung - 1)
                await asyncio.sleep(context.remaining())
                raise errors.UnknownOutcome("The source didn't answer.")
            if world.failing:
                raise errors.Unavailable("The source is away.")
        value, as_of = self._value(operation, input, context)
        if after:
            await asyncio.sleep(after)
        as_of = as_of or datetime.now(UTC)  # too late, as a careless adapter has it
        return Result(value, as_of, (Source(self.name, operation, as_of=as_of),))

    def _value(self, operation: str, input: Mapping[str, Json], context: Context) -> tuple[Json, datetime | None]:
        world = self.world
        if operation == "doc.put":
            world.change(input["id"], name=input["name"])
            return dict(world.rows[input["id"]]), None
        if operation == "doc.list":
            return self._listed(ListRequest.of(input)), None
        as_of, rows = world.captured if operation == "batch.get" else (None, world.rows)
        if input["id"] not in rows:
            raise errors.NotFound("There is no such document.")
        row = dict(rows[input["id"]])
        return ({**row, "name": context.principal} if operation == "who.get" else row), as_of

    def _listed(self, request: ListRequest) -> Json:
        rows = [dict(row) for _, row in sorted(self.world.rows.items())]
        if request.rows is not None:
            rows = [row for row in rows if any(_holds(row, group) for group in request.rows)]
        start = int(request.after or 0)
        end = start + request.limit
        return {"items": rows[start:end], "next": end if end < len(rows) else None}


def _holds(row: Mapping[str, Any], group: Any) -> bool:
    return all(COMPARISONS[each.op](row[each.field], each.value) for each in group)


KIND = Kind("source", Config, lambda name, _, __: SourceAdapter(name))


class Answer(NamedTuple):
    """What the gateway answered to one call."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Inside:
    """A gateway in this process."""

    app: Application
    calls: int = 0
    hits: int = 0

    async def call(self, method: str, path: str, key: str, cache: str = "", body: Any = None) -> Answer:
        """Makes a call as the server would hand it over."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = [(b"host", b"here"), (b"authorization", key.encode())]
        headers += [(b"cache-control", cache.encode())] if cache else []
        headers += (
            [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))] if content else []
        )
        plain, _, query = path.partition("?")
        scope = {"type": "http", "http_version": "1.1", "method": method, "path": plain, "root_path": ""}
        scope |= {"raw_path": quote(plain).encode(), "query_string": query.encode(), "headers": headers}
        sent: list[Any] = []
        given = [{"type": "http.request", "body": content, "more_body": False}]

        async def receive() -> Any:
            return given.pop() if given else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app({**scope, "client": ("127.0.0.1", 1)}, receive, send)
        text = b"".join(each.get("body", b"") for each in sent[1:])
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        self.calls += 1
        self.hits += "; hit" in told.get("cache-status", "")
        return Answer(sent[0]["status"], told, json.loads(text) if text else None)


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Inside]:
    """The gateway of a workspace, started in this process's event loop."""
    app = Application(folder, Settings.from_environment({}))
    inbox: asyncio.Queue[Any] = asyncio.Queue()
    told: asyncio.Queue[Any] = asyncio.Queue()
    await inbox.put({"type": "lifespan.startup"})
    task = asyncio.create_task(app({"type": "lifespan"}, inbox.get, told.put))
    first = await told.get()
    assert first["type"] == "lifespan.startup.complete", first
    try:
        yield Inside(app)
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        await task
