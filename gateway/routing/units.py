"""Durations and sizes as people write them: `400ms`, `5s`, `10m`, `1h`; `64KiB`, `1MiB`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")
_SIZE = re.compile(r"([0-9]{1,9})(B|KiB|MiB|GiB)")


def seconds(text: Any) -> float:
    """The duration in seconds; raises `ValueError` for what isn't a positive duration."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    value = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if value <= 0:
        raise ValueError("a duration is a positive number with a unit, such as 400ms, 5s, 10m or 1h")
    return value


def size(text: Any) -> int:
    """The size in bytes; raises `ValueError` for what isn't a positive size."""
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    value = int(match[1]) * _BYTES[match[2]] if match else 0
    if value <= 0:
        raise ValueError("a size is a positive whole number with a unit, such as 64KiB or 1MiB")
    return value


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["400ms", "5s"]}),
]
"""A config field written as `5s`, held in seconds."""

Size = Annotated[
    int,
    BeforeValidator(size),
    WithJsonSchema({"type": "string", "pattern": f"^{_SIZE.pattern}$", "examples": ["64KiB", "1MiB"]}),
]
"""A config field written as `1MiB`, held in bytes."""
