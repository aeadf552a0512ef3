"""Lists of APIs that page in their own ways: each item once, in order, whatever the sizes of either's pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Json
from adapters.errors import BadReply, Invalid
from adapters.http.pages import Page, Pages, read
from adapters.http.template import template

KNOWN = template("GET /v2/towns/{town}/people")
assert KNOWN is not None
STYLES: dict[str, dict[str, Any]] = {
    "cursor": {"style": "cursor", "items": "data", "next": "meta.next", "limit": "size", "position": "after"},
    "offset": {"style": "offset", "items": "data", "limit": "size", "position": "start"},
    "offset counted": {"style": "offset", "items": "data", "limit": "size", "position": "start", "total": "meta.total"},
    "page": {"style": "page", "items": "data", "limit": "size", "position": "page"},
    "page from 0": {"style": "page", "items": "data", "limit": "size", "position": "page", "first": 0},
    "page counted": {"style": "page", "items": "data", "limit": "size", "position": "page", "total": "meta.total"},
    "page of fixed size": {"style": "page", "items": "data", "position": "page", "total": "meta.total"},
    "link": {"style": "link", "limit": "size"},
    "link in the body": {"style": "link", "items": "data", "next": "meta.next", "limit": "size"},
}


class Api:
    """An API with `count` items whose pages hold `most` at most, whatever is asked for."""

    def __init__(self, pages: Pages, count: int, most: int) -> None:
        self.pages, self.count, self.most = pages, count, most
        self.requests = 0

    async def __call__(self, asked: Mapping[str, Json]) -> Page:
        self.requests += 1
        query = {name: value[0] if isinstance(value, list) else value for name, value in asked["query"].items()}
        size = min(int(query.get("size", self.most)), self.most)
        start = {
            "cursor": int(query.get("after", "c0")[1:]),
            "offset": int(query.get("start", 0)),
            "link": int(query.get("from", 0)),
            "page": (int(query.get("page", self.pages.first)) - self.pages.first) * size,
        }[self.pages.style]
        end = min(start + size, self.count)
        more = end < self.count
        headers, following = {}, None
        if more and self.pages.style == "cursor":
            following = f"c{end}"
        if more and self.pages.style == "link":
            following = f"https://elsewhere.example/people?from={end}&size={size}"
            headers["link"] = f'</>; rel="first", <{following}>; title="a, b"; rel="next last"'
        items = list(range(start, max(start, end)))
        return Page(
            items if self.pages.items is None else {"data": items, "meta": {"next": following, "total": self.count}},
            headers,
        )


async def whole(api: Api, limits: list[int]) -> tuple[list[int], list[int]]:
    """All items, and the sizes of the pages; `limits` are asked for in turn."""
    found: list[int] = []
    sizes, after, turn = [], None, 0
    while turn == 0 or after is not None:
        limit = limits[turn % len(limits)]
        answer = await read(api.pages, KNOWN, {"limit": limit, "after": after, "town": "x"}, api)
        assert len(answer["items"]) <= limit
        found += answer["items"]
        sizes.append(len(answer["items"]))
        after, turn = json.loads(json.dumps(answer["next"])), turn + 1
        assert turn < 500
    return found, sizes


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(STYLES)),
    st.integers(0, 40),
    st.integers(1, 12),
    st.integers(1, 12),
    st.lists(st.integers(1, 15), min_size=1, max_size=3),
)
def test_each_item_comes_once_and_in_order(style: str, count: int, largest: int, most: int, limits: list[int]) -> None:
    api = Api(Pages(**STYLES[style], largest=largest), count, most)
    found, sizes = asyncio.run(whole(api, limits))
    assert found == list(range(count))
    # Every page but the last is full, and only an empty list has an empty page.
    assert all(size == limits[turn % len(limits)] for turn, size in enumerate(sizes[:-1]))
    assert sizes[-1] > 0 or count == 0


@pytest.mark.parametrize("style", [name for name in STYLES if name != "page" and name != "page from 0"])
async def test_a_full_page_costs_one_request(style: str) -> None:
    api = Api(Pages(**STYLES[style], largest=50), 30, 10 if "fixed" in style else 50)
    answer = await read(api.pages, KNOWN, {"limit": 10, "town": "x"}, api)
    assert (answer["items"], api.requests) == (list(range(10)), 1)
    assert answer["next"] is not None


async def test_no_more_requests_are_made_for_a_page_than_the_bound() -> None:
    api = Api(Pages(**STYLES["cursor"]), 1000, 2)
    answer = await read(api.pages, KNOWN, {"limit": 500, "town": "x"}, api)
    assert (len(answer["items"]), api.requests) == (100, 50)
    rest = await read(api.pages, KNOWN, {"limit": 1, "after": answer["next"], "town": "x"}, api)
    assert rest["items"] == [100]


async def test_filters_order_and_the_path_reach_the_api() -> None:
    asked: list[Any] = []

    async def api(input: Mapping[str, Json]) -> Page:
        asked.append(input)
        return Page({"data": [], "meta": {"next": None}}, {})

    pages = Pages(**STYLES["cursor"], sort="order", filters={"name": "name", "since.ge": "from"})
    where = [["town", "eq", "Ely"], ["name", "eq", "Ann"], ["since", "ge", "2026-01-01"]]
    input = {"limit": 5, "sort": ["-since", "name"], "where": where, "query": {"lang": "en"}, "header": {"X-A": "b"}}
    await read(pages, KNOWN, input, api)
    query = {"lang": "en", "name": "Ann", "from": "2026-01-01", "order": "-since,name", "size": 5}
    assert asked == [{"query": query, "header": {"X-A": "b"}, "town": "Ely"}]
    for question in ({"where": [["name", "like", "A%"]]}, {"where": [["age", "eq", 3]]}):
        with pytest.raises(Invalid, match="can't be filtered by"):
            await read(pages, KNOWN, {"limit": 5, **question}, api)
    with pytest.raises(Invalid, match="can't be sorted"):
        await read(Pages(**STYLES["cursor"]), KNOWN, {"limit": 5, "sort": ["name"]}, api)


@pytest.mark.parametrize(
    ("style", "body", "headers"),
    [
        ("cursor", {"data": None}, {}),
        ("cursor", [], {}),
        ("cursor", {"data": [1], "meta": {"next": {"a": 1}}}, {}),
        ("cursor", {"data": [1], "meta": {"next": "x" * 5000}}, {}),
        ("offset counted", {"data": [1], "meta": {"total": "7"}}, {}),
        ("link", [1], {"link": '<https://elsewhere.example/people>; rel="next"'}),
        ("link", [1], {"link": f"</?a={'a' * 4095}>; rel=next"}),
        ("link in the body", {"data": [1], "meta": {"next": "http://[/?a=1"}}, {}),
    ],
    ids=["no list", "another list", "odd cursor", "long cursor", "odd total", "no query", "long query", "no address"],
)
async def test_an_api_that_pages_otherwise_is_told(style: str, body: Any, headers: dict[str, str]) -> None:
    async def api(input: Mapping[str, Json]) -> Page:
        return Page(body, headers)

    with pytest.raises(BadReply):
        await read(Pages(**STYLES[style]), KNOWN, {"limit": 1, "town": "x"}, api)


async def test_pages_that_do_not_go_on_are_told() -> None:
    async def api(input: Mapping[str, Json]) -> Page:
        return Page({"data": [1], "meta": {"next": "same"}}, {})

    with pytest.raises(BadReply, match="don't go on"):
        await read(Pages(**STYLES["cursor"]), KNOWN, {"limit": 9, "town": "x"}, api)


@pytest.mark.parametrize("after", [7, [1], ["x", 0, "a"], [None, None, None]])
async def test_a_position_of_something_else_is_refused(after: Any) -> None:
    with pytest.raises(Invalid):
        await read(Pages(**STYLES["page"]), KNOWN, {"limit": 9, "after": after}, Api(Pages(**STYLES["page"]), 3, 3))


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"style": "cursor", "next": "next"}, "needs position"),
        ({"style": "cursor", "position": "after"}, "needs next"),
        ({"style": "link", "total": "total"}, "doesn't count"),
        ({"style": "other"}, "style"),
    ],
)
def test_what_makes_no_sense_is_refused(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Pages(**config)
