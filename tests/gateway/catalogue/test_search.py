"""Tools are found, described and called by three others, where there are too many to list them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from gateway.audit.verify import records

SEED = 20261122
CALLERS = 10
THREE = ["call_tool", "describe_tool", "search_tools"]
Ask = Callable[..., Any]


def listed(ask: Ask, client: httpx.Client) -> list[str]:
    return [tool["name"] for tool in ask(client, "tools/list", {})["result"]["tools"]]


def called(ask: Ask, client: httpx.Client, name: str, /, **arguments: Any) -> Any:
    return ask(client, "tools/call", {"name": name, "arguments": arguments})["result"]


def found(ask: Ask, client: httpx.Client, query: str, limit: int = 20) -> dict[str, Any]:
    told: dict[str, Any] = called(ask, client, "search_tools", query=query, limit=limit)["structuredContent"]
    return told


def test_many_tools_are_three(gateway: Any, ask: Ask) -> None:
    with gateway.client() as client:
        tools = ask(client, "tools/list", {})["result"]["tools"]
    assert [tool["name"] for tool in tools] == THREE
    assert [tool["annotations"]["readOnlyHint"] for tool in tools] == [False, True, True]
    with gateway.client(gateway.reader) as client:  # who may use few of them sees them all
        assert set(listed(ask, client)).isdisjoint(THREE)


def test_a_tool_is_found_described_and_called(gateway: Any, ask: Ask) -> None:
    with gateway.client() as client:
        told = found(ask, client, "how many of BRK-1 are left", 3)
        assert told["of"] == 52
        assert len(told["tools"]) == 3
        assert told["tools"][0]["name"] == "get_inventory"
        assert told["tools"][0]["required"] == ["sku"]
        described = json.loads(called(ask, client, "describe_tool", name="get_inventory")["content"][0]["text"])
        assert described["inputSchema"]["required"] == ["sku"]
        through = called(ask, client, "call_tool", name="get_inventory", arguments={"sku": "BRK-1"})
        directly = called(ask, client, "get_inventory", sku="BRK-1")
        assert through["structuredContent"] == directly["structuredContent"]
        assert "figway/mock" in through["_meta"]


def test_where_few_tools_fit_the_names_of_the_others_are_told(gateway: Any, ask: Ask) -> None:
    with gateway.client() as client:
        nothing, enough = found(ask, client, "xylophone"), found(ask, client, "which customers", 1)
    assert nothing["tools"] == []
    assert len(nothing["others"]) == nothing["of"] == 52
    assert "others" not in enough


def test_the_audit_names_the_tool_that_was_called(gateway: Any, ask: Ask, running: ModuleType) -> None:
    key = running.create_key(gateway.folder, "writer", principal="carol")
    with gateway.client(key) as client:
        called(ask, client, "call_tool", name="list_leads", arguments={"limit": 1})
        found(ask, client, "leads")
        called(ask, client, "call_tool", name="nothing_such")
    with gateway.client(gateway.reader) as client:  # a refusal is on disk before it is told, and all before it, too
        ask(client, "tools/call", {"name": "create_task"})
    told = [each for each in records(gateway.folder / ".figway" / "audit") if each.get("principal") == "carol"]
    assert [(each.get("operation"), each["status"]) for each in told] == [("list_leads", 200), ("", 200), ("", 404)]
    assert [each["noted"]["mcp"] for each in told] == ["tools/call", "search_tools", "tools/call"]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("search_tools", {}, "query"),
        ("search_tools", {"query": "x", "limit": 500}, "/limit"),
        ("search_tools", {"query": "x", "limits": 5}, "'limit'"),
        ("describe_tool", {"name": 5}, "/name"),
        ("describe_tool", {"name": "nothing_such"}, "search_tools"),
        ("call_tool", {"name": "nothing_such"}, "search_tools"),
        ("call_tool", {"name": "search_tools"}, "by itself"),
        ("call_tool", {"name": "get_inventory", "arguments": {}}, "sku"),
        ("call_tool", {"name": "get_inventory", "arguments": {"sku": "A", "more": 1}}, "more"),
        ("call_tool", {"name": "get_inventory", "arguments": "sku"}, "/arguments"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_wrong_is_told(gateway: Any, ask: Ask, name: str, arguments: dict[str, Any], told: str) -> None:
    with gateway.client() as client:
        result = called(ask, client, name, **arguments)
    assert result["isError"] is True
    assert told in result["content"][0]["text"]


def test_a_write_may_be_tried_and_sent_again_through_it(gateway: Any, ask: Ask) -> None:
    how = {"idempotency_key": "01-through-call_tool"}
    with gateway.client() as client:
        made = {"title": "Ring Bauer", "_gateway": how}
        first, again = (called(ask, client, "call_tool", name="create_task", arguments=made) for _ in range(2))
        assert first["isError"] is False, first
        assert again["structuredContent"] == first["structuredContent"]
        wrong = called(ask, client, "call_tool", name="create_task", arguments={"_gateway": {"dry-run": True}})
        assert "/_gateway" in wrong["content"][0]["text"]


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_the_official_client_finds_and_calls(gateway: Any, mode: str) -> None:
    async with (
        httpx2.AsyncClient(headers={"authorization": gateway.writer}, timeout=30) as http,
        Client(streamable_http_client(f"{gateway.url}/mcp", http_client=http), mode=mode) as client,
    ):
        assert [tool.name for tool in (await client.list_tools()).tools] == THREE
        told = await client.call_tool("search_tools", {"query": "which bills are overdue"})
        assert told.structured_content["tools"][0]["name"] == "list_invoices"
        result = await client.call_tool("call_tool", {"name": "list_invoices", "arguments": {"status": "overdue"}})
        assert result.structured_content["next"] is None


# ── what isn't for everybody ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def allowed(company: ModuleType) -> list[list[str]]:
    """What each caller may use; every second one more than can be listed."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    names = sorted(
        operation["operationId"] for item in company.contract()["paths"].values() for operation in item.values()
    )
    return [
        sorted(chance.sample(names, chance.randint(41, 51) if each % 2 else chance.randint(0, 40)))
        for each in range(CALLERS)
    ]


