"""The contracts as one document, and what one caller sees of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs

from gateway.routing.document import visible
from gateway.routing.folder import read_workspace
from gateway.routing.load import Loaded

MORE = """\
openapi: 3.1.0
info: {title: More, version: "1"}
tags: [{name: more, description: More.}]
paths:
  /things/{thing_id}:
    delete:
      operationId: remove_thing
      tags: [more]
      parameters: [{name: thing_id, in: path, required: true, schema: {type: string}}]
      responses: {"204": {description: Gone.}, default: {description: Failed.}}
      x-gateway:
        effect: idempotent_write
        legacy: {upstream: shop, operation: "DELETE /v1/things/{id}", input: {id: path.thing_id}}
"""


def _document(files: dict[str, bytes], load: Callable[..., Loaded]) -> dict[str, object]:
    return dict(load({**files, "openapi/more.yaml": MORE.encode()}).compiled.document)


def test_contracts_become_one_document(files: dict[str, bytes], load: Callable[..., Loaded]) -> None:
    document = json.loads(json.dumps(_document(files, load)))
    assert "x-gateway" not in json.dumps(document)
    item = document["paths"]["/things/{thing_id}"]
    assert set(item) == {"get", "delete"}
    assert [each["name"] for each in item["get"]["parameters"]] == ["thing_id"]
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    assert item["get"]["responses"]["404"]["content"] == {"application/problem+json": problem}
    assert item["get"]["responses"]["default"]["content"] == {"application/problem+json": problem}
    assert item["delete"]["responses"]["default"]["description"] == "Failed."
    assert document["security"] == [{"credential": []}]
    assert document["components"]["securitySchemes"]["credential"]["scheme"] == "bearer"


def test_what_the_gateway_itself_answers_is_told(files: dict[str, bytes], load: Callable[..., Loaded]) -> None:
    document = json.loads(json.dumps(_document(files, load)))
    responses = document["paths"]["/things/{thing_id}"]["delete"]["responses"]
    limit = {"$ref": "#/components/headers/RateLimit"}
    assert responses["204"] == {"description": "Gone.", "headers": {"RateLimit": limit}}
    own = {"400": "BadRequest", "401": "Unauthorized", "403": "Forbidden", "429": "TooMany", "500": "Failed"}
    assert {status: responses[status] for status in own} == {
        status: {"$ref": f"#/components/responses/{name}"} for status, name in own.items()
    }
    assert set(document["components"]["responses"]["TooMany"]["headers"]) == {"RateLimit", "Retry-After"}
    assert document["info"]["description"].startswith("Of several contracts: ")
    assert document["servers"][0]["url"] == "/"


def test_a_contracts_own_response_of_such_a_name_stays(files: dict[str, bytes], load: Callable[..., Loaded]) -> None:
    more = MORE + "components: {responses: {Forbidden: {description: Mine.}}, headers: {RateLimit: {schema: {}}}}\n"
    document = dict(load({**files, "openapi/more.yaml": more.encode()}).compiled.document)
    limit = document["components"]["responses"]["Forbidden"]["headers"]["RateLimit"]
    assert document["components"]["responses"]["Forbidden"]["description"] == "Mine."
    assert limit["schema"]["maxLength"] == 1000
    responses = document["paths"]["/things/{thing_id}"]["delete"]["responses"]
    assert responses["403"]["description"] == "No policy lets this caller do this."


def test_a_caller_sees_what_it_may_use(files: dict[str, bytes], load: Callable[..., Loaded]) -> None:
    document = _document(files, load)
    seen = visible(document, {"remove_thing"})
    assert [list(item) for item in seen["paths"].values()] == [["delete"]]
    assert set(seen["components"]["schemas"]) == {"DryRun", "Problem"}
    assert set(seen["components"]["headers"]) == {"RateLimit", "Retry-After"}
    assert [tag["name"] for tag in seen["tags"]] == ["more"]
    whole = visible(document, {"get_thing", "remove_thing"})
    assert set(whole["components"]["schemas"]) == {"DryRun", "Problem", "Thing", "ThingId"}
    nothing = visible(document, set())
    assert nothing["paths"] == {}
    assert set(nothing["components"]) == {"securitySchemes"}


def test_a_write_says_that_it_may_be_tried_and_may_wait(files: dict[str, bytes], load: Callable[..., Loaded]) -> None:
    document = dict(load(read_workspace(Path(__file__).parents[3])).compiled.document)
    responses = document["paths"]["/tasks"]["post"]["responses"]
    assert set(responses["200"]["content"]) == {"application/vnd.figway.dry-run+json"}
    assert set(responses["202"]["content"]) == {"application/json", "application/problem+json"}
    assert set(document["paths"]["/tasks"]["get"]["responses"]["200"]["content"]) == {"application/json"}


def test_the_demos_workspace_is_sound_and_every_example_fits(load: Callable[..., Loaded]) -> None:
    compiled = load(read_workspace(Path(__file__).parents[3])).compiled
    assert len(compiled.routes) == 11
    components = {"components": compiled.document["components"]}
    for item in compiled.document["paths"].values():
        for operation in item.values():
            assert operation["summary"]
            assert operation["description"]
            for media in _media(operation):
                validator = jsonschema_rs.Draft202012Validator({**media["schema"], **components}, validate_formats=True)
                assert [error.message for error in validator.iter_errors(media["example"])] == []


def _media(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The JSON bodies of the request and of success."""
    successes = [response for code, response in operation["responses"].items() if code.startswith("2")]
    bodies = [*successes, operation.get("requestBody", {})]
    json = "application/json"
    return [body["content"][json] for body in bodies if json in body.get("content", ())]
