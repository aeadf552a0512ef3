"""What is measured of captures, by the process that follows them."""

from __future__ import annotations

import time

from gateway.freshness.worker import Follower
from gateway.telemetry import families
from gateway.telemetry.meters import Meters


class CaptureGauges:
    """Sets what is so at the moment."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._counted: dict[str, tuple[int, int]] = {}
        self._put: set[str] = set()

    def __call__(self, meters: Meters) -> None:
        now = time.time()
        for name in self._put - self._follower.followed.keys():
            for family in (families.CAPTURE_AGE, families.CAPTURE_LAG, families.CAPTURE_RETAINED):
                meters.put(family, 0, name)
            meters.put(families.CAPTURE_STALLED, 0, name)
            self._counted.pop(name, None)
        self._put = set(self._follower.followed)
        for name, followed in self._follower.followed.items():
            capturing = followed.capturing
            meters.put(families.CAPTURE_AGE, max(0.0, now - capturing.current) if capturing.current else 0.0, name)
            meters.put(families.CAPTURE_LAG, capturing.measured.lag, name)
            meters.put(families.CAPTURE_RETAINED, followed.retained.size or 0, name)
            meters.put(families.CAPTURE_STALLED, bool(followed.problem or followed.alarm), name)
            changes, differed = self._counted.get(name, (0, 0))
            seen = self._counted[name] = capturing.measured.changes, capturing.comparing.differed
            meters.add(families.CAPTURE_CHANGES, max(0, seen[0] - changes), name)
            meters.add(families.CAPTURE_DIFFERED, max(0, seen[1] - differed), name)
