"""Tools of the conformance suite that ask their caller back, a round at a time (SEP-2322)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server.mcpserver import Context


def text(value: str) -> types.TextContent:
    return types.TextContent(type="text", text=value)


def question(message: str, name: str, kind: str = "string") -> dict[str, Any]:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}}


def sample(message: str, most: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": {"type": "text", "text": message}}]
    return {"method": "sampling/createMessage", "params": {"messages": messages, "maxTokens": most}}


ROOTS = {"method": "roots/list", "params": {}}
NAME = {"user_name": question("What is your name?", "name")}


def asks(requests: dict[str, Any], state: str | None = None) -> Any:
    asked = {"inputRequests": requests} | ({} if state is None else {"requestState": state})
    return types.InputRequiredResult.model_validate(asked)


def rounds(*each: tuple[dict[str, Any], str | None]) -> Callable[[Context], Any]:
    """A tool that asks once a round."""

    def ask(context: Context) -> Any:
        given, state = context.input_responses or {}, context.request_state
        done = 0
        for number, (requests, told) in enumerate(each, 1):
            # What was asked before isn't sent again: its state stands for it.
            if requests.keys() <= given.keys() and (told is None or told == state):
                done = number
        if done < len(each):
            requests, told = each[done]
            return asks(requests, told)
        return types.CallToolResult(content=[text("state-ok: hello, and thank you")])

    return ask


def in_reach(context: Context) -> Any:
    declared = context.client_capabilities
    offered = {"elicitation": NAME, "sampling": {"capital_question": sample("What is the capital?", 100)}}
    usable = {
        key: each
        for name, requests in offered.items()
        if declared is not None and getattr(declared, name) is not None
        for key, each in requests.items()
    }
    return asks(usable) if usable else types.CallToolResult(content=[text("Nothing can be asked.")])


CONFIRM = {"confirm": question("Please confirm", "ok", "boolean")}
ASKING: dict[str, Any] = {
    "elicitation": rounds((NAME, None)),
    "sampling": rounds(({"capital_question": sample("What is the capital of France?", 100)}, None)),
    "list_roots": rounds(({"client_roots": ROOTS}, None)),
    "request_state": rounds((CONFIRM, "confirming")),
    "tampered_state": rounds((CONFIRM, "confirming")),
    "multiple_inputs": rounds(({**NAME, "greeting": sample("Generate a greeting", 50), "client_roots": ROOTS}, "many")),
    "multi_round": rounds(
        ({"step1": question("Step 1: What is your name?", "name")}, "round-1"),
        ({"step2": question("Step 2: What is your favorite color?", "color")}, "round-2"),
    ),
    "capabilities": in_reach,
}
