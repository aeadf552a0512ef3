"""Tools are exported in the words of vendors, whose own types judge them; what can't be said is refused."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import mcp_types
import pytest
from anthropic.types import ToolParam
from click.testing import CliRunner, Result
from google.genai import types as google
from openai.types.responses import FunctionToolParam
from openapi_spec_validator import validate
from pydantic import TypeAdapter

from gateway.catalogue.formats import FORMATS, fits_strict
from gateway.cli import app

REPOSITORY = Path(__file__).parents[3]


def exported(folder: Path, form: str, *arguments: str) -> Result:
    whole = ["export", "tools", "--format", form, "--workspace", str(folder), *arguments]
    return CliRunner(catch_exceptions=False).invoke(app, whole)


def names(form: str, printed: Any) -> list[str]:
    if form == "openapi":
        return sorted(each["operationId"] for item in printed["paths"].values() for each in item.values())
    tools = {"mcp": lambda: printed["tools"], "gemini": lambda: printed[0]["functionDeclarations"]}.get(
        form, lambda: printed
    )
    return [each["name"] for each in tools()]


# ── by the vendors' own types ────────────────────────────────────────────────────────────────────────────────


def of_openai(printed: Any) -> None:
    of_type = TypeAdapter(FunctionToolParam)
    for tool in printed:
        of_type.validate_python(tool)
        assert tool.keys() <= FunctionToolParam.__annotations__.keys()
        check_schema(tool["parameters"])
        assert tool["strict"] is fits_strict(tool["parameters"])


def of_anthropic(printed: Any) -> None:
    of_type = TypeAdapter(ToolParam)
    for tool in printed:
        of_type.validate_python(tool)
        assert tool.keys() <= ToolParam.__annotations__.keys()
        check_schema(tool["input_schema"])


def of_gemini(printed: Any) -> None:
    for tool in printed:
        judged = google.Tool.model_validate(tool)
        assert judged.function_declarations
        for each in judged.function_declarations:
            check_schema(each.parameters_json_schema)


def of_mcp(printed: Any) -> None:
    for tool in mcp_types.ListToolsResult.model_validate({**printed, "resultType": "complete"}).tools:
        check_schema(tool.input_schema)


def check_schema(schema: Any) -> None:
    jsonschema_rs.Draft202012Validator(schema)
    assert schema["type"] == "object"
    assert not schema.keys() & {
        "oneOf",
        "anyOf",
        "allOf",
        "not",
        "enum",
    }  # neither OpenAI nor Anthropic takes these here


JUDGES: dict[str, Callable[[Any], None]] = {
    "openai": of_openai,
    "anthropic": of_anthropic,
    "gemini": of_gemini,
    "mcp": of_mcp,
    "openapi": validate,
}


@pytest.fixture(scope="module")
def at(company: ModuleType, running: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {**company.files(), "policies/toolsets.yaml": TOOLSETS}
    return running.write_workspace(tmp_path_factory.mktemp("company"), files)  # type: ignore[no-any-return]


TOOLSETS = "toolsets: {support: {for: [{agent: support-bot}], groups: [tasks]}}\n"


@pytest.mark.parametrize("form", sorted(JUDGES))
def test_vendors_take_what_is_exported(at: Path, form: str) -> None:
    done = exported(at, form)
    assert done.exit_code == 0, done.stderr
    printed = json.loads(done.stdout)
    JUDGES[form](printed)
    assert len(names(form, printed)) == 52


@pytest.mark.parametrize("form", sorted(JUDGES))
def test_vendors_take_the_demos_tools(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = exported(REPOSITORY, form)
    assert done.exit_code == 0, done.stderr
    JUDGES[form](json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.parametrize("form", sorted(JUDGES))
def test_vendors_take_what_is_imported(tmp_path: Path, form: str) -> None:
    if "FIGWAY_CORPUS" not in os.environ:
        pytest.skip("FIGWAY_CORPUS is not set: the vendors' WSDLs aren't here")
    (tmp_path / "gateway.yaml").write_text("upstreams: {}\n")
    for source in sorted((Path(os.environ["FIGWAY_CORPUS"]) / "wsdl").glob("*.wsdl")):
        arguments = ["import", "wsdl", str(source), "--upstream", re.sub("[^a-z0-9]", "_", source.stem)]
        CliRunner(catch_exceptions=False).invoke(app, [*arguments, "--workspace", str(tmp_path)])
    done = exported(tmp_path, form)
    printed, refused = json.loads(done.stdout), done.stderr.splitlines()
    JUDGES[form](printed)
    assert done.exit_code == (1 if refused else 0)
    assert all(" is left out: " in line for line in refused), refused
    print(f"{form}: {len(names(form, printed))} tools, {len(refused)} left out")
    assert len(names(form, printed)) > 50


# ── for whom ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_exported_for_a_caller_is_what_it_would_be_shown(at: Path) -> None:
    everything = names("mcp", json.loads(exported(at, "mcp").stdout))
    assert names("mcp", json.loads(exported(at, "mcp", "--as", "ada").stdout)) == []
    reads = names("mcp", json.loads(exported(at, "mcp", "--as", "ada", "--role", "reader").stdout))
    assert reads
    assert set(reads) < set(everything)
    by_agent = exported(at, "openapi", "--as", "ada", "--role", "writer", "--via", "support-bot")
    shown = ["complete_task", "create_task", "list_tasks", "list_tickets", "open_ticket"]
    assert names("openapi", json.loads(by_agent.stdout)) == shown
    narrowed = exported(at, "openai", "--as", "ada", "--role", "writer", "--scope", "get_order")
    assert names("openai", json.loads(narrowed.stdout)) == ["get_order"]


def test_more_of_a_caller_needs_the_caller(at: Path) -> None:
    done = exported(at, "mcp", "--via", "support-bot")
    assert done.exit_code == 2
    assert "--as" in done.stderr


def test_a_workspace_that_isnt_sound_has_no_tools(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("upstreams: 5\n")
    done = exported(tmp_path, "mcp")
    assert done.exit_code == 1
    assert "figway check" in done.stderr


# ── what can't be said ───────────────────────────────────────────────────────────────────────────────────────

STRANGE = """
openapi: 3.1.0
info: {title: Strange, version: "1"}
paths:
  /trees:
    post:
      operationId: plant_tree
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Tree"}}}}
      responses: {"204": {description: Planted.}}
      x-gateway: {effect: write, missing: mock}
  /rows:
    get:
      operationId: list_rows
      parameters: [{name: $filter, in: query, schema: {type: string}}]
      responses: {"204": {description: None.}}
      x-gateway: {effect: read, missing: mock}
  /long:
    get:
      operationId: read_long
      description: "LONG"
      responses: {"204": {description: None.}}
      x-gateway: {effect: read, missing: mock}
  /either:
    post:
      operationId: choose_either
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, properties: {a: {allOf: [{type: string}, {maxLength: 3}]}}}
      responses: {"204": {description: Chosen.}}
      x-gateway: {effect: write, missing: mock}
