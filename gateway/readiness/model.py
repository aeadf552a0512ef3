"""What is asked of upstreams and routes, and what an answer is. README.md says by which criteria."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal, TypeAlias

Verdict: TypeAlias = Literal["yes", "no", "unchecked"]
Question: TypeAlias = Literal["fast", "acts", "visible", "scales"]

QUESTIONS: dict[Question, str] = {
    "fast": "Data in under a second?",
    "acts": "Callable actions, not only reads?",
    "visible": "Visible what data was used, whence, and how transformed?",
    "scales": "Does it scale with demand?",
}
SECOND = 1.0
"""Seconds within which 95 of 100 calls have to be answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict, the sentence that it rests on and, unless it is yes, the next step."""

    verdict: Verdict
    why: str
    next: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"verdict": self.verdict, "why": self.why, "next": self.next or None}


@dataclass(frozen=True, slots=True)
class Timing:
    """How long calls took, in seconds, each with an answer that kept the contract."""

    seconds: tuple[float, ...]

    def at(self, share: float) -> float:
        """The time within which that share of the calls was answered (nearest rank)."""
        return sorted(self.seconds)[max(0, ceil(share * len(self.seconds)) - 1)]

    def document(self) -> dict[str, Any]:
        """As JSON, in milliseconds."""
        return {"calls": len(self.seconds), "p50_ms": _ms(self.at(0.5)), "p95_ms": _ms(self.at(0.95))}

    def __str__(self) -> str:
        return f"p50 {spelt(self.at(0.5))}, p95 {spelt(self.at(0.95))}"


@dataclass(frozen=True, slots=True)
class Probed:
    """What probing a route showed. `problem` is why there was no answer, empty: there was; `excused` says that this is
    no fault of the system's, so that nothing is known of it."""

    timing: Timing | None = None
    problem: str = ""
    excused: bool = False
    next: str = ""
    sources: bool = False
    """The answers named what they came from."""
    empty: bool = False
    """They had nothing in them that could come from anywhere."""


@dataclass(frozen=True, slots=True)
class Burst:
    """How long `calls` took, in seconds, `at_once` of them at a time; `failed` of them weren't answered."""

    at_once: int
    calls: int
    timing: Timing | None
    failed: int


def worst(answers: Sequence[Answer]) -> Verdict:
    """No if any is no; unchecked if any is and none is no."""
    verdicts = {each.verdict for each in answers}
    return "no" if "no" in verdicts else "unchecked" if "unchecked" in verdicts or not verdicts else "yes"


def spelt(seconds: float) -> str:
    """`12 ms`, `3.10 s`."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
