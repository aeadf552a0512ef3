"""All of a list, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from adapters.contract import Context, Json, Result
from adapters.errors import FieldError, Invalid, Retry, UnknownOutcome
from adapters.files.calls import request_of
from adapters.files.content import Changed
from adapters.files.formats import FieldType
from adapters.files.query import MAX_LIMIT, Query

PageOf: TypeAlias = Callable[[Query], Awaitable[Result]]
"""What reads a page of the generation that the list began with."""


class Pages:
    """The queries that are asked of one generation, one behind the other, until `limit` items were read or there is no
    more; without a limit, until there is no more. Raises `Invalid`."""

    def __init__(self, input: Mapping[str, Json], fields: Mapping[str, FieldType], key: str) -> None:
        limit = input.get("limit")
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise Invalid("the list can't be asked for like that", errors=[FieldError("/limit", "must be 1 or more")])
        self._input = dict(input)
        self._fields = fields
        self._key = key
        self._left: int | None = limit
        self._done = False

    def next(self) -> Query | None:
        """The next page's query."""
        if self._done:
            return None
        count = MAX_LIMIT if self._left is None else min(MAX_LIMIT, self._left)
        return Query(request_of({**self._input, "limit": count}), self._fields, self._key)

    def read(self, page: Mapping[str, Json]) -> None:
        """Tells what the last query answered."""
        self._input["after"] = page["next"]
        if self._left is not None:
            self._left -= len(page["items"])
        self._done = page["next"] is None or self._left == 0


async def batches(
    begin: Callable[[], Awaitable[tuple[Pages, PageOf]]], name: str, context: Context
) -> AsyncGenerator[Sequence[Json], None]:
    """The items of each page, the next one read when it is asked for."""
    try:
        async with asyncio.timeout(context.remaining()):
            pages, page_of = await begin()
        while (query := pages.next()) is not None:
            async with asyncio.timeout(context.remaining()):
                page = (await page_of(query)).value
            if page["items"]:
                yield page["items"]
            pages.read(page)
    except TimeoutError:
        raise UnknownOutcome(f"{name} didn't answer in time") from None
    except Changed:
        raise Retry(f"a file of {name} is being rewritten", retry_after=1.0) from None
