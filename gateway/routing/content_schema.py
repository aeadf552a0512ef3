"""The shape of `policies/content.yaml`: what becomes of replies whose texts read like instructions to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.routing.model import Route
from gateway.routing.report import Document, Place, Report
from gateway.routing.source import parse
from gateway.untrusted.plugins import UnknownScanner, scanner_called
from gateway.untrusted.rules import Rule
from gateway.untrusted.scanner import BadPattern, Scanner, built_in, look_for

FILE = "policies/content.yaml"
Mode = Literal["off", "mark", "refuse"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _of_linear_time(pattern: str) -> str:
    try:
        look_for(pattern)
    except BadPattern as error:
        raise ValueError(
            "this isn't a regular expression of linear time (Rust's syntax: no lookaround, no references back), "
            "or it is too large"
        ) from error
    return pattern


class Match(_Model):
    """Which replies a rule is about: those for which all of it holds."""

    route: str | None = Field(default=None, description="An operationId.")
    group: str | None = Field(default=None, description="A route group.")
    upstream: str | None = Field(default=None, description="An upstream that may answer, in a composite's step too.")
    agent: str | None = Field(default=None, description='The program that asks; `"*"`: any, but no person.')


class ContentRule(_Model):
    """What becomes of some replies. Of several rules that are about one, the last holds."""

    match: Match = Field(default=Match(), description="Which replies; left out: all of them.")
    content: Mode = Field(description="Their texts aren't looked at, are marked, or the reply is refused.")


class Pattern(_Model):
    """Something more to look for."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="What headers, audit and metrics call it.")
    pattern: Annotated[str, AfterValidator(_of_linear_time)] = Field(
        min_length=1, max_length=1000, description="A regular expression in the syntax of Rust's regex crate."
    )


class Content(_Model):
    """`policies/content.yaml`."""

    rules: tuple[ContentRule, ...] = Field(
        default=(), max_length=200, description="What becomes of which replies; what no rule is about is marked."
    )
    patterns: tuple[Pattern, ...] = Field(
        default=(), max_length=50, description="What is looked for beside the built-in rules."
    )
    scanners: tuple[str, ...] = Field(
        default=(), max_length=8, description="Scanners of other packages (entry points of figway.scanners)."
    )

    def scanner(self) -> Scanner:
        """What looks at replies; raises `UnknownScanner`."""
        if not self.patterns and not self.scanners:
            return built_in()
        looks = tuple((name, scanner_called(name)) for name in self.scanners)
        return built_in().with_more([Rule(each.id, each.pattern) for each in self.patterns], looks)

    def rules_for(self, routes: Sequence[Route]) -> tuple[tuple[str | None, Mode], ...]:
        """What holds for the replies that `routes` make together (a route, and a composite's steps): whom each rule is
        about, and its mode, the last that fits first."""
        found: list[tuple[str | None, Mode]] = [(None, "mark")]
        for rule in self.rules:
            if any(_about(rule.match, each) for each in routes):
                found.append((rule.match.agent, rule.content))
        return tuple(reversed(found))


def _about(match: Match, route: Route) -> bool:
    upstreams = [each.upstream for each in (route.legacy, route.replacement) if each is not None]
    return (
        match.route in (None, route.operation_id)
        and match.group in (None, route.group)
        and (match.upstream is None or match.upstream in upstreams)
    )


def check_content_policy(
    files: Mapping[str, bytes], content: BaseModel, routes: Sequence[Route], report: Report
) -> None:
    """Notes rules that are about no route, ids that stand twice, and scanners that aren't installed."""
    document = parse(FILE, files[FILE], Report()) if FILE in files else None
    if document is None:
        return
    assert isinstance(content, Content)
    for number, rule in enumerate(content.rules):
        if not any(_about(rule.match, each) for each in routes):
            report.add(document, ("rules", str(number), "match"), "no route is matched by this")
    known = {each.id for each in built_in().rules}
    for number, each in enumerate(content.patterns):
        if each.id in known:
            _say(report, document, ("patterns", str(number), "id"), f"there is a rule '{each.id}' already: rename it")
        known.add(each.id)
    for number, name in enumerate(content.scanners):
        try:
            scanner_called(name)
        except UnknownScanner as error:
            _say(report, document, ("scanners", str(number)), str(error))


def _say(report: Report, document: Document, place: Place, sentence: str) -> None:
    report.add(document, place, sentence)
