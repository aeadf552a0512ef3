"""Legal stages and moves, where migration looks for them: `gateway.routing.stages` has them, as files are checked."""

from __future__ import annotations

from gateway.routing.stages import authority, back, broken, is_forward, refused, write_stages

__all__ = ["authority", "back", "broken", "is_forward", "refused", "write_stages"]
