"""What a tool's call costs: CPU time by MCP, by REST, and of a bare tool of the official SDK.

One worker each, 64 connections of wrk, rounds interleaved. The governed route is that of `governed.py`, spans of every
twentieth call included; the bare tool answers the same from memory, with no credential, policy, contract or record.
"""

from __future__ import annotations

import re
import runpy
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROUNDS, SECONDS, CONNECTIONS = 5, 3, 64

BARE = """
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, TextContent, Tool, ListToolsResult

ITEM = {"sku": "BRG-6204", "name": "Deep groove ball bearing", "on_hand": 42}
TOOL = Tool(name="get_item", input_schema={"type": "object"})

async def tools(context, params):
    return ListToolsResult(tools=[TOOL])

async def call(context, params):
    return CallToolResult(content=[TextContent(type="text", text="{}")], structured_content=ITEM)

server = Server("bare", on_list_tools=tools, on_call_tool=call, get_tool_input_schema=lambda _: None)
app = server.streamable_http_app(json_response=True, stateless_http=True)
"""
CALL = r"""
wrk.method = "POST"
wrk.path = "/mcp"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.headers["MCP-Protocol-Version"] = "2026-07-28"
wrk.headers["Mcp-Method"] = "tools/call"
wrk.headers["Mcp-Name"] = "get_item"
wrk.body = [[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_item","arguments":{"sku":"BRG-6204"},
"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}]]
"""


@dataclass
class Way:
    """One way to the item: a server, and what wrk is told beside its address."""

    name: str
    server: Any
    options: tuple[str, ...]
    cpu: list[float]

    def load(self, seconds: int) -> int:
        """Requests answered."""
        url = f"http://127.0.0.1:{self.server.port}/items/BRG-6204"
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", self.server.header, *self.options, url]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in text:
            raise RuntimeError(f"{self.name} answered errors:\n{text}")
        return int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]


def measure() -> list[dict[str, object]]:
    """CPU time per call in µs, and its ratios to a bare tool and to the same route by REST."""
    shared = runpy.run_path(str(HERE / "governed.py"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "call.lua").write_text(CALL)
        by_mcp = ("-s", str(folder / "call.lua"))
        collector = stack.enter_context(shared["_collector"]())
        governed = stack.enter_context(shared["_governed"](folder / "five", "governed", collector, 0.05))
        bare = stack.enter_context(shared["_asgi"]("bare_tool", BARE, folder))
        ways = [
            Way("a tool's call by MCP", governed, by_mcp, []),
            Way("the same route by REST", governed, (), []),
            Way("a bare tool of the SDK", bare, by_mcp, []),
        ]
        for way in ways:
            way.load(1)
        for _ in range(ROUNDS):
            for way in ways:
                before = shared["_cpu_seconds"](way.server.pid)
                answered = way.load(SECONDS)
                way.cpu.append((shared["_cpu_seconds"](way.server.pid) - before) / answered * 1e6)
    tool, rest, sdk = ways
    return [_figure(tool, sdk), _figure(tool, rest), _figure(rest, sdk), _figure(sdk, sdk)]


def _figure(way: Way, versus: Way) -> dict[str, object]:
    ratios = [a / b for a, b in zip(way.cpu, versus.cpu, strict=True)]
    return {
        "name": f"{way.name}: CPU per call",
        "value": statistics.median(way.cpu),
        "unit": "µs",
        "versus": versus.name,
        "ratio": statistics.median(ratios),
    }
