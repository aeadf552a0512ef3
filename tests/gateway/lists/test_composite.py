"""A composite that is a list goes on where its step's page ended."""

from __future__ import annotations

from typing import Any


def test_a_composite_list_is_walked_to_its_end(world: Any) -> None:
    page = world.get("/together?limit=3").json()
    numbers = [item["id"] for item in page["items"]]
    while len(numbers) < 9:
        assert page["next"].startswith("/together?")
        page = world.get(page["next"]).json()
        numbers += [item["id"] for item in page["items"]]
    assert numbers == list(range(1, 10))


def test_a_composite_s_cursor_is_its_own(world: Any) -> None:
    following = world.get("/big?limit=3").json()["next"]
    assert world.get(following.replace("/big", "/together")).status_code == 400
