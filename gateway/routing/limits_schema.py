"""The shape of `policies/limits.yaml`: how often, how many at once, how much a day, and when not at all."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from adapters.zones import ZoneName, zone
from gateway.routing.model import Route
from gateway.routing.report import Document, Place, Report
from gateway.routing.source import parse

FILE = "policies/limits.yaml"
PriorityClass = Literal["interactive", "agent", "batch"]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_UNITS = {"s": 1, "min": 60, "h": 3600}
_RATE = re.compile(r"([1-9][0-9]{0,6})/(s|min|h)")
_PER_DAY = re.compile(r"([1-9][0-9]{0,14})/day")
_DAY = "|".join(DAYS)
_WINDOW = re.compile(
    rf"(?:((?:{_DAY})(?:-(?:{_DAY}))?(?:,(?:{_DAY})(?:-(?:{_DAY}))?)*) )?"
    r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])(?: ([A-Za-z0-9_+/-]+))?"
)


class Rate(NamedTuple):
    """So many calls in so many seconds."""

    calls: int
    seconds: int


class Window(NamedTuple):
    """A time of day on some days of the week (0 is Monday), in a zone's own clock: minutes since midnight. One whose
    end isn't behind its start ends on the next day."""

    days: frozenset[int]
    start: int
    end: int
    zone: str


def _rate(text: Any) -> Rate:
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a rate is a whole number of calls per s, min or h, such as 20/s or 60/min")
    return Rate(int(match[1]), _UNITS[match[2]])


def _per_day(text: Any) -> int:
    match = _PER_DAY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("this is a whole number per day, such as 5000/day")
    return int(match[1])


def _window(text: Any) -> Window:
    match = _WINDOW.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('a window is written "02:00-04:00 Europe/Berlin" or "sat,sun 22:00-04:00"')
    start, end = (int(match[at]) * 60 + int(match[at + 1]) for at in (2, 4))
    if end > 24 * 60 or start == end:
        raise ValueError("the window has no length: its end is its start, or past 24:00")
    name = match[6] or "UTC"
    zone(name)
    return Window(_days(match[1]), start, end, name)


def _days(text: str | None) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(",") if text else ["mon-sun"]:
        first, _, last = part.partition("-")
        start, end = DAYS.index(first), DAYS.index(last or first)
        days |= {day % 7 for day in range(start, end + 1 if end >= start else end + 8)}
    return frozenset(days)


def _written(pattern: re.Pattern[str], *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern.pattern}$", "examples": list(examples)})


RateText = Annotated[Rate, BeforeValidator(_rate), _written(_RATE, "20/s", "60/min")]
PerDay = Annotated[int, BeforeValidator(_per_day), _written(_PER_DAY, "5000/day")]
WindowText = Annotated[Window, BeforeValidator(_window), _written(_WINDOW, "02:00-04:00 Europe/Berlin")]


Most = Annotated[int, Field(strict=True, ge=1, le=10**15)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Model):
    """Which calls a rule is for. A name means that one; `"*"` means any, each with counters of its own; a key that
    is left out means any, all counted together."""

    principal: str | None = Field(default=None, min_length=1, description="On whose behalf the call is made.")
    agent: str | None = Field(default=None, min_length=1, description="The program that acts for the principal.")
    run: str | None = Field(default=None, min_length=1, description="The run that the caller's token names.")
    tenant: str | None = Field(default=None, min_length=1, description="The principal's organisation.")
    role: str | None = Field(default=None, min_length=1, description="One of the principal's roles.")
    team: str | None = Field(default=None, min_length=1, description="One of the principal's teams.")
    route: str | None = Field(default=None, min_length=1, description="An operationId.")
    group: str | None = Field(default=None, min_length=1, description="A route group.")
    upstream: str | None = Field(default=None, min_length=1, description="An upstream behind the route.")
    effect: Literal["*", "read", "idempotent_write", "write"] | None = Field(
        default=None, description="What the call does."
    )


