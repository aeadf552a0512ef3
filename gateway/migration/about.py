"""Who changes what is served, and why; and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.migration.plan import Plan
from gateway.store.contract import StoredSnapshot


@dataclass(frozen=True, slots=True)
class About:
    """Who changes something, why, and from which snapshot (None: whichever is active)."""

    author: str
    reason: str
    ticket: str | None = None
    expected: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    agent: str | None = None
    """The program that acts for the author."""

    @property
    def said(self) -> str:
        """The author as the snapshot names them."""
        return self.author if self.agent is None else f"{self.author} via {self.agent}"


@dataclass(frozen=True, slots=True)
class Changed:
    """A change that is made. `behind` are processes that don't serve it yet: none, unless one hangs."""

    plan: Plan
    snapshot: StoredSnapshot
    behind: tuple[int, ...] = ()
