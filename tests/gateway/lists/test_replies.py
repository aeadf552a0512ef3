"""Replies that are too large are cut to whole items; replies that are known needn't be sent again."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_page_over_the_bound_has_the_items_that_fit(world: Any) -> None:
    response = world.get("/big?limit=200")
    page = response.json()
    assert len(response.content) <= 64 * 1024
    assert 50 < len(page["items"]) < 64
    assert page["next"] is not None
    numbers: list[int] = []
    following = "/big?limit=200"
    while len(numbers) < 500:
        page = world.get(following).json()
        numbers += [item["id"] for item in page["items"]]
        following = page["next"]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", ["/articles?limit=3", "/articles/S00003", "/stock?limit=1"])
def test_what_is_known_isnt_sent_again(world: Any, path: str) -> None:
    first = world.get(path)
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    assert world.get(path).headers["etag"] == tag
    for known in (tag, tag[2:], f'"else", {tag}', "*"):
        again = world.get(path, **{"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert "content-type" not in again.headers
    other = world.get(path, **{"if-none-match": '"else"'})
    assert (other.status_code, other.content) == (200, first.content)
    assert world.audited(again.headers["figway-lineage"])["status"] == 304


def test_another_reply_has_another_tag(world: Any) -> None:
    tags = {world.get(path).headers["etag"] for path in ("/articles/S00003", "/articles/S00004")}
    tags |= {
        world.get("/articles/S00003?fields=sku").headers["etag"],
        world.get("/articles/S00003", "masked").headers["etag"],
    }
    assert len(tags) == 4
    assert "etag" not in world.get("/articles/nothing").headers
