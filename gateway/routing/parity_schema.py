"""The shape of a group's `parity`: in what its two sides may answer differently, who says so, why, and until when.

Each key takes pointers with their arguments, `{"/balance": {abs: "0.01"}}`, plain pointers where there are none,
`["/updated_at"]`, or whole rules, `[{at: "/balance", abs: "0.01", reason: …, expires: …}]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from gateway.routing.report import Place
from gateway.routing.units import Duration

_MOST = 200
_PERCENT = 100

Pattern = Annotated[str, StringConstraints(pattern=r"^(?:/[^/]*){1,32}$", max_length=1000)]
"""A JSON Pointer (RFC 6901) in which `*` is any one member or item, and `**` any number of them, none included."""
Anywhere = Annotated[str, StringConstraints(pattern=r"^(?:/[^/]*){0,32}$", max_length=1000)]
Member = Annotated[str, StringConstraints(pattern=r"^[^/]+(?:/[^/]+){0,7}$", max_length=1000)]
Scalar = str | int | bool


def _share(given: Any) -> Any:
    if isinstance(given, str) and given.endswith("%"):
        return Decimal(given[:-1]) / _PERCENT if given[:-1].replace(".", "", 1).isdecimal() else given
    return given


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Said(_Model):
    """Who answers for a rule. What is left out is as the group has it; a rule past its time no longer applies."""

    owner: str | None = Field(default=None, min_length=1, max_length=200, description="Who answers for the rule.")
    reason: str | None = Field(
        default=None, min_length=1, max_length=1000, description="Why the sides may differ here."
    )
    expires: date | None = Field(default=None, description="The last day on which the rule applies.")


class ToleranceOf(Said):
    """How far apart two values may be: by any of these that is given."""

    abs: Decimal | None = Field(default=None, ge=0, description="Of numbers and decimals: the difference.")
    rel: Annotated[Decimal | None, BeforeValidator(_share)] = Field(
        default=None, gt=0, lt=1, description="Of numbers and decimals: the difference's share of the larger one."
    )
    within: Duration | None = Field(default=None, description="Of instants and dates: the time between them.")

    @model_validator(mode="after")
    def _says_how_far(self) -> Self:
        if self.abs is None and self.rel is None and self.within is None:
            raise ValueError("a tolerance says how far: abs, rel or within")
        return self


class UnorderedOf(Said):
    """What tells a list's items apart."""

    by: tuple[Member, ...] = Field(
        default=(), max_length=8, description="The members that tell items apart; left out: all of an item."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_member(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and isinstance(given.get("by"), str):
            return {**given, "by": [given["by"]]}
        return given


class EnumMapOf(Said):
    """Which value of the replacement means which of legacy's."""

    values: dict[str, Scalar] = Field(
        min_length=1, max_length=1000, description="Legacy's value → the replacement's, where they mean the same."
    )


class At(Said):
    """Where a rule applies."""

    at: Pattern = Field(description="A JSON Pointer; * is any one member or item, ** any number of them.")


class Tolerance(ToleranceOf, At):
    """Values that may be so far apart."""


class Unordered(UnorderedOf, At):
    """A list whose order says nothing."""


class EnumMap(EnumMapOf, At):
    """Values that mean the same."""


class Known(Said):
    """A difference that a ticket already tells of."""

    at: Anywhere = Field(description="A JSON Pointer, as elsewhere; with a kind also '', the whole reply.")
    kind: str | None = Field(default=None, pattern=r"^[a-z]+$", description="Only differences of this kind.")
    ticket: str = Field(min_length=1, max_length=200, description="Where it is dealt with.")

    @model_validator(mode="after")
    def _is_narrow(self) -> Self:
        if not self.at and self.kind is None:
            raise ValueError("what is known of the whole reply needs a kind, such as status")
        return self


class Outcome(_Model):
    """How a side ends: a status, a problem, or both."""

    status: int | None = Field(default=None, ge=200, le=599, description="The reply's status.")
    slug: str | None = Field(default=None, pattern=r"^[a-z-]{1,60}$", description="The problem, such as not-found.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.status is None and self.slug is None:
            raise ValueError("an outcome is a status, a slug, or both")
        return self


class SameFault(Said):
    """Two outcomes that mean the same to a caller."""

    legacy: Outcome = Field(description="How legacy ends.")
    replacement: Outcome = Field(description="How the replacement ends.")


class Samples(_Model):
    """What is kept of the values that differ; what isn't named is hashed, beside its type, length and shape."""

    keep: tuple[Pattern, ...] = Field(default=(), max_length=_MOST, description="Values kept as they are.")
    redact: tuple[Pattern, ...] = Field(default=(), max_length=_MOST, description="Values of which only the type is.")


def _rules(short: Callable[[Any], Any], accepted: Any) -> BeforeValidator:
    """Accepts each way in which rules are written; `short` makes a rule of the arguments beside a pointer."""

    def spread(given: Any) -> Any:
        if isinstance(given, Mapping):
            return [{**_mapping(short(each)), "at": at} for at, each in given.items()]
        if isinstance(given, list | tuple):
            return [{"at": each} if isinstance(each, str) else each for each in given]
        return given

    return BeforeValidator(spread, json_schema_input_type=accepted)


def _mapping(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError("beside a pointer stand its rule's arguments, such as {abs: '0.01'}")
    return given


def _as_it_is(given: Any) -> Any:
    return given


def _values(given: Any) -> Any:
    if isinstance(given, Mapping) and isinstance(given.get("values"), Mapping):
        return given
    return {"values": given}


_PLAIN = _rules(_as_it_is, dict[Pattern, Said] | list[Pattern | At])
_TOLERANCE = _rules(_as_it_is, dict[Pattern, ToleranceOf] | list[Tolerance])
_UNORDERED = _rules(_as_it_is, dict[Pattern, UnorderedOf] | list[Pattern | Unordered])
_ENUM_MAP = _rules(_values, dict[Pattern, EnumMapOf | dict[str, Scalar]] | list[EnumMap])
_KNOWN = _rules(_as_it_is, list[Known])


class ParityModel(Said):
    """`parity` of a group: in what its sides may differ. A group without it may differ in nothing.

    `owner`, `reason` and `expires` are those of every rule that doesn't say its own.
    """

    ignore: Annotated[tuple[At, ...], _PLAIN] = Field(
        default=(), max_length=_MOST, description="What isn't compared at all, with all below it."
    )
    presence_only: Annotated[tuple[At, ...], _PLAIN] = Field(
        default=(), max_length=_MOST, description="What must be there, and not null, on both sides; no more."
    )
    null_is_absent: Annotated[tuple[At, ...], _PLAIN] = Field(
        default=(), max_length=_MOST, description="Where null means the same as absence."
    )
    tolerance: Annotated[tuple[Tolerance, ...], _TOLERANCE] = Field(
        default=(), max_length=_MOST, description="Numbers, decimals and instants that may be so far apart."
    )
    unordered: Annotated[tuple[Unordered, ...], _UNORDERED] = Field(
        default=(), max_length=_MOST, description="Lists whose order says nothing."
    )
    enum_map: Annotated[tuple[EnumMap, ...], _ENUM_MAP] = Field(
        default=(), max_length=_MOST, description="Values of the replacement that mean the same as legacy's."
    )
    faults: tuple[SameFault, ...] = Field(
        default=(), max_length=_MOST, description="Ends of a call that mean the same to its caller."
    )
    known: Annotated[tuple[Known, ...], _KNOWN] = Field(
        default=(), max_length=_MOST, description="Differences that a ticket tells of."
    )
    samples: Samples = Field(default=Samples(), description="What is kept of values that differ.")

    def rules(self) -> Iterator[tuple[str, int, At | Known | SameFault]]:
        """Every rule with its key and its position there."""
        kinds: Mapping[str, tuple[At | Known | SameFault, ...]] = {
            "ignore": self.ignore,
            "presence_only": self.presence_only,
            "null_is_absent": self.null_is_absent,
            "tolerance": self.tolerance,
            "unordered": self.unordered,
            "enum_map": self.enum_map,
            "faults": self.faults,
            "known": self.known,
        }
        for key, rules in kinds.items():
            yield from ((key, number, rule) for number, rule in enumerate(rules))

    def last_day(self, rule: Said, expires: date | None = None) -> date | None:
        """The last day on which a rule applies, where `expires` is its group's; None: there is none."""
        return rule.expires or self.expires or expires

    def said_of(self, rule: Said, owner: str = "") -> tuple[str, str]:
        """Who answers for a rule, where `owner` is its group's, and why it is there; what nobody said is empty."""
        return rule.owner or self.owner or owner, rule.reason or self.reason or ""


def parity_findings(
    parity: ParityModel, today: date, owner: str = "", expires: date | None = None
) -> Iterator[tuple[Place, str, Literal["error", "warning"]]]:
    """What is wrong with rules that are well formed: past their time, without an owner or an end, or twice.

    `owner` and `expires` are the group's. Each is (place below `parity`, a sentence, its level).
    """
    seen: set[tuple[str, str, str | None]] = set()
    for key, number, rule in parity.rules():
        place, last = (key, str(number)), parity.last_day(rule, expires)
        if last is not None and last < today:
            yield place, f"the rule expired on {last} and no longer applies: renew it or remove it", "warning"
        if not parity.said_of(rule, owner)[0]:
            yield place, "nobody answers for the rule: give it, or its group, an owner", "error"
        if last is None:
            yield place, "the rule never ends: give it, or its group, an expires", "error"
        if isinstance(rule, At | Known):
            name = (key, rule.at, rule.kind if isinstance(rule, Known) else None)
            if name in seen:
                yield place, f"there is another rule for '{rule.at}': keep one", "error"
            seen.add(name)
