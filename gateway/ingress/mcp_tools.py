"""Routes as MCP tools (https://modelcontextprotocol.io/specification/2026-07-28/server/tools)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jsonschema_rs

from adapters.contract import Effect, Json, JsonSchema
from adapters.errors import pointer
from gateway.errors import InvalidRequest
from gateway.filters.validate import compiled
from gateway.ingress.mcp_schema import Shape, input_of, output_of
from gateway.policy.decide import Decision
from gateway.routing.model import Compiled, Route

_MOST_ERRORS = 20
_LONGEST = 300


@dataclass(frozen=True)
class Tool:
    """A route as a tool. `wrapped`: what it answers stands in `{"result": …}`."""

    route: Route
    description: str
    shape: Shape
    output: JsonSchema | None
    wrapped: bool
    needed: Mapping[str, Route]
    """The route and, of a composite, those of its steps: what has to be usable for it."""

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return compiled(self.shape.schema)

    def check(self, arguments: Mapping[str, Json]) -> None:
        """Raises `InvalidRequest` for arguments that break the input schema."""
        if self._validator.is_valid(arguments):
            return
        errors = []
        for error in self._validator.iter_errors(arguments):
            where = pointer(*error.instance_path)[:_LONGEST]
            errors.append({"pointer": where, "detail": error.message[:_LONGEST]})
            if len(errors) == _MOST_ERRORS:
                break
        where = errors[0]["pointer"] or "their root"
        detail = f"The arguments break the tool's input schema at {where}: {errors[0]['detail']}"
        raise InvalidRequest(detail, errors=errors, fix="Mend the named arguments, and call again.")

    def listed(self, *, exact: bool) -> dict[str, Any]:
        """The tool as `tools/list` says it; not `exact`: replies are narrowed for the caller, which the output schema
        doesn't say."""
        effect = self.route.effect
        told: dict[str, Any] = {
            "name": self.route.operation_id,
            "title": self.route.summary or self.route.operation_id,
            "description": self.description,
            "inputSchema": self.shape.schema,
            "annotations": {
                "readOnlyHint": effect is Effect.READ,
                "destructiveHint": effect is not Effect.READ and self.route.method != "POST",
                "idempotentHint": effect is not Effect.WRITE,
                "openWorldHint": False,
            },
        }
        if self.output is not None and exact:
            told["outputSchema"] = self.output
        return told


@dataclass
class Tools:
    """A snapshot's tools by name, in the order of their names. A route that answers bytes is none."""

    by_name: Mapping[str, Tool]
    routes: Mapping[str, Route]
    """Every route by operationId, as a composite's steps name them."""
    spelt: dict[tuple[str, bool], dict[str, Any]] = field(default_factory=dict)

    def told(self, decisions: Mapping[str, Decision], narrowed: Callable[[Route], bool]) -> list[dict[str, Any]]:
        """The tools that these decisions allow, as `tools/list` says them."""
        found = []
        for name, tool in self.by_name.items():
            if name not in decisions:
                continue
            grant = decisions[name].grant
            exact = not (narrowed(tool.route) and (decisions[name].waits or (grant is not None and grant.redacts)))
            if (name, exact) not in self.spelt:
                self.spelt[name, exact] = tool.listed(exact=exact)
            found.append(self.spelt[name, exact])
        return found


def tools_of(workspace: Compiled) -> Tools:
    """The tools of a workspace's routes."""
    described = {
        operation["operationId"]: operation
        for item in workspace.document["paths"].values()
        for operation in item.values()
    }
    routes = {route.operation_id: route for route in workspace.routes}
    named = {name: _tool(routes, name, described[name]) for name in sorted(routes) if not routes[name].content}
    return Tools(named, routes)


def _tool(routes: Mapping[str, Route], name: str, described: Mapping[str, Any]) -> Tool:
    route = routes[name]
    output, wrapped = output_of(route)
    told = [described.get("summary"), described.get("description")]
    if route.is_list:
        told.append("Answers one page: for the next one, call again with the `cursor` that stands in `next`.")
    sentences = [each.strip() for each in told if each and each.strip()]
    description = "\n\n".join(dict.fromkeys(sentences)) or f"{route.method} {route.path}"
    return Tool(route, description, input_of(route), output, wrapped, dict(_parts(routes, name)))


def _parts(routes: Mapping[str, Route], name: str) -> Iterator[tuple[str, Route]]:
    route = routes[name]
    yield name, route
    for step in () if route.compose is None else route.compose.steps:
        yield from _parts(routes, step.route)
