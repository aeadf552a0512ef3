"""What is measured of subscribers, by the process that tells them."""

from __future__ import annotations

import time

from gateway.feeds.delivery import Deliverer
from gateway.telemetry import families
from gateway.telemetry.meters import Meters


class FeedGauges:
    """Sets what is so at the moment."""

    def __init__(self, deliverer: Deliverer) -> None:
        self._deliverer = deliverer
        self._counted: dict[str, tuple[int, int]] = {}

    def __call__(self, meters: Meters) -> None:
        now, measured = time.time(), dict(self._deliverer.measured)
        for name in self._counted.keys() - measured.keys():
            meters.put(families.FEED_LAG, 0, name)
            meters.put(families.FEED_WAITING, 0, name)
            del self._counted[name]
        for name, each in measured.items():
            meters.put(families.FEED_LAG, max(0.0, now - each.behind) if each.behind else 0.0, name)
            meters.put(families.FEED_WAITING, each.waits, name)
            events, dead = self._counted.get(name, (0, 0))
            meters.add(families.FEED_EVENTS, max(0, each.events - events), name)
            meters.add(families.FEED_DEAD, max(0, each.dead - dead), name)
            self._counted[name] = each.events, each.dead
