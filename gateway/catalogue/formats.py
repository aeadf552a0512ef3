"""Tools as vendors' programs take them, of what `tools/list` says; what a format can't express is refused, never bent.

- OpenAI: functions of the Responses API. Strict where the schema fits what strict mode takes as it stands.
- Anthropic: tools of the Messages API.
- Gemini: function declarations, with `parametersJsonSchema`.
- MCP: as they are (revision 2026-07-28).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from adapters.contract import JsonSchema

Told: TypeAlias = Mapping[str, Any]
"""A tool as `tools/list` says it."""
_LONGEST_TOLD = 1_024
"""Characters that OpenAI takes of a description."""
_KEY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
"""What Anthropic takes as the name of an argument."""
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")
"""What all of them take as the name of a tool."""
# What strict mode of OpenAI knows (Structured Outputs, "Supported schemas"), and how much of it.
_STRICT = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs"}
    | {"title", "description", "pattern", "format", "multipleOf", "minItems", "maxItems"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
)
_STRICT_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_STRICT_MEMBERS, _STRICT_LEVELS, _STRICT_ENUMS = 5_000, 10, 1_000
# What changes which shape a value has, and Gemini has no word for: it would be as if it weren't there.
_NOT_GEMINI = frozenset(
    {"allOf", "not", "if", "then", "else", "patternProperties", "propertyNames", "dependentSchemas", "contains"}
    | {"dependentRequired", "unevaluatedProperties", "unevaluatedItems"}
)


class CantExpress(Exception):
    """A tool that a format has no words for; the message is a sentence that says why."""


def openai(tool: Told) -> dict[str, Any]:
    """A function tool of the Responses API; raises `CantExpress`."""
    _check_name(tool)
    if len(tool["description"]) > _LONGEST_TOLD:
        raise CantExpress(f"its description has {len(tool['description'])} characters, and OpenAI takes 1024")
    schema = tool["inputSchema"]
    strict = fits_strict(schema)
    told = {"name": tool["name"], "description": tool["description"], "parameters": schema, "strict": strict}
    return {"type": "function", **told}


def anthropic(tool: Told) -> dict[str, Any]:
    """A tool of the Messages API; raises `CantExpress`."""
    _check_name(tool)
    schema = tool["inputSchema"]
    for name in schema.get("properties", {}):
        if not _KEY.fullmatch(name):
            raise CantExpress(
                f"its argument '{name}' isn't named by up to 64 letters, digits, dots, underscores and hyphens, "
                "as Anthropic's have to be"
            )
    return {"name": tool["name"], "description": tool["description"], "input_schema": schema}


def gemini(tool: Told) -> dict[str, Any]:
    """A function declaration; raises `CantExpress`."""
    _check_name(tool)
    schema = tool["inputSchema"]
    for place, part in parts(schema):
        if "$ref" in part:
            # All others are written out already.
            raise CantExpress(f"its schema refers to a part of itself at {place}, which Gemini doesn't follow")
        strange = sorted(_NOT_GEMINI & part.keys())
        if strange:
            raise CantExpress(f"its schema has '{strange[0]}' at {place}, which Gemini doesn't know")
    return {"name": tool["name"], "description": tool["description"], "parametersJsonSchema": schema}


def mcp(tool: Told) -> dict[str, Any]:
    """The tool as it is."""
    return dict(tool)


FORMATS: Mapping[str, tuple[Callable[[Told], dict[str, Any]], Callable[[list[dict[str, Any]]], Any]]] = {
    "openai": (openai, list),
    "anthropic": (anthropic, list),
    "gemini": (gemini, lambda tools: [{"functionDeclarations": tools}]),
    "mcp": (mcp, lambda tools: {"tools": tools}),
}
"""Format → what makes a tool, and what makes of all of them what is given to the vendor's program."""


def _check_name(tool: Told) -> None:
    if not _NAME.fullmatch(tool["name"]):
        raise CantExpress("its name isn't one of up to 64 letters, digits, underscores and hyphens")


def fits_strict(schema: JsonSchema) -> bool:
    """Whether a schema is what OpenAI's strict mode takes, as it stands: every object closed, every member required."""
    members = 0
    for place, part in parts(schema):
        members += len(part.get("properties", {}))
        if not _strict_part(part) or place.count("/properties/") > _STRICT_LEVELS:
            return False
    return members <= _STRICT_MEMBERS


def _strict_part(part: JsonSchema) -> bool:
    if not part.keys() <= _STRICT or not part.keys() & {"type", "anyOf", "$ref", "enum", "const"}:
        return False
    types = part.get("type")
    if types == "object" or (isinstance(types, list) and "object" in types):
        closed = part.get("additionalProperties") is False
        return closed and set(part.get("required", ())) == set(part.get("properties", {}))
    pattern = part.get("pattern", "")
    # Its regular expressions have no lookaround.
    return (
        part.get("format", "date") in _STRICT_FORMATS
        and "(?" not in pattern
        and len(part.get("enum", ())) <= _STRICT_ENUMS
    )


def parts(schema: Any, place: str = "#") -> Iterator[tuple[str, JsonSchema]]:
    """A schema and every schema within it, each with its place as a JSON Pointer."""
    if not isinstance(schema, Mapping):
        return
    yield place, schema
    for key in ("properties", "$defs", "patternProperties", "dependentSchemas"):
        for name, part in schema.get(key, {}).items():
            yield from parts(part, f"{place}/{key}/{name.replace('~', '~0').replace('/', '~1')}")
    for key in ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"):
        yield from parts(schema.get(key), f"{place}/{key}")
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for number, part in enumerate(schema.get(key, ())):
            yield from parts(part, f"{place}/{key}/{number}")
