"""What an approval is: somebody's question, whether others may say yes to it, and that it is used up.

ApprovalError
├── NoSuchApproval        none has that id
├── NotYours              who asked can't decide, nor decide twice, nor can an agent
├── NotOpen               it is decided, used or expired already
└── TooMany               whoever asks has asked for as many already as may wait
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from adapters.contract import Json
from gateway.instants import spelt

ApprovalState: TypeAlias = Literal["pending", "approved", "denied", "used", "expired"]


class ApprovalError(Exception):
    """It can't be; the message is one sentence for whoever wanted it."""


class NoSuchApproval(ApprovalError):
    """No approval has that id."""


class NotYours(ApprovalError):
    """Who wants to decide may not."""


class NotOpen(ApprovalError):
    """The approval can't be decided or used any more."""


class TooMany(ApprovalError):
    """As many questions of one caller wait as may."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a call of its own, beside the principal."""

    caller: str
    """A digest of issuer, tenant, principal and agent."""
    barred: tuple[str, ...] = ()
    """Who gains by a yes and so can't say it, beside the principal: the agent, and all for whom it acts."""
    tenant: str | None = None
    """Whose approvers alone may see it; None: any."""


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
    asker: Asker = Asker("")
    used_for: str = ""
    """What it was used for: the key of the write."""
    planned: Json = None
    """Of a call: what its preview has fixed, for the gateway alone."""

    @property
    def reason(self) -> str:
        """Why it was denied, in the words of who did."""
        return next((each.reason for each in self.decisions if not each.approve), "")

    def announced(self) -> dict[str, Any]:
        """It as JSON for those who are told in the background: of a call not what it is made with."""
        told = self.document()
        kept = {name: part for name, part in self.details.items() if name not in ("arguments", "preview")}
        return {**told, "details": kept} if self.asker.caller else told

    def told(self) -> dict[str, Any]:
        """It as JSON for who has asked: without what its system answered then, of which they may see less by now."""
        kept = {name: part for name, part in self.details.items() if name != "preview"}
        return {**self.document(), "details": kept if self.asker.caller else dict(self.details)}

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
    return None if time is None else spelt(time)
