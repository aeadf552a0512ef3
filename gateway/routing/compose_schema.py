"""The shape of `compose`: a route served by several others."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_STEPS = 25
"""Of one composite, those of the composites within it included."""
MOST_ITEMS = 500
"""That one `for_each` goes through."""
AT_ONCE = 5
"""Items at once, where `concurrency` isn't given."""
_MOST_AT_ONCE = 50

_StepName: TypeAlias = Annotated[str, Field(pattern="^[a-z_][a-z0-9_]*$", max_length=64)]
_Input: TypeAlias = dict[str, str | int | float | bool | None]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CompensateModel(_Model):
    """What undoes a step that wrote, when another one fails later."""

    route: str = Field(description="The operationId of the route that undoes it.")
    input: _Input = Field(
        default_factory=dict,
        description="Its input: JMESPath over what the step's own input may read, the step's own reply by its name, "
        "and the replies of steps before it.",
    )
    if_unknown: bool = Field(
        default=False,
        description="Whether it may also be called where nobody knows if the step happened; it can't read the step's "
        "reply then.",
    )


def _on_error(value: Any) -> Any:
    """One sentence for all that it may be."""
    if value in ("fail", "omit") or (isinstance(value, dict) and list(value) == ["default"]):
        return value
    raise ValueError("must be fail, omit or {default: VALUE}")


class StepModel(_Model):
    """One call of another route, or one for each item of a list."""

    route: str = Field(description="The operationId of the route to call.")
    input: _Input = Field(
        default_factory=dict, description="The route's parameters and body members: JMESPath, earlier steps included."
    )
    when: str | None = Field(
        default=None,
        description="JMESPath: the step is left out where it is false, null, or empty.",
    )
    for_each: str | None = Field(
        default=None,
        description=f"JMESPath that leads to a list of at most {MOST_ITEMS}: one call each, `item` and `index` in "
        "its input; the step's result is the list of replies, in the list's order.",
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=_MOST_AT_ONCE,
        description=f"How many items at once, with for_each of a read; default: {AT_ONCE}. Writes go one by one.",
    )
    after: tuple[_StepName, ...] = Field(
        default=(), description="Steps that must have ended before, beyond those whose results it reads."
    )
    on_error: Annotated[Literal["fail", "omit"] | dict[Literal["default"], Any], BeforeValidator(_on_error)] = Field(
        default="fail", description="What a failure means: fail the whole, omit the step, or use {default: VALUE}."
    )
    compensate: CompensateModel | None = Field(
        default=None, description="What undoes the step, which writes, when another one fails later."
    )


class ComposeModel(_Model):
    """A route served by several routes."""

    steps: dict[_StepName, StepModel] = Field(
        min_length=1,
        max_length=MOST_STEPS,
        description="The calls by name; they run as parallel as their inputs allow, writes in the order written.",
    )
    output: str = Field(description="JMESPath over the steps' reply bodies by name; an omitted one is absent.")