class Points(_Model):
    """How far ahead each class may stand in the queue of a busy upstream: a point is worth a second of waiting."""

    interactive: int = Field(default=3, ge=1, le=100, description="Calls that no agent makes.")
    agent: int = Field(default=2, ge=1, le=100, description="Calls that an agent makes.")
    batch: int = Field(
        default=1, ge=1, le=100, description="Calls that a rule, or `Prefer: respond-async`, says so of."
    )


class Total(_Model):
    """What a run may do in all."""

    calls: Most | None = Field(default=None, description="How many calls.")
    writes: Most | None = Field(default=None, description="How many writes that reach their system.")
    cost: Most | None = Field(default=None, description="How much, by the routes' `cost`.")
    rows: Most | None = Field(default=None, description="How many entities it is told.")

    @model_validator(mode="after")
    def _bounds_something(self) -> Total:
        if not any((self.calls, self.writes, self.cost, self.rows)):
            raise ValueError("the total bounds nothing: give calls, writes, cost or rows")
        return self


class Rule(_Model):
    """One rule. Of all the rules that match a call, each must allow it."""

    match: Match = Field(default=Match(), description="Which calls; left out: all of them.")
    rate: RateText | None = Field(default=None, description="How often: the speed at which a spent call comes back.")
    burst: int | None = Field(
        default=None, ge=1, le=1_000_000, description="How many calls at once; default: the number in `rate`."
    )
    concurrency: int | None = Field(default=None, ge=1, le=10_000, description="How many calls in flight.")
    quota: PerDay | None = Field(default=None, description="How many calls in a calendar day.")
    budget: PerDay | None = Field(default=None, description="How much in a calendar day, by the routes' `cost`.")
    total: Total | None = Field(default=None, description="What a run may do in all, as long as it lives.")
    time_zone: ZoneName = Field(default="UTC", description="Whose calendar days `quota` and `budget` count.")
    priority: Points | PriorityClass | None = Field(
        default=None, description="The class of the matching calls or, for an upstream, the points of each class."
    )
    closed: tuple[WindowText, ...] = Field(default=(), max_length=50, description="When no call is let through.")

    @model_validator(mode="after")
    def _does_something(self) -> Rule:
        said = (self.rate, self.concurrency, self.quota, self.budget, self.total, self.priority, self.closed or None)
        if all(each is None for each in said):
            raise ValueError(
                "the rule limits nothing: give rate, concurrency, quota, budget, total, priority or closed"
            )
        if self.total is not None and self.match.run is None:
            raise ValueError("a total is a run's, which alone has an end: match run")
        if self.burst is not None and self.rate is None:
            raise ValueError("burst belongs to a rate: give both")
        if isinstance(self.priority, Points) and set(self.match.model_dump(exclude_none=True)) != {"upstream"}:
            raise ValueError("the points of the classes belong to an upstream: match upstream, and nothing else")
        return self


class Limits(_Model):
    """`policies/limits.yaml`."""

    rules: tuple[Rule, ...] = Field(default=(), max_length=200, description="The rules; each that matches must allow.")
    on_store_failure: Literal["local", "deny", "allow"] = Field(
        default="local",
        description="What holds while the fleet's store doesn't answer: the same limits on each host by itself, "
        "no call, or every call.",
    )


def check_limits(
    files: Mapping[str, bytes], limits: BaseModel, routes: Sequence[Route], upstreams: Collection[str], report: Report
) -> None:
    """Notes the rules that name what isn't there: such a rule would limit nothing, and nobody would see it."""
    document = parse(FILE, files[FILE], Report()) if FILE in files else None
    if document is None:
        return
    assert isinstance(limits, Limits)
    known: Mapping[str, Collection[str]] = {
        "route": {each.operation_id for each in routes},
        "group": {each.group for each in routes},
        "upstream": upstreams,
    }
    for position, rule in enumerate(limits.rules):
        place = ("rules", str(position), "match")
        for key, names in known.items():
            _check_name(getattr(rule.match, key), names, document, (*place, key), report)


def _check_name(name: str | None, names: Collection[str], document: Document, place: Place, report: Report) -> None:
    if name not in (None, "*") and name not in names:
        report.add(document, place, f"there is no {place[-1]} '{name}'")
