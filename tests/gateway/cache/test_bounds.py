"""What callers say of the age that they accept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.cache.bounds import ANY, ANY_STALE, Bounds, bounds_of, too_old
from gateway.errors import BadRequest


@pytest.mark.parametrize("header", [None, b"", b" , ,"])
def test_who_says_nothing_accepts_what_the_route_keeps(header: bytes | None) -> None:
    assert bounds_of(header) is ANY


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"max-age=60", {"max_age": 60}),
        (b'Max-Age="60" , max-stale', {"max_age": 60, "max_stale": ANY_STALE}),
        (b"max-stale=5", {"max_stale": 5}),
        (b"no-cache", {"now": True}),
        (b"no-store", {"stores": False}),
        (b"only-if-cached, max-age=99999999999999999999", {"asks": False, "max_age": ANY_STALE}),
        (b"no-transform, x=y", {}),
    ],
)
def test_each_directive_is_read(header: bytes, said: dict[str, object]) -> None:
    bounds = bounds_of(header)
    assert bounds.arrived > 0
    assert bounds == Bounds(arrived=bounds.arrived, since=bounds.since)._replace(**said)


@pytest.mark.parametrize(
    "header", [b"max-age", b"max-age=-1", b"max-age=1.5", b"max-age=\xb2", b"max-stale=x", b"max-age=1," * 40]
)
def test_a_number_that_is_none_is_refused(header: bytes) -> None:
    with pytest.raises(BadRequest):
        bounds_of(header)


def test_age_is_counted_up_to_the_calls_arrival() -> None:
    bounds = bounds_of(b"max-age=10, max-stale=5")
    assert bounds.since is not None
    for seconds, wants, takes in (
        (-3, True, True),
        (10, True, True),
        (11, False, True),
        (15, False, True),
        (16, False, False),
    ):
        as_of = bounds.since - timedelta(seconds=seconds)
        assert (bounds.wants(as_of), bounds.takes(as_of)) == (wants, takes)


def test_what_is_too_old_says_how_old_it_is() -> None:
    bounds = bounds_of(b"max-age=60")
    assert bounds.since is not None
    problem = too_old(bounds, bounds.since - timedelta(hours=8))
    assert (problem.status, problem.slug) == (504, "stale")
    assert "28800 s ago" in problem.detail
    assert "60 s" in problem.detail
    assert dict(problem.headers)[b"age"] == b"28800"
