"""What an approval is: somebody's question, whether others may say yes to it, and that it is used up.

ApprovalError
├── NoSuchApproval        none has that id
├── NotYours              who asked can't decide, nor decide twice, nor can an agent
└── NotOpen               it is decided, used or expired already
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

ApprovalState: TypeAlias = Literal["pending", "approved", "denied", "used", "expired"]


class ApprovalError(Exception):
    """It can't be; the message is one sentence for whoever wanted it."""


class NoSuchApproval(ApprovalError):
    """No approval has that id."""


class NotYours(ApprovalError):
    """Who wants to decide may not."""


class NotOpen(ApprovalError):
    """The approval can't be decided or used any more."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One person's yes or no."""

    by: str
    approve: bool
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """One question and what became of it. Times are aware, UTC."""

    id: str
    subject: str
    """What it is bound to, such as `plan:<hash>`: it is good for nothing else."""
    summary: str
    """What it is about, in words for whoever decides."""
    asked_by: str
    asked: datetime
    expires: datetime
    needed: int
    """How many people must say yes; one no is enough for a no."""
    state: ApprovalState
    decisions: tuple[Decision, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    used: datetime | None = None

    def document(self) -> dict[str, Any]:
        """It as JSON."""
        plain = ("id", "subject", "summary", "asked_by", "needed", "state")
        members: dict[str, Any] = {name: getattr(self, name) for name in plain}
        members |= {"asked": _text(self.asked), "expires": _text(self.expires), "used": _text(self.used)}
        members["decisions"] = [
            {"by": each.by, "approve": each.approve, "reason": each.reason, "time": _text(each.time)}
            for each in self.decisions
        ]
        return {**members, "details": dict(self.details)}


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds").replace("+00:00", "Z")
