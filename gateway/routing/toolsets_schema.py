"""The shape of `policies/toolsets.yaml`: which tools are shown to which agents, of those that policies let them use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.call import Principal
from gateway.routing.model import Route
from gateway.routing.report import Document, Report
from gateway.routing.source import parse

FILE = "policies/toolsets.yaml"
SEARCH, DESCRIBE, CALL = "search_tools", "describe_tool", "call_tool"
"""The tools by which tools are found, described and called: no operation may be called so."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Whom(_Model):
    """Some callers: those for whom all of it holds."""

    agent: str | None = Field(default=None, min_length=1, description='The program that asks; `"*"`: any.')
    principal: str | None = Field(default=None, min_length=1, description="On whose behalf it asks.")
    role: str | None = Field(default=None, min_length=1, description="One of the principal's roles.")
    team: str | None = Field(default=None, min_length=1, description="One of the principal's teams.")
    tenant: str | None = Field(default=None, min_length=1, description="The principal's organisation.")

    @model_validator(mode="after")
    def _says_something(self) -> Whom:
        if not self.model_fields_set:
            raise ValueError("this is for nobody: give agent, principal, role, team or tenant")
        return self

    def holds(self, principal: Principal) -> bool:
        """Whether a caller is one of them."""
        return (
            (self.agent is None or principal.agent == self.agent or (self.agent == "*" and principal.agent is not None))
            and self.principal in (None, principal.id)
            and self.tenant in (None, principal.tenant)
            and (self.role is None or self.role in principal.roles)
            and (self.team is None or self.team in principal.teams)
        )


class Toolset(_Model):
    """Some tools, and to whom they are shown."""

    whom: tuple[Whom, ...] = Field(alias="for", min_length=1, max_length=100, description="Who sees no other tools.")
    tools: tuple[str, ...] = Field(default=(), max_length=1000, description="operationIds.")
    groups: tuple[str, ...] = Field(
        default=(), max_length=200, description="Route groups, all of whose tools are in it."
    )
    effect: Literal["read"] | None = Field(default=None, description="`read`: of all these only those that read.")

    @model_validator(mode="after")
    def _holds_something(self) -> Toolset:
        if not (self.tools or self.groups or self.effect):
            raise ValueError("the toolset is empty: give tools, groups or effect")
        return self

    def has(self, route: Route) -> bool:
        """Whether a route's tool is in it."""
        named = route.operation_id in self.tools or route.group in self.groups or not (self.tools or self.groups)
        return named and self.effect in (None, route.effect.value)


class Toolsets(_Model):
    """`policies/toolsets.yaml`."""

    toolsets: dict[str, Toolset] = Field(
        default_factory=dict, max_length=200, description="By name; who is in several sees what is in any of them."
    )

    def show(self, principal: Principal, route: Route) -> bool:
        """Whether a caller is shown a route's tool: it is in one of its toolsets, or the caller has none."""
        of = self.of(principal)
        return not of or any(each.has(route) for each in of)

    def of(self, principal: Principal) -> tuple[Toolset, ...]:
        """The toolsets of a caller."""
        return tuple(each for each in self.toolsets.values() if any(whom.holds(principal) for whom in each.whom))


def check_toolsets(files: Mapping[str, bytes], toolsets: BaseModel, routes: Sequence[Route], report: Report) -> None:
    """Notes what no route, and no group, is called."""
    document = parse(FILE, files[FILE], Report()) if FILE in files else None
    if document is None:
        return
    assert isinstance(toolsets, Toolsets)
    known = {"tools": {each.operation_id for each in routes}, "groups": {each.group for each in routes}}
    for name, toolset in toolsets.toolsets.items():
        _check(document, name, "tools", toolset.tools, known["tools"], report)
        _check(document, name, "groups", toolset.groups, known["groups"], report)


def _check(document: Document, toolset: str, key: str, names: Sequence[str], known: set[str], report: Report) -> None:
    word = "route" if key == "tools" else "route group"
    for number, name in enumerate(names):
        if name not in known:
            report.add(document, ("toolsets", toolset, key, str(number)), f"there is no {word} '{name}'")