def actions(names: list[str]) -> str:
    return ", ".join(f'Action::"{name}"' for name in names)


@pytest.fixture(scope="module")
def guarded(
    company: ModuleType, running: ModuleType, allowed: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    rules = [
        f'permit (principal in Role::"role{number}", action in [{actions(names)}], resource);'
        for number, names in enumerate(allowed)
        if names
    ]
    files = {**company.files(), "policies/access.cedar": "\n".join(rules)}
    with running.serving(running.write_workspace(tmp_path_factory.mktemp("guarded"), files)) as gateway:
        yield gateway


def test_nothing_of_a_hidden_tool_shows(
    guarded: Any, ask: Ask, running: ModuleType, allowed: list[list[str]], company: ModuleType
) -> None:
    everything = sorted({name for names in allowed for name in names})
    leaks = tried = 0
    for number, names in enumerate(allowed):
        key = running.create_key(guarded.folder, f"role{number}", principal=f"caller{number}")
        with guarded.client(key) as client:
            assert listed(ask, client) == (names if len(names) <= 40 else THREE)
            unknown = [
                _without_id(called(ask, client, each, name="no_such_tool")) for each in ("describe_tool", "call_tool")
            ]
            direct = ask(client, "tools/call", {"name": "no_such_tool"})
            for name in everything:
                tried += 3
                if name in names:
                    assert called(ask, client, "describe_tool", name=name)["isError"] is False
                    continue
                told = [_without_id(called(ask, client, each, name=name)) for each in ("describe_tool", "call_tool")]
                leaks += sum(one != other for one, other in zip(told, unknown, strict=True))
                leaks += ask(client, "tools/call", {"name": name}) != direct
            for query, _ in company.tasks("company_tasks.yaml")[::5]:
                told_ = found(ask, client, query)
                tried += 1
                leaks += not {each["name"] for each in told_["tools"]} <= set(names)
                assert told_["of"] == len(names)
    print(f"{tried} tries, {leaks} leaks")
    assert tried >= 1_000
    assert leaks == 0


def _without_id(result: Any) -> str:
    problem = json.loads(result["content"][0]["text"])
    problem.pop("instance")
    return json.dumps([result["isError"], problem], sort_keys=True)


def test_what_is_found_is_the_same_as_if_nothing_else_were_there(
    guarded: Any,
    ask: Ask,
    running: ModuleType,
    allowed: list[list[str]],
    company: ModuleType,
    tools_in: Any,
    tmp_path_factory: Any,
) -> None:
    # The order of what is found depends on how rare words are: of the caller's own tools, and no others.
    from gateway.catalogue.ranking import ranked
    from gateway.ingress.mcp_tools import Seen

    number = 1
    contract = company.contract()
    mine = set(allowed[number])
    paths = {
        path: {method: each for method, each in item.items() if each["operationId"] in mine}
        for path, item in contract["paths"].items()
    }
    document = json.dumps({**contract, "paths": {path: item for path, item in paths.items() if item}})
    folder = tmp_path_factory.mktemp("alone")
    running.write_workspace(folder, {"gateway.yaml": "upstreams: {}\n", "openapi/company.yaml": document})
    alone = tools_in(folder)
    entries = [alone.entry(Seen(tool, frozenset())) for tool in alone.by_name.values()]
    key = running.create_key(guarded.folder, f"role{number}", principal="alone")
    with guarded.client(key) as client:
        for query, _ in company.tasks("company_tasks.yaml"):
            told = [each["name"] for each in found(ask, client, query)["tools"]]
            assert told == [name for name, _ in ranked(query, entries)][:20], query


# ── toolsets ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_toolset_narrows_what_is_shown_and_not_what_is_permitted(gateway: Any, ask: Ask, running: ModuleType) -> None:
    key = running.create_key(gateway.folder, "writer", principal="dora", agent="support-bot")
    with gateway.client(key) as client:
        shown = listed(ask, client)
        tasks = ["list_tasks", "create_task", "complete_task", "list_tickets", "open_ticket"]
        assert shown == sorted(["get_customer", "cancel_order", *tasks])
        told = found(ask, client, "which suppliers do we have")
        assert told["of"] == len(shown)
        assert {each["name"] for each in told["tools"]} <= set(shown)
        assert called(ask, client, "list_suppliers")["isError"] is False
        assert called(ask, client, "describe_tool", name="list_suppliers")["isError"] is False


def test_a_toolset_gives_nobody_more(gateway: Any, ask: Ask, running: ModuleType) -> None:
    key = running.create_key(gateway.folder, "reader", principal="erik", agent="support-bot")
    with gateway.client(key) as client:
        assert listed(ask, client) == ["get_customer", "list_tasks", "list_tickets"]
        assert "Unknown tool" in ask(client, "tools/call", {"name": "cancel_order"})["error"]["message"]


def test_a_toolset_may_be_what_reads(gateway: Any, ask: Ask, running: ModuleType) -> None:
    key = running.create_key(gateway.folder, "writer", principal="fred", agent="looker")
    with gateway.client(key) as client:
        assert listed(ask, client) == [
            "get_customer", "get_customer_overview", "list_contacts", "list_customers", "list_leads",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("toolsets", "told"),
    [
        ("{a: {for: [{agent: x}], tools: [nothing_such]}}", "there is no route 'nothing_such'"),
        ("{a: {for: [{agent: x}], groups: [nothing]}}", "there is no route group 'nothing'"),
        ("{a: {for: [{agent: x}]}}", "the toolset is empty"),
        ("{a: {for: [{}], effect: read}}", "this is for nobody"),
        ("{a: {for: [], effect: read}}", "toolsets.a.for"),
        ("{a: {tools: [get_customer]}}", "toolsets.a.for"),
    ],
    ids=["route", "group", "empty", "nobody", "for none", "for missing"],
)
def test_a_toolset_of_nothing_is_found_by_check(
    company: ModuleType, running: ModuleType, tmp_path: Any, toolsets: str, told: str
) -> None:
    folder = running.write_workspace(tmp_path, {**company.files(), "policies/toolsets.yaml": f"toolsets: {toolsets}\n"})
    done = running.figway("check", "--workspace", str(folder))
    assert done.returncode == 1
    assert told in done.stdout + done.stderr


def test_no_operation_takes_the_name_of_one_of_the_three(
    company: ModuleType, running: ModuleType, tmp_path: Any
) -> None:
    text = company.files()["openapi/company.yaml"].replace('"list_leads"', '"search_tools"')
    folder = running.write_workspace(tmp_path, {**company.files(), "openapi/company.yaml": text})
    done = running.figway("check", "--workspace", str(folder))
    assert done.returncode == 1
    assert "choose another operationId" in done.stdout + done.stderr
