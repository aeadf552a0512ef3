"""Lineage of real calls: who may see it, what it tells, and that an old snapshot's mapping is still known."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

SECRET = "s3cret-value-of-a-caller"


def lineage(client: httpx.Client, path: str, **options: Any) -> dict[str, Any]:
    """The lineage of a call that is made now."""
    id = client.get(path).headers["figway-lineage"]
    reply = client.get(f"/-/lineage/{id}", **options)
    assert reply.status_code == 200, reply.text
    return reply.json()


def field(answer: dict[str, Any], pointer: str) -> dict[str, Any]:
    return next(each for each in answer["fields"] if each["pointer"] == pointer)


@pytest.fixture(scope="module")
def client(gateway: Any) -> Any:
    with gateway.client(gateway.reader) as client:
        yield client


def test_each_field_names_its_element_mapping_and_source(client: httpx.Client) -> None:
    answer = lineage(client, "/items/A-17")
    assert [each["pointer"] for each in answer["fields"]] == ["/sku", "/title", "/stock"]
    (origin,) = field(answer, "/title")["from"]
    assert (origin["upstream"], origin["operation"]) == ("lab", "item.get")
    assert (origin["pointer"], origin["element"]) == ("/name", "item.get:/name")
    mapping = answer["mappings"][origin["mappings"][0]]
    assert mapping["expression"] == "{sku: sku, title: name, stock: on_hand}"
    assert mapping["where"] == "openapi/shop.yaml:22"
    (call,) = [answer["calls"][at] for at in origin["calls"]]
    (source,) = call["sources"]
    assert source["object"] == "item.get"
    assert 0 <= source["age"] < 60
    assert answer["as_of"][:19] == source["as_of"][:19]
    assert (answer["served_by"], answer["snapshot"]["version"]) == ("legacy", 1)


def test_a_list_tells_what_its_filter_reads_and_that_the_cursor_is_our_own(client: httpx.Client) -> None:
    answer = lineage(client, "/items?limit=3")
    name = field(answer, "/items/*/title")
    assert [each["pointer"] for each in name["from"]] == ["/items/*/name"]
    assert [each["pointer"] for each in name["when"]] == ["/items/*/on_hand"]
    assert field(answer, "/next")["made_by"] == "gateway"


def test_a_composite_is_followed_through_its_steps(client: httpx.Client) -> None:
    answer = lineage(client, "/overview/A")
    assert [each["pointer"] for each in answer["fields"]] == ["/title", "/other/sku", "/other/title", "/other/stock"]
    (origin,) = field(answer, "/other/stock")["from"]
    assert origin["pointer"] == "/on_hand"
    assert [answer["mappings"][at]["route"] for at in origin["mappings"]] == ["get_overview", "get_item"]
    assert len(answer["calls"]) == 2
    assert origin["calls"] == [0, 1]


def test_a_step_for_each_item_is_followed_into_its_replies(client: httpx.Client) -> None:
    answer = lineage(client, "/many")
    for pointer, leads in (("/titles/*", "/name"), ("/first", "/on_hand")):
        origins = field(answer, pointer)["from"]
        assert ("item.get", leads) in [(each["operation"], each["pointer"]) for each in origins]
        assert all(each["operation"] == "item.get" for each in origins)
    assert [(each["step"], each["outcome"]) for each in answer["steps"]] == [("all", "ok"), ("each", "ok")]
    assert answer["steps"][1]["items"] == 2  # the first of three has no stock, and isn't listed


def test_a_problem_has_no_fields(client: httpx.Client) -> None:
    answer = lineage(client, f"/broken/{SECRET}")
    assert answer["status"] == 503
    assert answer["fields"] == []
    assert [each["outcome"] for each in answer["calls"]] == ["Unavailable"]


def test_no_value_is_told(client: httpx.Client) -> None:
    for path in (f"/items/{SECRET}", f"/overview/{SECRET}"):
        assert SECRET not in json.dumps(lineage(client, path))
        assert "ball bearing" not in json.dumps(lineage(client, path))


def test_only_the_caller_and_who_has_the_permission_may_see_it(
    client: httpx.Client, gateway: Any, shop: Path, running: ModuleType
) -> None:
    id = client.get("/items/A").headers["figway-lineage"]
    keys = {
        "another person": (running.create_key(shop, "reader", principal="bob"), 404),
        "the same person through an agent": (running.create_key(shop, "reader", agent="bot"), 404),
        "an auditor": (running.create_key(shop, "auditor", principal="ada"), 200),
        "the same person by another key": (running.create_key(shop, "reader"), 200),
    }
    for who, (key, status) in keys.items():
        assert client.get(f"/-/lineage/{id}", headers={"authorization": key}).status_code == status, who
    other = client.get("/-/lineage/01ARZ3NDEKTSV4RRFFQ69G5FAV", headers={"authorization": keys["another person"][0]})
    mine = client.get(f"/-/lineage/{id}", headers={"authorization": keys["another person"][0]})
    assert {**other.json(), "instance": ""} == {**mine.json(), "instance": ""}
    assert httpx.get(f"{gateway.url}/-/lineage/{id}").status_code == 401


def test_openlineage_has_what_its_schema_requires(client: httpx.Client) -> None:
    id = client.get("/items?limit=2").headers["figway-lineage"]
    event = client.get(f"/-/lineage/{id}?format=openlineage").json()
    assert client.get(f"/-/lineage/{id}", headers={"accept": "application/vnd.openlineage+json"}).json() == event
    check_run_event(event)
    assert event["eventType"] == "COMPLETE"
    columns = event["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert [each["field"] for each in columns["/items/*/title"]["inputFields"]] == [
        "item.list:/items/*/name",
        "item.list:/items/*/on_hand",
    ]
    assert client.get(f"/-/lineage/{id}?format=xml").status_code == 400


def check_run_event(event: dict[str, Any]) -> None:
    """What OpenLineage 2-0-2 requires of a RunEvent, and what its facets (Schema 1-1-1, ColumnLineage 1-2-0,
    SourceCode 1-0-1) require, written down from the published schemas."""
    assert event["eventType"] in {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event["eventTime"])
    assert re.match(r"[a-z]+:.+", event["producer"])
    assert event["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", event["run"]["runId"])
    assert event["job"]["namespace"]
    assert event["job"]["name"]
    for dataset in [*event["inputs"], *event["outputs"]]:
        assert dataset["namespace"]
        assert dataset["name"]
        assert all(each["name"] for each in dataset["facets"]["schema"]["fields"])
    for owner in (event["job"], *event["inputs"], *event["outputs"]):
        for facet in owner["facets"].values():
            assert re.match(r"[a-z]+:.+", facet["_producer"])
            assert re.match(r"https://openlineage\.io/spec/facets/\d-\d-\d/\w+\.json#/\$defs/\w+", facet["_schemaURL"])
    source = event["job"]["facets"]["sourceCode"]
    assert isinstance(source["language"], str)
    assert isinstance(source["sourceCode"], str)
    for column in event["outputs"][0]["facets"]["columnLineage"]["fields"].values():
        for used in column["inputFields"]:
            assert used.keys() >= {"namespace", "name", "field"}
            assert all(each["type"] in ("DIRECT", "INDIRECT") for each in used["transformations"])


def test_the_verb_tells_the_same_without_a_gateway(client: httpx.Client, shop: Path, running: ModuleType) -> None:
    answer = lineage(client, "/items/A")
    command = ["lineage", answer["id"], "--workspace", str(shop)]
    shown = json.loads(running.figway(*command, "--json", check=True).stdout)
    assert shown == answer
    text = running.figway(*command, check=True).stdout
    assert "/title  <-  item.get:/name" in text
    event = running.figway(*command, "--format", "openlineage", check=True).stdout
    check_run_event(json.loads(event))
    missing = running.figway("lineage", "nothing", *command[2:])
    assert missing.returncode == 1


def test_a_call_keeps_the_mapping_of_its_snapshot(
    client: httpx.Client, gateway: Any, shop: Path, running: ModuleType
) -> None:
    before = client.get("/items/A").headers["figway-lineage"]
    contract = (shop / "openapi/shop.yaml").read_text()
    changed = contract.replace('{sku: sku, title: name, stock: on_hand}"', '{sku: sku, title: sku, stock: on_hand}"')
    assert changed != contract
    running.write_workspace(
        shop, {"openapi/shop.yaml": changed, "policies/access.cedar": (shop / "policies/access.cedar").read_text()}
    )
    until = time.monotonic() + 20
    while (after := client.get("/items/A").headers)["figway-snapshot"] == "1":
        assert time.monotonic() < until, gateway.logged()
        time.sleep(0.1)
    told = {id: client.get(f"/-/lineage/{id}").json() for id in (before, after["figway-lineage"])}
    origins = [field(each, "/title")["from"][0]["pointer"] for each in told.values()]
    assert origins == ["/name", "/sku"]
