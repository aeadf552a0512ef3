"""Lists of an API that pages in its own way: by cursor, offset, page number or link, read as pages of any size.

A position is `[at, skip, size]`: where the API's page begins in its own terms, how many of its items were taken, and
how many it was asked for. So a page that is larger than what is wanted is read again from where it was left.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Self, TypeAlias
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.contract import Condition, Effect, Json, ListRequest, Operation
from adapters.errors import BadReply, FieldError, Invalid
from adapters.http.template import Followed, Known

_MOST = 50
"""Requests for one page, at most: one that isn't full by then is answered as it is, with its `next`."""
_LONGEST = 4096
_OWN = frozenset({"limit", "after", "sort", "where", "rows"})
_PATH = r"^[^.\s]+(\.[^.\s]+)*$"
# RFC 8288 section 3: a target in angle brackets, and its parameters.
_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[A-Za-z*-]+\s*(?:=\s*(?:"[^"]*"|[^\s";,]+))?)*)')
_NEXT = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?![^\s;,]))', re.IGNORECASE)


class Pages(BaseModel):
    """How one operation pages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: Literal["cursor", "offset", "page", "link"] = Field(description="What leads to the next page.")
    items: str | None = Field(
        default=None,
        pattern=_PATH,
        description="Where the reply has its items, such as data.items; left out: it is the list.",
    )
    next: str | None = Field(
        default=None,
        pattern=_PATH,
        description="Where the reply has the next cursor, or the next page's address for link; left out for link: the "
        "header Link.",
    )
    total: str | None = Field(
        default=None,
        pattern=_PATH,
        description="For offset and page: where the reply has the number of all items; it saves requests.",
    )
    limit: str | None = Field(
        default=None, description="The query parameter that says how many; left out: pages have the size they have."
    )
    position: str | None = Field(
        default=None, description="The query parameter of the cursor, the offset or the page's number."
    )
    first: int = Field(default=1, ge=0, le=1, description="The number of the first page.")
    largest: int = Field(default=100, ge=1, le=10_000, description="How many items a page may be asked for.")
    sort: str | None = Field(default=None, description="The query parameter that takes -a,b.")
    filters: dict[str, str] = Field(
        default_factory=dict,
        max_length=200,
        description="What the list can be filtered by → its query parameter: city for equality, qty.ge for others.",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.style != "link" and self.position is None:
            raise ValueError(f"style {self.style} needs position, the query parameter that takes it")
        if self.style == "cursor" and self.next is None:
            raise ValueError("style cursor needs next, where the reply has the next cursor")
        if self.total is not None and self.style in ("cursor", "link"):
            raise ValueError(f"style {self.style} doesn't count: remove total")
        return self


class Page(NamedTuple):
    """One reply of the API: its JSON, and its header fields by their names in small letters."""

    body: Json
    headers: Mapping[str, str]


Fetch: TypeAlias = Callable[[Mapping[str, Json]], Awaitable[Page]]


def list_operation(known: Known, pages: Pages) -> Operation:
    """The operation as the contract describes it: a list."""
    plain = known.operation()
    filters = frozenset({*pages.filters, *known.names})
    return Operation(
        known.name,
        Effect.READ,
        plain.input,
        {},
        plain.description,
        is_list=True,
        filters=filters,
        sorts=pages.sort is not None,
    )


def unknown(described: Known | None, pages: Pages) -> Iterator[str]:
    """What the API's document doesn't say of an operation that is to be a list, in sentences."""
    if described is None:
        yield "the API's document has no such operation, or it is left out"
        return
    names = described.operation().input.get("properties", {}).get("query", {}).get("properties", {})
    named = {"limit": pages.limit, "position": pages.position, "sort": pages.sort, **pages.filters}
    for key, name in named.items():
        if name is not None and name not in names and name not in described.names:
            yield f"{key}: the API's document has no query parameter '{name}' there"


async def read(pages: Pages, known: Known, input: Mapping[str, Json], fetch: Fetch) -> dict[str, Json]:
    """One page of `ListRequest.limit` items, `{items, next}`, by as many requests as that takes."""
    request = ListRequest.of(input)
    asked = {name: value for name, value in input.items() if name not in _OWN}
    query = asked.get("query")
    asked["query"] = {**(query if isinstance(query, dict) else {}), **_question(pages, known, request, asked)}
    reading = _Reading(pages, request.limit, _opened(pages, request.after, request.limit))
    for _ in range(_MOST):
        reading.take(await fetch(reading.asking(asked)))
        if reading.done:
            break
    at = reading.at
    return {"items": reading.items, "next": None if at is None else [at.at, at.skip, at.size]}


@dataclass(slots=True)
class _At:
    """A position, taken apart."""

    at: Json
    skip: int
    size: int


@dataclass(slots=True)
class _Reading:
    """One page as it fills."""

    pages: Pages
    limit: int
    at: _At | None
    items: list[Json] = field(default_factory=list)
    done: bool = False

    def asking(self, asked: Mapping[str, Json]) -> dict[str, Json]:
        """The input of the next request."""
        pages, at = self.pages, self.at
        assert at is not None
        if pages.style == "link" and at.at is not None:
            return {**asked, "query": Followed(parse_qs(str(at.at), keep_blank_values=True))}
        if pages.style == "offset":  # one more than wanted tells whether there is more
            at.size = min(self.limit - len(self.items) + 1, pages.largest)
        query = dict(asked["query"])
        if pages.limit is not None:
            query[pages.limit] = at.size
        if pages.position is not None and at.at is not None:
            query[pages.position] = at.at
        return {**asked, "query": query}

    def take(self, page: Page) -> None:
        """Takes what is wanted of a page, and goes on behind it."""
        at = self.at
        assert at is not None
        found = _at_path(page.body, self.pages.items)
        if not isinstance(found, list):
            raise BadReply("The upstream's page has no list of items.", detail=f"items: {self.pages.items}")
        fresh, room = found[at.skip :], self.limit - len(self.items)
        self.items += fresh[:room]
        if len(fresh) > room:
            self.at, self.done = self._within(at, room), True
            return
        self.at = self._behind(at, page, len(found))
        # Cursors, links and totals tell whether there is more; elsewhere only the next page does.
        tells = self.pages.style in ("cursor", "link") or self.pages.total is not None
        self.done = self.at is None or (len(self.items) == self.limit and tells)

    def _within(self, at: _At, taken: int) -> _At:
        if self.pages.style == "offset":
            return _At(at.at + taken, 0, at.size)
        return _At(at.at, at.skip + taken, at.size)

    def _behind(self, at: _At, page: Page, count: int) -> _At | None:
        """Where the next page begins; None: there is none."""
        pages = self.pages
        if pages.style in ("cursor", "link"):
            following = _cursor(page, pages) if pages.style == "cursor" else _linked(page, pages)
            if following is not None and following == at.at:
                raise BadReply("The upstream's pages don't go on: the next one is the same.")
            return None if following is None else _At(following, 0, at.size)
        total = _total(page, pages)
        if count == 0:
            return None
        if pages.style == "offset":
            return None if total is not None and at.at + count >= total else _At(at.at + count, 0, at.size)
        # A page may be smaller than what was asked for: what the first one has is their size.
        size = count if total is not None and at.at == pages.first else at.size
        over = total is not None and (at.at - pages.first) * size + count >= total
        return None if over else _At(at.at + 1, 0, size)


def _opened(pages: Pages, after: Json, limit: int) -> _At:
    size = min(limit, pages.largest)
    if after is None:
        return _At({"offset": 0, "page": pages.first}.get(pages.style), 0, size)
    if not (isinstance(after, list) and len(after) == 3 and all(isinstance(each, int) for each in after[1:])):
        raise Invalid("The position isn't one of this list.")
    at, skip, kept = after
    if pages.style in ("offset", "page") and not isinstance(at, int):
        raise Invalid("The position isn't one of this list.")
    # Pages are counted, and left half way, at the size that they were begun with.
    return _At(at, skip, kept if pages.style == "page" or skip else size)


def _cursor(page: Page, pages: Pages) -> Json:
    found = _at_path(page.body, pages.next)
    if found in (None, "", False):
        return None
    if not isinstance(found, str | int) or len(str(found)) > _LONGEST:
        raise BadReply("The upstream's next cursor is no text or number, or too long.")
    return found


def _linked(page: Page, pages: Pages) -> str | None:
    """The query of the next page's address. The address itself isn't followed: it's the upstream's word, not ours."""
    if pages.next is None:
        header = page.headers.get("link", "")
        if len(header) > 4 * _LONGEST:
            raise BadReply("The upstream's header Link is too long.")
        links = (each for each in _LINK.finditer(header) if _NEXT.search(each[2]))
        found = next((each[1] for each in links), None)
    else:
        found = _at_path(page.body, pages.next)
    if found in (None, ""):
        return None
    try:
        query = urlsplit(str(found)).query
    except ValueError:
        query = ""
    if not isinstance(found, str) or not query or len(query) > _LONGEST:
        raise BadReply("The upstream's link to the next page has no query that could be asked.")
    return query


def _total(page: Page, pages: Pages) -> int | None:
    if pages.total is None:
        return None
    found = _at_path(page.body, pages.total)
    if isinstance(found, bool) or not isinstance(found, int):
        raise BadReply("The upstream's page doesn't say how many items there are.", detail=f"total: {pages.total}")
    return found


def _at_path(body: Json, path: str | None) -> Json:
    for name in path.split(".") if path is not None else ():
        body = body.get(name) if isinstance(body, dict) else None
    return body


# ── the question ─────────────────────────────────────────────────────────────────────────────────────────────


def _question(pages: Pages, known: Known, request: ListRequest, asked: dict[str, Json]) -> dict[str, Json]:
    """Filters and order as query parameters; a filter that names a parameter of the path goes into `asked`."""
    query: dict[str, Json] = {}
    for each in request.where:
        if each.op == "eq" and each.field in known.names:
            asked[each.field] = each.value
        else:
            query[_parameter(pages.filters, each)] = each.value
    if request.sort:
        if pages.sort is None:
            raise Invalid("The upstream's list can't be sorted.", errors=_blamed(["sort"]))
        query[pages.sort] = ",".join(request.sort)
    return query


def _parameter(filters: Mapping[str, str], condition: Condition) -> str:
    name = condition.field if condition.op == "eq" else f"{condition.field}.{condition.op}"
    if name not in filters:
        raise Invalid(f"The upstream's list can't be filtered by '{name}'.", errors=_blamed([name]))
    return filters[name]


def _blamed(names: Iterable[str]) -> tuple[FieldError, ...]:
    return tuple(FieldError(f"/{name}", "the list can't be asked by it") for name in names)
