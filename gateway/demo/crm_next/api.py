"""The replacement's HTTP API."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from gateway.demo.crm_next.backfill import phone
from gateway.demo.crm_next.store import KeyReused, Store
from gateway.demo.crm_next.switch import State, Switch

Status = Literal["active", "dormant", "closed"]
Body = dict[str, Any]


class Address(BaseModel):
    """Where goods and letters go."""

    model_config = ConfigDict(extra="forbid")

    street: str
    city: str
    post_code: str
    country: str = Field(pattern="^[A-Z]{2}$")


class Changes(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", min_length=1, max_length=80)
    status: Status = "active"
    email: str | None = Field(None, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    phone: str | None = None
    credit_limit: str = Field("0.00", pattern=r"^[0-9]{1,11}(\.[0-9]{1,2})?$")
    address: Address | None = None
    favourite_sku: str | None = None


def create_app(path: Path, token: str) -> Switch:
    """The application over the store at `path`; every call under /v2 carries `Authorization: Bearer TOKEN`."""
    app = FastAPI(title="Customers", version="2", docs_url=None, redoc_url=None)
    app.include_router(_customers(Store(path), token))
    switch = Switch(app)
    app.include_router(_control(switch))
    return switch


def _control(switch: Switch) -> APIRouter:
    router = APIRouter()

    @router.get("/health")
    def health() -> Body:
        return {"status": "ok"}

    @router.get("/control")
    async def shown() -> Body:
        return switch.facts()

    @router.post("/control")
    async def changed(changes: State) -> Body:
        switch.state = switch.state.model_copy(update=changes.model_dump(exclude_unset=True))
        return switch.facts()

    return router


def _authorized(token: str) -> Callable[..., None]:
    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]) -> None:
        if given is None or not secrets.compare_digest(given.credentials, token):
            raise HTTPException(401, "the bearer token is missing or wrong", {"WWW-Authenticate": "Bearer"})

    return check


def _customers(store: Store, token: str) -> APIRouter:
    router = APIRouter(prefix="/v2", dependencies=[Depends(_authorized(token))])

    @router.get("/customers")
    def listed(
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        after: str = "",
        city: str | None = None,
        status: Status | None = None,
        name_starts_with: str | None = None,
    ) -> Body:
        items, following = store.list(limit, after, city, status, name_starts_with)
        return {"items": items, "next": following}

    @router.get("/customers/{customer_id}")
    def got(customer_id: str) -> Body:
        return _found(store.get(customer_id), f"there is no customer {customer_id}")

    @router.patch("/customers/{customer_id}")
    def patched(
        customer_id: str, changes: Changes, idempotency_key: Annotated[str | None, Header(max_length=255)] = None
    ) -> Body:
        try:
            made = store.update(customer_id, _given(changes), idempotency_key)
        except KeyReused as error:
            raise HTTPException(422, "the idempotency key was used for another change") from error
        return _found(made, f"there is no customer {customer_id}")

    @router.get("/operations/by-key/{key}")
    def operation(key: str) -> Body:
        return _found(store.operation(key), "nothing was done under this key")

    return router


def _given(changes: Changes) -> Body:
    given = changes.model_dump(exclude_unset=True)
    if given.get("address", given) is None:
        raise HTTPException(422, "an address can be replaced, not cleared")
    if "phone" in given:
        given["phone"] = phone(given["phone"])
    if "credit_limit" in given:
        given["credit_limit"] = f"{Decimal(given['credit_limit']):.2f}"
    return given


def _found(value: Body | None, otherwise: str) -> Body:
    if value is None:
        raise HTTPException(404, otherwise)
    return value
