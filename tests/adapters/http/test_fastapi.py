"""The adapter against a replacement as teams write them: FastAPI behind uvicorn."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
import uvicorn
from fastapi import FastAPI, Header, HTTPException, Query
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, Field

from adapters.contract import Context
from adapters.errors import Conflict, FieldError, Invalid, NotFound, Refused
from adapters.secret import Reference


class Patch(BaseModel):
    email: str = Field(pattern=".+@.+")
    tags: list[int] = []


def replacement() -> FastAPI:
    """Customer 1 at version 3; every write is remembered by its idempotency key."""
    app, done = FastAPI(), {}

    def allowed(authorization: str | None) -> None:
        if authorization != "Bearer token":
            raise HTTPException(401)

    @app.get("/v2/customers/{id}")
    async def get(id: str, authorization: Annotated[str | None, Header()] = None) -> dict[str, Any]:
        allowed(authorization)
        if id != "1/a":
            raise HTTPException(404)
        return {"id": id, "balance": "12.50"}

    @app.get("/v2/customers")
    async def listed(city: str, limit: int = 50) -> dict[str, Any]:
        return {"city": city, "limit": limit}

    @app.patch("/v2/customers")
    async def patch(
        body: Patch, if_match: Annotated[str, Header()], idempotency_key: Annotated[str, Header()]
    ) -> dict[str, Any]:
        if if_match != "3":
            raise HTTPException(412)
        done[idempotency_key] = body.model_dump()
        return done[idempotency_key]

    @app.get("/by-key/{key}")
    async def by_key(key: str) -> dict[str, Any]:
        if key not in done:
            raise HTTPException(404)
        return done[key]

    # uvicorn gives the path decoded: an encoded slash reaches only a route that takes paths.
    app.router.add_api_route("/v2/customers/{id:path}", get)
    return app


class Item(BaseModel):
    name: str = Field(max_length=5)
    parts: list[Item] = []


def described() -> FastAPI:
    """Answers what it was given, in several media types; FastAPI writes its document."""
    app = FastAPI()

    @app.get("/items/{item_id}", operation_id="get_item")
    async def get(
        item_id: int, tag: Annotated[list[str], Query()], x_note: Annotated[str | None, Header()] = None
    ) -> dict[str, Any]:
        return {"id": item_id, "tags": tag, "note": x_note}

    @app.put("/items/{item_id}", operation_id="put_item")
    async def put(item_id: int, item: Item) -> Item:
        return item

    @app.delete("/items/{item_id}", operation_id="drop_item", status_code=204)
    async def drop(item_id: int) -> None:
        return None

    @app.get("/items/{item_id}/sheet", operation_id="sheet", response_class=Response, responses={200: PDF})
    async def sheet(item_id: int) -> Response:
        return Response(bytes(range(item_id)), media_type="application/pdf")

    @app.get("/items/{item_id}/label", operation_id="label", response_class=PlainTextResponse)
    async def label(item_id: int) -> str:
        return f"Nº {item_id}"

    return app


PDF: dict[str, Any] = {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}


@contextlib.asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve([listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with served(replacement()) as url:
        yield url


async def test_a_replacement(built: Any, url: str, context: Context) -> None:
    auth = {"bearer": Reference("token", "env:TOKEN")}
    next_ = built(base_url=url, auth=auth, lookup="GET /by-key/{idempotency_key}")
    read, write = "GET /v2/customers/{id}", "PATCH /v2/customers"
    assert (await next_.invoke(read, {"id": "1/a"}, context)).value == {"id": "1/a", "balance": "12.50"}
    found = await next_.invoke("GET /v2/customers", {"city": "Köln", "query": {"limit": 5}}, context)
    assert found.value == {"city": "Köln", "limit": 5}
    with pytest.raises(NotFound):
        await next_.invoke(read, {"id": "2"}, context)
    with pytest.raises(Refused):
        await built(base_url=url).invoke(read, {"id": "1/a"}, context)

    assert await next_.lookup(write, "key-1", context) is None
    with pytest.raises(Conflict):
        await next_.invoke(write, {"email": "a@b", "header": {"If-Match": "2"}}, context)
    with pytest.raises(Invalid) as caught:
        await next_.invoke(write, {"email": "no", "tags": [1, "x"], "header": {"If-Match": "3"}}, context)
    assert [error.pointer for error in caught.value.errors] == ["/email", "/tags/1"]
    assert all(isinstance(error, FieldError) and error.message for error in caught.value.errors)
    written = await next_.invoke(write, {"email": "a@b", "header": {"If-Match": "3"}}, context)
    assert written.value == {"email": "a@b", "tags": []}
    assert (await next_.lookup(write, "key-1", context)).value == written.value


async def test_what_fastapi_says_of_itself_can_be_called(built: Any, context: Context) -> None:
    app, path = described(), "openapi/sources/next/api.json"
    async with served(app) as url:
        next_ = built({path: json.dumps(app.openapi()).encode()}, base_url=url, openapi=path)
        assert next_.left_out == {}
        assert set(next_.operations()) == {"get_item", "put_item", "drop_item", "sheet", "label"}

        async def value(operation: str, **input: Any) -> Any:
            return (await next_.invoke(operation, {"item_id": 7, **input}, context)).value

        found = await value("get_item", query={"tag": ["a&b", "c"]}, header={"x-note": "hello"})
        assert found == {"id": 7, "tags": ["a&b", "c"], "note": "hello"}
        item = {"name": "a", "parts": [{"name": "b", "parts": []}]}
        assert await value("put_item", body=item) == item
        assert await value("drop_item") is None
        assert base64.b64decode(await value("sheet")) == bytes(range(7))
        assert await value("label") == "Nº 7"
        for wrong in ({"body": {"name": "too long"}}, {"body": {"parts": []}}, {"item_id": "x", "body": item}):
            with pytest.raises(Invalid):
                await value("put_item", **wrong)
