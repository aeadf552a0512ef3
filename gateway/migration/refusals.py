"""Why nothing was changed.

ChangeError
├── Refused               the rules forbid it; `sentences` say which
├── Drifted               stages were changed at run time; `drift` names them
├── PlanMoved             the plan's hash is another one by now
├── NothingToChange       it is so already
├── ApprovalNeeded        others must say yes first; `approval` is the question that was asked
└── NotDrained            writes didn't come to rest in time, so who gets them hasn't changed
"""

from __future__ import annotations

from gateway.approvals.record import Approval
from gateway.migration.plan import Drift


class ChangeError(Exception):
    """Nothing was changed; the message is a sentence."""


class Refused(ChangeError):
    """The rules forbid it."""

    def __init__(self, sentences: tuple[str, ...]) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = sentences


class Drifted(ChangeError):
    """Stages were changed at run time, and the files would undo that."""

    def __init__(self, drift: tuple[Drift, ...]) -> None:
        super().__init__("; ".join(map(str, drift)))
        self.drift = drift


class PlanMoved(ChangeError):
    """What would be done isn't what was planned."""


class NothingToChange(ChangeError):
    """It is so already."""


class ApprovalNeeded(ChangeError):
    """Others must say yes first."""

    def __init__(self, approval: Approval) -> None:
        super().__init__(f"it needs the approval of {approval.needed} other(s), asked for as {approval.id}")
        self.approval = approval


class NotDrained(ChangeError):
    """Writes didn't come to rest in time."""