components:
  schemas:
    Tree:
      type: object
      properties: {name: {type: string}, branches: {type: array, items: {$ref: "#/components/schemas/Tree"}}}
""".replace("LONG", "Far too much to say. " * 60)
ALL = ["choose_either", "list_rows", "plant_tree", "read_long"]


@pytest.mark.parametrize(
    ("form", "refused"),
    [
        ("openai", {"read_long": "1024"}),
        ("anthropic", {"list_rows": "'$filter'"}),
        ("gemini", {"plant_tree": "refers to a part of itself", "choose_either": "'allOf'"}),
        ("mcp", {}),
        ("openapi", {}),
    ],
)
def test_what_a_format_has_no_words_for_is_refused_with_a_reason(
    running: ModuleType, tmp_path: Path, form: str, refused: dict[str, str]
) -> None:
    folder = running.write_workspace(tmp_path, {"gateway.yaml": "upstreams: {}\n", "openapi/strange.yaml": STRANGE})
    done = exported(folder, form)
    assert done.exit_code == (1 if refused else 0), done.stderr
    printed = json.loads(done.stdout)
    JUDGES[form](printed)
    assert names(form, printed) == [name for name in ALL if name not in refused]
    lines = done.stderr.splitlines()
    assert len(lines) == len(refused)
    for name, reason in refused.items():
        assert any(f"{name} is left out: " in line and reason in line for line in lines), lines


def closed(**members: Any) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        (closed(), True),
        (closed(a={"type": ["string", "null"]}, b=closed(c={"type": "integer", "minimum": 1})), True),
        (closed(a={"type": "string", "format": "date"}), True),
        (closed(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": closed(a={"$ref": "#/$defs/A"})}}, True),
        ({**closed(a={"type": "string"}), "required": []}, False),
        ({**closed(a={"type": "string"}), "additionalProperties": True}, False),
        (closed(a={"type": "object", "properties": {}}), False),
        (closed(a={"type": "string", "maxLength": 3}), False),
        (closed(a={"type": "string", "format": "decimal"}), False),
        (closed(a={"type": "string", "pattern": "^(?!x)"}), False),
        (closed(a={"oneOf": [{"type": "string"}]}), False),
        (closed(a={}), False),
        (closed(**{f"m{number}": {"type": "string"} for number in range(5_001)}), False),
        (closed(a={"enum": list(range(1_001))}), False),
    ],
    ids=range(14),
)
def test_strict_is_said_of_what_strict_mode_takes(schema: dict[str, Any], fits: bool) -> None:
    assert fits_strict(schema) is fits


def test_no_format_changes_a_schema(at: Path) -> None:
    told = {tool["name"]: tool["inputSchema"] for tool in json.loads(exported(at, "mcp").stdout)["tools"]}
    for form, key in (("openai", "parameters"), ("anthropic", "input_schema")):
        assert {tool["name"]: tool[key] for tool in json.loads(exported(at, form).stdout)} == told
    assert set(FORMATS) | {"openapi"} == set(JUDGES)
