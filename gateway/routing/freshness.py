"""How fresh a route's answers are: `freshness` of x-gateway."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.contract import Effect
from gateway.routing.units import Duration

if TYPE_CHECKING:
    from gateway.routing.model import Route

_WEEK = 604_800.0


class FreshnessModel(BaseModel):
    """Whether answers are kept, and for how long they serve."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["live", "cached", "materialized"] = Field(
        default="live",
        description="Each call asks the system (live), calls with the same question share an answer (cached), or the "
        "replica of a captured table answers (materialized).",
    )
    fresh: Duration | None = Field(
        default=None,
        le=_WEEK,
        description="How long an answer serves, counted from when the system was asked; materialized: how far the "
        "replica may be behind.",
    )
    behind: Literal["live", "refuse"] = Field(
        default="live",
        description="With materialized: what a call comes to while the replica is further behind: the system is asked, "
        "or the call is refused.",
    )
    stale_while_revalidate: Duration | None = Field(
        default=None, le=_WEEK, description="How much longer it serves while one call behind it gets the next."
    )
    stale_if_error: Duration | None = Field(
        default=None, le=_WEEK, description="How much longer than fresh it serves where the system fails."
    )

    @model_validator(mode="after")
    def _says_how_long(self) -> FreshnessModel:
        if self.mode != "live" and self.fresh is None:
            raise ValueError(f"{self.mode} needs fresh: say how long an answer serves, such as fresh: 30s")
        if self.mode == "materialized" and self.stale_while_revalidate is not None:
            raise ValueError("a replica is brought up to date by itself: leave stale_while_revalidate out")
        if self.mode == "cached" and "behind" in self.model_fields_set:
            raise ValueError("behind is of mode materialized")
        if self.mode == "live" and len(self.model_fields_set - {"mode"}) > 0:
            raise ValueError("live answers aren't kept: say mode: cached, or leave the times out")
        return self


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long answers of a cached route serve. All in seconds since the system was asked."""

    fresh: float
    revalidating: float
    """Until then an answer serves while the next is fetched behind it; not before `fresh`."""
    on_error: float
    """Until then it serves where the system fails; not before `fresh`."""
    materialized: bool = False
    """A replica answers, which may be `fresh` seconds behind."""
    refuses: bool = False
    """What comes while it is further behind is refused; else the system is asked."""

    @property
    def kept(self) -> float:
        """How long it is of any use."""
        return max(self.revalidating, self.on_error)


def freshness_of(model: FreshnessModel | None) -> Freshness | None:
    """The times of a cached route; None: it is live."""
    if model is None or model.fresh is None:
        return None
    fresh = model.fresh
    revalidating, on_error = fresh + (model.stale_while_revalidate or 0.0), fresh + (model.stale_if_error or 0.0)
    return Freshness(fresh, revalidating, on_error, model.mode == "materialized", model.behind == "refuse")


def check_freshness(route: Route, say: Callable[[tuple[str, ...], str], None]) -> None:
    """Tells by `say` (a place within x-gateway, a sentence) what keeps a route's answers from being kept."""
    if route.freshness is None:
        return
    if route.effect is not Effect.READ:
        say(("freshness",), "a write's answer can't be kept: remove it")
    if route.compose is not None:
        say(("freshness",), "a composite is as fresh as its parts: say it of the routes that its steps call")
    for side, binding in (("legacy", route.legacy), ("replacement", route.replacement)):
        if binding is not None and any("call" in each.names() for each in (binding.input or {}).values()):
            say((side, "input"), "it reads call, so that no two calls ask the same: a cached route can't")
    if route.content:
        say(("freshness",), f"an answer of {route.content} isn't kept: remove it")
    if route.replacement is not None and route.replacement.owns:
        say(("freshness",), "an answer that both sides make together isn't kept: remove it, or replacement.fields")
