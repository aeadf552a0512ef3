"""Numbers as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0.

Both are at https://github.com/prometheus/docs/blob/main/docs/instrumenting/exposition_formats.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from gateway.telemetry.cells import Numbers, Total
from gateway.telemetry.families import BOUNDS, SUM, Family, families
from gateway.telemetry.series import name_of

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


_WAYS: Mapping[str, Callable[[Sequence[float]], float]] = {"sum": sum, "max": max, "min": min}


def merged(found: Total) -> Numbers:
    """The host's numbers by series: counters of all workers there have been, gauges of those that live."""
    numbers: Numbers = {}
    for part in (found.ended, *found.living):
        for key, each in part.items():
            known = families.get(name_of(key))
            if known is None or len(each) != known.cells or (known.kind == "gauge" and part is found.ended):
                continue
            before = numbers.get(key)
            numbers[key] = each if before is None else _together(known, before, each)
    return numbers


def _together(family: Family, one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [_WAYS[family.together](pair) for pair in zip(one, other, strict=True)]


def exposition(numbers: Mapping[str, Sequence[float]], *, openmetrics: bool = False) -> str:
    """The page for a scraper."""
    by_family: dict[str, list[tuple[str, Sequence[float]]]] = {}
    for key in sorted(numbers):
        by_family.setdefault(name_of(key), []).append((key, numbers[key]))
    lines: list[str] = []
    for name, series in by_family.items():
        lines += _head(families[name], openmetrics)
        for key, each in series:
            lines += _series(families[name], key, each)
    return "\n".join([*lines, "# EOF", ""] if openmetrics else [*lines, ""])


def _head(family: Family, openmetrics: bool) -> Iterable[str]:
    # OpenMetrics names a counter without the suffix that its samples have.
    name = family.name.removesuffix("_total") if openmetrics and family.kind == "counter" else family.name
    return (f"# HELP {name} {family.help}", f"# TYPE {name} {family.kind}")


def _series(family: Family, key: str, numbers: Sequence[float]) -> Iterator[str]:
    if family.kind != "histogram":
        yield f"{key} {_number(numbers[0])}"
        return
    name, _, labels = key.partition("{")
    inner = labels.removesuffix("}")
    comma = "," if inner else ""
    counts = list(accumulate(numbers[:SUM]))
    for bound, count in zip((*map(_number, BOUNDS), "+Inf"), counts, strict=True):
        yield f'{name}_bucket{{{inner}{comma}le="{bound}"}} {_number(count)}'
    yield f"{name}_sum{{{inner}}} {_number(numbers[SUM])}"
    yield f"{name}_count{{{inner}}} {_number(counts[-1])}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
