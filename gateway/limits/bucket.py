"""One rule's counters for one caller or set of callers, and what taking from them comes to."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from gateway.limits.calendar import Day
from gateway.limits.totals import Total

RATE, CONCURRENCY, QUOTA, BUDGET, TOTAL = range(5)
"""What of a rule was looked at. A total's kinds are `TOTAL` and the number of the unit."""
NO_KIND = -1
"""Of a standing that no bucket has: only totals were looked at."""


class Bucket:
    """A rule's numbers for one key. Made once for a principal on a snapshot's route, so that a call computes little.

    The rate is a token bucket, kept as the moment at which it will be full again (GCRA): `interval` is how long one
    call takes to come back and `full` how long all of them do, in nanoseconds. `at` is where this host's memory has
    the counters, and `tat`, `day_now`, `used`, `spent` are the numbers of the call that is being looked at.
    """

    __slots__ = (
        "at",
        "budget",
        "concurrency",
        "counted",
        "day",
        "day_now",
        "fields",
        "full",
        "identity",
        "interval",
        "key",
        "quota",
        "spent",
        "tat",
        "used",
    )

    def __init__(
        self,
        identity: bytes,
        name: str,
        *,
        rate: tuple[int, int] | None = None,
        burst: int = 0,
        concurrency: int = 0,
        quota: int = 0,
        budget: int = 0,
        day: Day,
    ) -> None:
        calls, seconds = rate or (1, 0)
        # Rounded up: a call comes back a nanosecond late rather than early.
        self.interval = -(-seconds * 1_000_000_000 // calls)
        self.full = self.interval * (burst or calls)
        self.concurrency, self.quota, self.budget, self.day = concurrency, quota, budget, day
        self.counted = bool(concurrency or quota or budget)
        self.identity = identity
        self.fields = _fields(name, self)
        self.key = self.tat = self.day_now = self.used = self.spent = 0
        self.at = 0


class Away(Exception):
    """The fleet's store doesn't answer."""


class Full(Exception):
    """No slot is free for another key."""


class Refusal(NamedTuple):
    """A call that isn't let through, and the seconds after which it may be; of a total, how much is left of it."""

    bucket: Bucket | Total
    kind: int
    wait: float


Standing: TypeAlias = tuple[Bucket, int, int, float]
"""How the tightest of the rules stands after a call: its bucket, what of it, how many more calls it lets through, and
the seconds until all that it ever lets through are there again. A plain tuple, as every call makes one."""


def _fields(name: str, bucket: Bucket) -> tuple[tuple[tuple[bytes, bytes], bytes], ...]:
    """For each kind the header field `RateLimit-Policy`, and `RateLimit` with places for `r` and `t`
    (draft-ietf-httpapi-ratelimit-headers §3, §4)."""
    window = -(-bucket.full // 1_000_000_000)
    texts = (
        (name, f"q={bucket.full // max(bucket.interval, 1)};w={window}"),
        (f"{name}-concurrency", f'q={bucket.concurrency};qu="concurrent-requests"'),
        (f"{name}-quota", f"q={bucket.quota};w=86400"),
        (f"{name}-budget", f'q={bucket.budget};qu="cost";w=86400'),
    )
    return tuple(
        ((b"ratelimit-policy", f'"{each}";{policy}'.encode()), f'"{each}";r=%d;t=%d'.encode()) for each, policy in texts
    )
