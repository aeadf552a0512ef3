"""The contract as it is served: every operation has a working example, and hostile input finds no way around it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

# Per operation and phase; FIGWAY_SLOW brings the full figure.
EXAMPLES = 400 if os.environ.get("FIGWAY_SLOW") else 8
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "missing_required_header", "unsupported_method",
    "ignored_auth",
)  # fmt: skip


def examples(media: Mapping[str, Any]) -> Iterator[Any]:
    """The examples of a media type object."""
    if "example" in media:
        yield media["example"]
    for each in media.get("examples", {}).values():
        yield each["value"]


def test_every_operation_has_examples_that_fit_its_schema(contract: Any) -> None:
    wrong: list[str] = []
    for method, path, operation in contract.operations():
        parts = [operation["responses"][status] for status in operation["responses"] if status.startswith("2")]
        parts += [operation["requestBody"]] if "requestBody" in operation else []
        for part in parts:
            media = part["content"]["application/json"]
            found = list(examples(media))
            wrong += [f"{method} {path}: {error}" for each in found for error in contract.errors(media["schema"], each)]
            assert found, f"{method} {path} has no example"
    assert wrong == []


def test_the_examples_of_keys_are_answered_as_shown(agent: httpx.Client, contract: Any) -> None:
    asked = 0
    for method, path, operation in contract.operations():
        if method != "get" or "{" not in path or operation["operationId"] == "get_task":
            continue
        for parameter in operation["parameters"]:
            schema = _resolved(contract.document, _resolved(contract.document, parameter)["schema"])
            path = path.replace(f"{{{_resolved(contract.document, parameter)['name']}}}", str(schema["examples"][0]))
        answer = agent.get(path)
        assert answer.status_code == 200, path
        if operation["operationId"] != "get_customer_overview":
            # What the contract shows of the sample is what the sample is.
            assert answer.json() == next(examples(operation["responses"]["200"]["content"]["application/json"]))
        asked += 1
    assert asked == 4


def test_an_example_body_is_accepted(agent: httpx.Client, platform: httpx.Client, contract: Any) -> None:
    bodies = {
        operation["operationId"]: next(examples(operation["requestBody"]["content"]["application/json"]))
        for _, _, operation in contract.operations()
        if "requestBody" in operation
    }
    assert set(bodies) == {"create_task", "update_customer"}
    assert agent.post("/tasks", json=bodies["create_task"]).status_code == 202
    assert platform.patch("/customers/C-10011", json=bodies["update_customer"]).status_code == 200


# What a request that breaks the contract may be refused with: too long a target or head is refused before it is read.
REFUSALS = "[checks.negative_data_rejection]\nexpected-statuses = [400, 401, 403, 404, 406, 413, 414, 415, 422, 431]\n"


def test_hostile_input_finds_no_way_around_the_contract(demo: Any, tmp_path: Path) -> None:
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(REFUSALS)
    command = [
        Path(sys.executable).with_name("schemathesis"), "--config-file", settings,
        "run", f"{demo.facts['base_url']}/openapi.json",
        "--header", f"Authorization: {demo.facts['credentials']['agent']}", "--phases", "examples,coverage,fuzzing",
        "--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES), "--generation-database", "none",
        "--seed", "20261031", "--no-color", "--continue-on-failure",
    ]  # fmt: skip
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=900)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr


def _resolved(document: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in part:
        at: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            at = at[name]
        part = at
    return part
