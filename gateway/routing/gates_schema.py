"""The gates and the ramp of a route group in `policies/migration.yaml`: what rolls it back, and what lets it go on."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from adapters.zones import ZoneName
from gateway.routing.limits_schema import WindowText
from gateway.routing.units import Duration

_SHARE = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,4})?) ?%")
_DAYS_OF_WEEK = re.compile(r"^[A-Za-z,-]+(?= )")
_HIGHEST = 0.2
_MILLIONTHS_OF_PERCENT = 10_000


def _share(text: Any) -> float:
    match = _SHARE.fullmatch(text) if isinstance(text, str) else None
    value = float(match[1]) / 100 if match else 0.0
    if not 0 < value <= _HIGHEST:
        raise ValueError("a limit is a share above 0% and up to 20%, such as 0.5%")
    return value


def _step(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 100:
        raise ValueError("a step is a number of percent above 0 and below 100, such as 5 or 0.25")
    exact = round(value * _MILLIONTHS_OF_PERCENT)
    if abs(exact - value * _MILLIONTHS_OF_PERCENT) > 1e-6:
        raise ValueError("a step has at most four decimals")
    return exact


def _plain_days(text: Any) -> Any:
    return _DAYS_OF_WEEK.sub(lambda found: found[0].lower(), text) if isinstance(text, str) else text


def _day(text: Any) -> date:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ValueError("a day is written 2027-06-30") from error


Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema({"type": "string", "pattern": f"^{_SHARE.pattern}$", "examples": ["0.5%", "1%"]}),
]
"""A field written as `0.5%`, held as a fraction."""
Step = Annotated[
    int,
    BeforeValidator(_step),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100}),
]
"""A weight written in percent, held in millionths."""
Open = Annotated[
    WindowText,
    BeforeValidator(_plain_days),
    WithJsonSchema({"type": "string", "examples": ["Mon-Fri 08:00-16:00 Europe/Berlin"]}),
]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SlowModel(_Model):
    """When a reply is slow, and how many may be."""

    over: Duration = Field(description="The route's objective: a reply that took longer is slow.")
    limit: Share = Field(default=0.01, description="The largest share of replies that may be slow.")


class GatesModel(_Model):
    """What the replacement may cost. Past a limit the group is rolled back; surely below all of them it goes on."""

    error: Share = Field(default=0.005, description="The largest share of the replacement's replies that may fail.")
    slow: SlowModel | None = Field(default=None, description="How many replies may be slow; left out: isn't judged.")
    mismatch: Share | None = Field(
        default=None, description="The largest share of compared replies that may differ; left out: isn't judged."
    )
    keys: int = Field(
        default=20, ge=1, le=10_000, description="From how many different keys there must be calls to go on."
    )
    manual: bool = Field(
        default=False, description="Whether people take every step of the ramp. Rolling back isn't affected."
    )


class FreezeModel(_Model):
    """Days on which nothing goes on, such as those around the end of the year. Rolling back isn't affected."""

    first: Day = Field(description="The first day.")
    last: Day = Field(description="The last day.")
    zone: ZoneName = Field(default="UTC", description="Whose calendar days they are.")

    @model_validator(mode="after")
    def _in_order(self) -> FreezeModel:
        if self.last < self.first:
            raise ValueError("the last day is before the first")
        return self


class RampModel(_Model):
    """The canary's timetable. It begins when the group is in canary and ends at the last step."""

    steps: tuple[Step, ...] = Field(min_length=1, max_length=50, description="The weights in percent, rising.")
    every: Duration = Field(default=3600.0, description="How long each step lasts at least.")
    windows: tuple[Open, ...] = Field(
        default=(), max_length=50, description="When a step may be taken; left out: at any time."
    )
    freezes: tuple[FreezeModel, ...] = Field(default=(), max_length=50, description="Days on which no step is taken.")
    deadline: Duration | None = Field(default=None, description="How long a step may last; left out: for ever.")
    on_deadline: Literal["hold", "rollback"] = Field(
        default="hold", description="What happens to a group that hasn't gone on by the deadline."
    )

    @model_validator(mode="after")
    def _rises(self) -> RampModel:
        if any(step >= following for step, following in pairwise(self.steps)):
            raise ValueError("each step is above the one before")
        if self.deadline is not None and self.deadline <= self.every:
            raise ValueError("the deadline is longer than a step lasts at least (every)")
        if self.on_deadline == "rollback" and self.deadline is None:
            raise ValueError("on_deadline: rollback needs a deadline")
        return self
