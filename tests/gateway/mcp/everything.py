"""What the conformance suite wants to be served that the gateway doesn't have: prompts, samples and questions to the
client, tools that answer pictures, resources of the suite's own.

This stands behind the gateway's door beside what it serves itself, which comes first, so that the suite can go through
the door. Names and texts are the suite's.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import mcp_types as types
from asking import ASKING, NAME, asks, question, rounds, text
from joining import join
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, Field

from gateway.ingress.mcp_sdk import Sdk

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="  # 1 x 1
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
TOLD = "What the suite asks for by this name."
server = MCPServer("everything", version="1")


class Everything(Sdk):
    """Both as the door's `rest`, with sessions, as the suite's tools ask their clients back."""

    whole = True

    def manager(self, own: Any) -> StreamableHTTPSessionManager:
        join(own, server._lowlevel_server)
        return StreamableHTTPSessionManager(server._lowlevel_server, max_request_body_size=2**24)


# ── tools ────────────────────────────────────────────────────────────────────────────────────────────────────


def resource(uri: str, kind: str, content: str) -> types.EmbeddedResource:
    return types.EmbeddedResource(
        type="resource", resource=types.TextResourceContents(uri=uri, mime_type=kind, text=content)
    )


IMAGE = types.ImageContent(type="image", data=PNG, mime_type="image/png")
AUDIO = types.AudioContent(type="audio", data=WAV, mime_type="audio/wav")
CONTENTS: dict[str, list[Any]] = {
    "test_image_content": [IMAGE],
    "test_audio_content": [AUDIO],
    "test_embedded_resource": [
        resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        IMAGE,
        resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
}


def tells(content: list[Any]) -> Callable[[], Any]:
    def tell() -> Any:
        return types.CallToolResult(content=content)

    return tell


for name, content in CONTENTS.items():
    server.add_tool(tells(content), name=name, description=TOLD, structured_output=False)


async def logs(context: Context) -> str:
    for each in ("started", "processing data", "completed"):
        await context.info(f"Tool {'execution ' if each != 'processing data' else ''}{each}")
        await asyncio.sleep(0.05)
    return "Logged."


server.add_tool(logs, name="test_tool_with_logging", description=TOLD, structured_output=False)
server.add_tool(logs, name="test_logging_tool", description=TOLD, structured_output=False)


@server.tool(description=TOLD, structured_output=False)
async def test_tool_with_progress(context: Context) -> str:
    for each in (0, 50, 100):
        await context.report_progress(each, 100)
        await asyncio.sleep(0.05)
    return "Done."


@server.tool(description=TOLD, structured_output=False)
async def test_sampling(prompt: str, context: Context) -> str:
    message = types.SamplingMessage(role="user", content=text(prompt))
    answer = await context.session.create_message(messages=[message], max_tokens=100)
    return f"LLM response: {answer.content.text}"


class Contact(BaseModel):
    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


@server.tool(description=TOLD, structured_output=False)
async def test_elicitation(message: str, context: Context) -> str:
    answer = await context.elicit(message=message, schema=Contact)
    return f"User response: action={answer.action}"


async def elicits(context: Context, properties: dict[str, Any]) -> str:
    answer = await context.session.elicit_form("Please answer", {"type": "object", "properties": properties})
    return f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}"


STATES = ["active", "inactive", "pending"]


@server.tool(description=TOLD, structured_output=False)
async def test_elicitation_sep1034_defaults(context: Context) -> str:
    return await elicits(
        context,
        {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": STATES, "default": "active"},
            "verified": {"type": "boolean", "default": True},
        },
    )


TITLED = [{"const": f"value{number}", "title": f"Option {number}"} for number in (1, 2, 3)]


@server.tool(description=TOLD, structured_output=False)
async def test_elicitation_sep1330_enums(context: Context) -> str:
    return await elicits(
        context,
        {
            "untitledSingle": {"type": "string", "enum": STATES},
            "titledSingle": {"type": "string", "oneOf": TITLED},
            "legacyEnum": {"type": "string", "enum": STATES, "enumNames": ["A", "B", "C"]},
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": STATES}},
            "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
        },
    )


# ── results that ask back (SEP-2322) ─────────────────────────────────────────────────────────────────────────


def needs(context: Context, capability: str) -> None:
    declared = context.client_capabilities
    if declared is None or getattr(declared, capability) is None:
        raise MCPError(
            code=types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            message=f"The client hasn't declared {capability}.",
            data={"requiredCapabilities": {capability: {}}},
        )


for name, function in ASKING.items():
    server.add_tool(function, name=f"test_input_required_result_{name}", description=TOLD, structured_output=False)


@server.tool(description=TOLD, structured_output=False)
def test_missing_capability(context: Context) -> str:
    needs(context, "sampling")
    return "Declared."


server.add_tool(rounds((NAME, None)), name="test_streaming_elicitation", description=TOLD, structured_output=False)


@server.tool(description=TOLD, structured_output=False)
async def test_trigger_tool_change(context: Context) -> str:
    await context.notify_tools_changed()
    return "Told."


@server.tool(description=TOLD, structured_output=False)
async def test_trigger_prompt_change(context: Context) -> str:
    await context.notify_prompts_changed()
    return "Told."


# ── resources and prompts ────────────────────────────────────────────────────────────────────────────────────


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    return base64.b64decode(PNG)


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@server.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    return "Watched resource content"


@server.prompt(description=TOLD)
def test_simple_prompt() -> list[Any]:
    return [UserMessage("This is a simple prompt for testing.")]


@server.prompt(description=TOLD)
def test_prompt_with_arguments(arg1: str, arg2: str) -> list[Any]:
    return [UserMessage(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]


@server.prompt(description=TOLD)
def test_prompt_with_embedded_resource(resourceUri: str) -> list[Any]:  # noqa: N803 - the suite's name
    embedded = resource(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [UserMessage(embedded), UserMessage("Please process the embedded resource above.")]


@server.prompt(description=TOLD)
def test_prompt_with_image() -> list[Any]:
    return [UserMessage(IMAGE), UserMessage("Please analyze the image above.")]


@server.prompt(description=TOLD)
def test_input_required_result_prompt(context: Context) -> Any:
    if "user_context" not in (context.input_responses or {}):
        return asks({"user_context": question("What context should the prompt use?", "context")})
    return [UserMessage("Use the given context.")]


@server.completion()
async def completed(*_: Any) -> types.Completion:
    return types.Completion(values=["paris", "park"], total=2, has_more=False)


async def nothing(*_: Any) -> types.EmptyResult:
    return types.EmptyResult()


for method, parameters in {
    "resources/subscribe": types.SubscribeRequestParams,
    "resources/unsubscribe": types.UnsubscribeRequestParams,
    "logging/setLevel": types.SetLevelRequestParams,
}.items():
    server._lowlevel_server.add_request_handler(method, parameters, nothing)
