"""The shape of `policies/audit.yaml`: what the audit keeps of calls, for how long, and where its checkpoints go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from adapters.contract import Effect
from gateway.audit.arguments import Rules
from gateway.audit.rules import AuditRules
from gateway.routing.model import Route
from gateway.routing.report import Document, Place, Report
from gateway.routing.source import parse
from gateway.routing.units import Duration

FILE = "policies/audit.yaml"
_YEAR = 400 * 86_400.0

Argument = Annotated[
    str, StringConstraints(pattern=r"^(?:(?:path|query|header)\.\S+|body(?:\.[^\s.]+)+)$", max_length=1000)
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Model):
    """Which routes a rule is about: those for which all of it holds."""

    route: str | None = Field(default=None, description="An operationId.")
    group: str | None = Field(default=None, description="A route group.")
    effect: Effect | None = Field(default=None, description="What a call does.")

    def holds(self, route: Route) -> bool:
        """Whether the rule is about this route."""
        wanted = ((self.route, route.operation_id), (self.group, route.group), (self.effect, route.effect))
        return all(each is None or each == own for each, own in wanted)


class ArgumentsRule(_Model):
    """How some arguments are kept. Of several rules that name one, the last holds."""

    match: Match = Field(default=Match(), description="Which routes; left out: all of them.")
    keep: tuple[Argument, ...] = Field(default=(), description="Arguments whose values are kept as they are.")
    hash: tuple[Argument, ...] = Field(
        default=(), description="Arguments of which a keyed hash is kept, as by default."
    )
    redact: tuple[Argument, ...] = Field(
        default=(), description="Arguments of which nothing is kept but that they were."
    )


class SubjectRule(_Model):
    """Whose personal data some calls hold: values kept of them are sealed under that person's own key."""

    match: Match = Field(default=Match(), description="Which routes; left out: all of them.")
    subject: Argument = Field(description="The argument that says who the person is, such as path.customer_id.")
    keep: tuple[Argument, ...] = Field(default=(), description="Arguments whose values are kept, sealed.")


class Audit(_Model):
    """`policies/audit.yaml`."""

    arguments: tuple[ArgumentsRule, ...] = Field(
        default=(), max_length=200, description="How arguments are kept; what no rule names is hashed."
    )
    subjects: tuple[SubjectRule, ...] = Field(
        default=(), max_length=200, description="Personal data that is kept; of several rules for a route, the first."
    )
    source_keys: Literal["hash", "keep", "redact"] = Field(
        default="hash", description="How the keys of the sources of a reply are kept, such as a customer's number."
    )
    reads_when_unwritable: Literal["serve", "refuse"] = Field(
        default="serve",
        description="While records can't be written: answer reads as long as their records can be kept in memory, "
        "or refuse them, as writes are.",
    )
    keep: Duration = Field(default=_YEAR, description="How long records are kept at least; 400d by default.")
    anchor: str | None = Field(
        default=None,
        pattern=r"^(?:file:/|https?://[^/\s])\S*$",
        description="Where signed checkpoints go besides: file:/PATH, appended to, or a URL to post them to.",
    )

    def arguments_of(self, route: Route) -> Rules:
        """What holds for one route."""
        how: dict[str, str] = {}
        for rule in self.arguments:
            if rule.match.holds(route):
                named = (("keep", rule.keep), ("hash", rule.hash), ("redact", rule.redact))
                how.update({name: each for each, names in named for name in names})
        person = next((each for each in self.subjects if each.match.holds(route)), None)
        return Rules(
            kept=frozenset(name for name, each in how.items() if each == "keep"),
            redacted=frozenset(name for name, each in how.items() if each == "redact"),
            source_keys=self.source_keys,
            subject=person.subject if person is not None else None,
            sealed=frozenset(person.keep) if person is not None else frozenset(),
        )

    def log_rules(self, *, anchored: bool = True) -> AuditRules:
        """What holds for the log itself."""
        return AuditRules(
            self.keep, self.anchor if anchored else None, reads_when_unwritable=self.reads_when_unwritable == "serve"
        )


def check_audit(files: Mapping[str, bytes], audit: BaseModel, routes: Sequence[Route], report: Report) -> None:
    """Notes rules that are about no route, and arguments that none of their routes has: nothing would obey them."""
    document = parse(FILE, files[FILE], Report()) if FILE in files else None
    if document is None:
        return
    assert isinstance(audit, Audit)
    for number, rule in enumerate(audit.arguments):
        names = {"keep": rule.keep, "hash": rule.hash, "redact": rule.redact}
        _check(rule.match, names, routes, document, ("arguments", str(number)), report)
    for number, person in enumerate(audit.subjects):
        place = ("subjects", str(number))
        _check(person.match, {"subject": (person.subject,), "keep": person.keep}, routes, document, place, report)


def _check(
    match: Match,
    names: Mapping[str, Collection[str]],
    routes: Sequence[Route],
    document: Document,
    place: Place,
    report: Report,
) -> None:
    matched = [route for route in routes if match.holds(route)]
    if not matched:
        report.add(document, (*place, "match"), "no route is matched by this")
        return
    for key, arguments in names.items():
        for name in arguments:
            if not any(_has(route, name) for route in matched):
                report.add(document, (*place, key), f"no route that is matched has the argument '{name}'")


def _has(route: Route, argument: str) -> bool:
    where, _, name = argument.partition(".")
    if where == "body":
        return route.body is not None
    return any(each.where == where and each.name == name for each in route.parameters)
