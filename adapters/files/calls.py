"""What a call asks for, and waiting for what a thread does for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from adapters.contract import Context, Json, ListRequest
from adapters.errors import FieldError, Invalid
from adapters.files.content import Changed
from adapters.files.dataset import Description
from adapters.files.formats import FieldType
from adapters.files.generation import Found, Generation
from adapters.files.values import given

_T = TypeVar("_T")


def with_value(found: Found | None) -> tuple[Found | None, Json]:
    """A record and its value; None where there is none to be had."""
    if found is not None and found.bad is None:
        with suppress(Changed):
            return found, found.part.value(found.ordinal)
    return found, None


def key_of(description: Description, input: Mapping[str, Json]) -> Json:
    """The key that a `get` asks for; raises `Invalid`."""
    name = description.key_name
    try:
        return given(input.get(name), description.key_type)
    except ValueError as error:
        raise Invalid("the key can't be used", errors=[FieldError(f"/{name}", str(error))]) from None


def within(context: Context) -> asyncio.Timeout:
    """Ends what it is around by the deadline; raises `TimeoutError` at once where that has passed, as an answer from
    memory never waits."""
    if not context.remaining():
        raise TimeoutError
    return asyncio.timeout(context.remaining())


def request_of(input: Mapping[str, Json]) -> ListRequest:
    """What a list asks for; raises `Invalid`."""
    try:
        return ListRequest.of(input)
    except TypeError:
        raise Invalid("a condition of a list is a field, an operator and a value") from None


def fields_of(description: Description, generation: Generation) -> dict[str, FieldType]:
    """What a list can be filtered and sorted by."""
    known = description.format.fields or {}
    return {description.config.key: description.key_type, **generation.fields(), **known}


def awaited(work: Future[_T]) -> asyncio.Future[_T]:
    """The work of a thread as a future whose failure counts as seen, also when nobody waits any more."""
    future = asyncio.wrap_future(work)
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future
