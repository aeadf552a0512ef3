"""`figway cache purge`, beside a running gateway and through it."""

from __future__ import annotations

import json
from itertools import count
from types import ModuleType
from typing import Any

import pytest

_fresh = count()


def _read(shop: Any, *skus: str) -> list[int]:
    """How often the lab was asked for each, behind reads by both workers."""
    for sku in skus:
        for _ in range(8):
            with shop.client(shop.running.reader) as client:
                assert client.get(f"/items/{sku}").status_code == 200
    return [shop.asked(sku) for sku in skus]


@pytest.mark.parametrize("how", ["host", "server"])
def test_what_is_let_go_is_asked_again(shop: Any, running: ModuleType, how: str) -> None:
    one, other = f"P{next(_fresh)}", f"P{next(_fresh)}"
    at = ("--workspace", str(shop.running.folder)) if how == "host" else ("--server", shop.running.url)
    extra = {"FIGWAY_TOKEN": shop.running.writer}
    before = _read(shop, one, other)
    done = running.figway("cache", "purge", "--group", "items", "--entity", f"sku={one}", *at, "--json", extra=extra)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"purged": "items", "entity": {"sku": one}}
    after = _read(shop, one, other)
    assert after[0] > before[0]
    assert after[1] <= max(before[1], 2)
    running.figway("cache", "purge", *at, extra=extra, check=True)
    assert all(new > old for new, old in zip(_read(shop, one, other), after, strict=True))


@pytest.mark.parametrize("arguments", [("--group", "none"), ("--group", "items", "--entity", "colour=red")])
@pytest.mark.parametrize("how", ["host", "server"])
def test_what_isnt_there_is_told(shop: Any, running: ModuleType, how: str, arguments: tuple[str, ...]) -> None:
    at = ("--workspace", str(shop.running.folder)) if how == "host" else ("--server", shop.running.url)
    done = running.figway("cache", "purge", *arguments, *at, extra={"FIGWAY_TOKEN": shop.running.writer})
    assert done.returncode == 1
    assert arguments[-1].partition("=")[0] in done.stderr


def test_an_entity_is_of_a_group(shop: Any, running: ModuleType) -> None:
    done = running.figway("cache", "purge", "--entity", "sku=1", "--workspace", str(shop.running.folder))
    assert done.returncode == 2


def test_only_who_administers_may(shop: Any) -> None:
    with shop.client(shop.running.reader) as client:
        assert client.post("/-/admin/cache/purge", json={}).status_code == 403
