"""Durations and sizes."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.routing.units import seconds, size


@pytest.mark.parametrize(
    ("text", "expected"), [("400ms", 0.4), ("5s", 5.0), ("1.5s", 1.5), ("10m", 600.0), ("1h", 3600.0), ("2d", 172800.0)]
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["5", "0s", "-5s", "5 s", "5S", "٥s", "5sec", "", "1e3s", 5, None, True])
def test_no_durations(text: Any) -> None:
    with pytest.raises(ValueError, match="a duration is"):
        seconds(text)


@pytest.mark.parametrize(("text", "expected"), [("1MiB", 1_048_576), ("64KiB", 65_536), ("512B", 512), ("2GiB", 2**31)])
def test_sizes(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["1MB", "0B", "1.5MiB", "1 MiB", "", 5, None])
def test_no_sizes(text: Any) -> None:
    with pytest.raises(ValueError, match="a size is"):
        size(text)
