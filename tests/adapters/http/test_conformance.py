"""The kind `http` keeps the rules that all kinds are held to, against FastAPI behind uvicorn."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, Field

from adapters.secret import Reference
from adapters.testing import AdapterConformance, Sample, Subject

TOKEN = "a token of nobody's"
GET, LIST, POST, LOOKUP = "GET /parts/{id}", "GET /parts", "POST /parts", "GET /made/{idempotency_key}"


class Part(BaseModel):
    name: str = Field(min_length=1)


def allowed(authorization: Annotated[str | None, Header()] = None) -> None:
    if authorization != f"Bearer {TOKEN}":
        raise HTTPException(401)


def parts(made: list[str], by_key: dict[str, dict[str, Any]]) -> FastAPI:
    """Seven parts, and those that were made."""
    app = FastAPI(dependencies=[Depends(allowed)])

    @app.get("/")
    def root() -> dict[str, Any]:
        return {}

    @app.get("/parts/{id}")
    def get(id: int) -> dict[str, Any]:
        if not 1 <= id <= 7:
            raise HTTPException(404)
        return {"id": id, "name": f"Part {id}"}

    @app.get("/parts")
    def listed(limit: int = 3, offset: int = 0) -> list[dict[str, Any]]:
        return [get(id) for id in range(offset + 1, min(offset + limit, 7) + 1)]

    @app.post("/parts", status_code=201)
    def make(part: Part, idempotency_key: Annotated[str, Header()] = "") -> dict[str, Any]:
        made.append(part.name)
        return by_key.setdefault(idempotency_key, {"name": part.name})

    @app.get("/made/{key}")
    def lookup(key: str) -> dict[str, Any]:
        if key not in by_key:
            raise HTTPException(404)
        return by_key[key]

    return app


@pytest.fixture(scope="module")
def subject() -> Iterator[Subject]:
    made: list[str] = []

    def config(host: str, port: int) -> dict[str, Any]:
        return {
            "base_url": f"http://{host}:{port}",
            "auth": {"bearer": Reference(TOKEN, "env:PARTS_TOKEN")},
            "lookup": LOOKUP,
            "lists": {LIST: {"style": "offset", "limit": "limit", "position": "offset"}},
        }

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(parts(made, {}), log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield Subject(
            kind="http",
            address=listening.getsockname(),
            config=config,
            reads=[Sample(GET, {"id": 1}), Sample(GET, {"id": 2})],
            listed=Sample(LIST),
            write=lambda number: Sample(POST, {"name": f"Made {number}"}),
            written=lambda: len(made),
            missing=Sample(GET, {"id": 8}),
            invalid=Sample(POST, {"name": ""}),
        )
        server.should_exit = True
        thread.join()


class TestConformance(AdapterConformance):
    """Every rule, on `subject`."""
