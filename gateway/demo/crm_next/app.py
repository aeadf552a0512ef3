"""The replacement's REST interface.

    GET   /v2/customers?limit=&after=&city=&status=&namePrefix=   {"data": [customer], "nextAfter": number | null}
    GET   /v2/customers/{number}
    PATCH /v2/customers/{number}                                  a merge patch; obeys Idempotency-Key
    GET   /v2/requests/{key}                                      what was answered to an Idempotency-Key
    GET   /control?ledger=N · POST /control                       as the CRM's control, without a token
    GET   /health

Everything under /v2 needs the bearer token. Errors are {"code", "message", "fields": [{"field", "message"}]}.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse

from gateway.demo.crm_next.model import Changes
from gateway.demo.crm_next.store import Document, Entry, KeyReused, Store
from gateway.demo.crm_next.switch import Misbehaviour, Switch

Page = Annotated[int, Query(ge=1, le=200)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]
Traceparent = Annotated[str | None, Header()]
Status = Literal["active", "dormant", "closed"]


class Problem(Exception):
    """An answer other than success."""

    def __init__(self, status: int, code: str, message: str, fields: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "fields": fields or []}


def create_app(store: Store, token: str) -> FastAPI:
    """The application over a filled store."""
    app = FastAPI(title="Halden Supply customers", version="2", docs_url=None, redoc_url=None)
    switch = Switch()
    _add_customers(app, store, switch)
    _add_requests(app, store)
    _add_control(app, store, switch)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    expected = f"Bearer {token}".encode()

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        if not request.url.path.startswith("/v2/"):
            return await call_next(request)
        failure = await switch.suffer()
        if failure is not None:
            return _failed(failure)
        if not secrets.compare_digest(request.headers.get("authorization", "").encode(), expected):
            body = {"code": "unauthorized", "message": "The bearer token is missing or wrong.", "fields": []}
            return JSONResponse(body, 401, {"WWW-Authenticate": "Bearer"})
        return await call_next(request)

    return app


def _add_customers(app: FastAPI, store: Store, switch: Switch) -> None:
    @app.get("/v2/customers")
    def list_customers(
        limit: Page = 50, after: str = "", city: str | None = None, status: Status | None = None,
        namePrefix: str | None = None, traceparent: Traceparent = None,  # noqa: N803 (the wire's name)
    ) -> dict[str, Any]:  # fmt: skip
        prefix = None if namePrefix is None else namePrefix.casefold()
        given = {"city": city, "status": status, "prefix": prefix}
        found = store.customers(after, limit + 1, {name: value for name, value in given.items() if value is not None})
        store.note(Entry("list", traceparent=traceparent))
        page = found[:limit]
        return {
            "data": [_told(each, switch) for each in page],
            "nextAfter": page[-1]["number"] if len(found) > limit else None,
        }

    @app.get("/v2/customers/{number}")
    def get_customer(number: str, traceparent: Traceparent = None) -> dict[str, Any]:
        document = store.customer(number)
        store.note(Entry("get", number, None, traceparent, "not found" if document is None else "ok"))
        if document is None:
            raise _unknown(number)
        return _told(document, switch)

    @app.patch("/v2/customers/{number}")
    def change_customer(
        number: str, changes: Changes, response: Response, key: Key = None, traceparent: Traceparent = None
    ) -> dict[str, Any]:
        entry = Entry("change", number, key, traceparent)
        try:
            changed = store.change(number, changes.given(), key)
        except KeyReused:
            store.note(replace(entry, outcome="key reused"))
            raise Problem(422, "key_reused", "The Idempotency-Key was used for another change.") from None
        if changed is None:
            store.note(replace(entry, outcome="not found"))
            raise _unknown(number)
        document, repeated = changed
        store.note(replace(entry, outcome="repeated" if repeated else "changed"))
        if repeated:
            response.headers["Idempotency-Replayed"] = "true"
        return document


def _add_requests(app: FastAPI, store: Store) -> None:
    @app.get("/v2/requests/{key}")
    def get_request(key: str) -> dict[str, Any]:
        found = store.reply(key)
        if found is None:
            raise Problem(404, "unknown_key", "No change was made under this key.")
        return {"key": key, "customerNumber": found.number, "at": found.at, "customer": found.document}


def _add_control(app: FastAPI, store: Store, switch: Switch) -> None:
    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "up"}

    @app.get("/control")
    def control(ledger: Annotated[int, Query(ge=0, le=10_000)] = 20) -> dict[str, Any]:
        return switch.state.model_dump() | store.counts(ledger)

    @app.post("/control")
    async def set_control(changes: Misbehaviour) -> dict[str, Any]:
        switch.set(changes)
        return await run_in_threadpool(control)


def _told(document: Document, switch: Switch) -> Document:
    """The document as it is answered: with its balance in cents while the switch says so."""
    if not switch.state.cents:
        return document
    balance = document["balance"]
    return {**document, "balance": {**balance, "amount": str(round(Decimal(balance["amount"]) * 100))}}


def _failed(failure: str) -> Response:
    if failure == "html":
        page = "<html><body><h1>Maintenance</h1></body></html>\n"
        return HTMLResponse(page, 503, {"Retry-After": "5"})
    return Response(status_code=500)


def _unknown(number: str) -> Problem:
    return Problem(404, "unknown_customer", f"There is no customer {number}.")


def _problem(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return JSONResponse(problem.body, problem.status)


def _invalid(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, RequestValidationError)
    # The input itself isn't repeated: it may be no JSON at all.
    fields = [{"field": ".".join(map(str, each["loc"][1:])), "message": each["msg"]} for each in problem.errors()]
    return JSONResponse({"code": "invalid", "message": "The request is invalid.", "fields": fields}, 422)
