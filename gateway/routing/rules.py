"""A workspace's policies, sound and ready to be decided by: what a snapshot holds of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.routing.cedar import Policy
from gateway.routing.predicates import TypedPredicate

Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """What one permit narrows on one route. Paths lead from a row; an array on the way means each of its items."""

    rows: TypedPredicate | None = None
    """The rows that it shows; None: all."""
    masked: frozenset[Path] = frozenset()
    tokenised: frozenset[Path] = frozenset()


Marks: TypeAlias = Mapping[tuple[str, str], Mark]
"""By the policy's id and the operationId; a permit without one shows everything."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A workspace's policies."""

    policies: tuple[Policy, ...] = ()
    trials: Mapping[str, tuple[Policy, ...]] = field(default_factory=dict)
    """Sets that are only tried, by name."""
    marks: Marks = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The enforced policies' text."""
        return "\n".join(each.text for each in self.policies)
