"""What was measured, as a table for people and as a document for programs, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.demo.latency.asked import CALLS, SEED, Cold, Told
from gateway.demo.latency.figures import Figures, figures

BOUND = 0.4
"""Seconds that an agent waits at most."""
SYSTEMS = {"customer": "CRM, SOAP", "stock": "ERP, ODBC", "invoices": "billing, SFTP", "tasks": "work queue, SFTP"}


@dataclass(frozen=True)
class Measured:
    """All that was measured; times in seconds."""

    latency: float
    straight: Mapping[str, float]
    rounds: Sequence[float]
    told: Mapping[str, Told]
    cold: Sequence[Cold]
    alike: bool
    """Whether the gateway told what the systems themselves tell."""

    @property
    def straight_total(self) -> float:
        """The four calls straight to the systems, one after the other."""
        return sum(self.straight.values())

    def bounds(self) -> dict[str, bool]:
        """What must hold, each in words, and whether it does."""
        late, limit = len(CALLS) * self.latency, f"{BOUND * 1000:.0f} ms"
        return {
            f"the four straight to the systems take more than {late:.1f} s": self.straight_total > late,
            f"the four through the gateway take less than {limit} in all at p99": figures(self.rounds).p99 < BOUND,
            f"each key that nobody had asked for takes less than {limit}": all(
                each.figures.slowest < BOUND and each.replica == each.figures.number for each in self.cold
            ),
            "the gateway tells what the systems tell": self.alike,
        }

    @property
    def holds(self) -> bool:
        """Whether all of it does."""
        return all(self.bounds().values())


def document(measured: Measured) -> dict[str, Any]:
    """For programs; seconds."""
    return {
        "latency": measured.latency,
        "seed": SEED,
        "straight": {**measured.straight, "all": measured.straight_total},
        "warm": {"all": figures(measured.rounds)._asdict()}
        | {name: {**figures(told.seconds)._asdict(), **_age(told)} for name, told in measured.told.items()},
        "cold": [{"route": each.route, **each.figures._asdict(), "replica": each.replica} for each in measured.cold],
        "bounds": measured.bounds(),
        "holds": measured.holds,
    }


def _age(told: Told) -> dict[str, Any]:
    headers = told.headers
    return {
        "age": told.oldest,
        "as_of": headers.get("figway-as-of"),
        "cache_status": headers.get("cache-status"),
    }


def table(measured: Measured) -> Iterator[str]:
    """For people, line by line."""
    yield ""
    yield f"  {'each system ' + format(measured.latency, 'g') + ' s away':<28}{'straight':>10}  {_TITLES}{'age':>7}"
    for name, told in measured.told.items():
        label = f"{name} ({SYSTEMS[name]})"
        yield f"  {label:<28}{measured.straight[name]:>8.2f} s  {_row(figures(told.seconds))}{told.oldest:>5} s"
    rounds = figures(measured.rounds)
    yield f"  {'all four, one by one':<28}{measured.straight_total:>8.2f} s  {_row(rounds)}   {rounds.number} rounds"
    yield ""
    for each in measured.cold:
        asked = f"{each.figures.number} keys never asked for, {each.replica} by a replica"
        yield f"  {each.route:<38}  {_row(each.figures)}   {asked}"
    yield ""
    for words, held in measured.bounds().items():
        yield f"  {'yes' if held else 'NO':<4}{words}"


_TITLES = f"{'p50':>9}{'p99':>10}{'slowest':>10}"


def _row(found: Figures) -> str:
    return "".join(f"{_spelt(seconds):>{width}}" for seconds, width in zip(found[1:], (9, 10, 10), strict=True))


def _spelt(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
