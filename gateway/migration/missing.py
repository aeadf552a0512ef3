"""What is noted of a group whose replacement isn't built yet."""

from __future__ import annotations

from gateway.migration.model import Side
from gateway.migration.switch import Notes


class Quiet:
    """What is noted of a group whose replacement isn't there: of legacy only, as an example proves nothing."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.stopped, self.note_parity = notes.stopped, notes.note_parity

    def note(self, group: str, side: Side, *, error: bool, slow: bool, key: int = -1, signature: str = "") -> None:
        """Passes on what legacy did."""
        if side == "legacy":
            self._notes.note(group, side, error=error, slow=slow, key=key, signature=signature)
