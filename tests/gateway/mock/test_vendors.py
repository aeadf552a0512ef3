"""Routes of vendors' services, whose systems aren't here, are answered from their contracts."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import jsonschema_rs
import pytest


def imported(running: ModuleType, folder: Path, wsdl: Path) -> None:
    running.write_workspace(folder, {"gateway.yaml": "upstreams: {}\n"})
    done = running.figway("import", "wsdl", str(wsdl), "--upstream", "vendor", "--workspace", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr


VENDORS = ("bingsearch", "deliveryservice", "mnb-exchange", "ec2")


@pytest.mark.parametrize(
    "vendor", ["fedex-rate-v28", *(pytest.param(each, marks=pytest.mark.slow) for each in VENDORS)]
)
def test_vendors_routes_are_answered_though_their_systems_arent_here(
    running: ModuleType, tmp_path: Path, vendor: str
) -> None:
    corpus = os.environ.get("FIGWAY_CORPUS")
    if not corpus:
        pytest.skip("FIGWAY_CORPUS is not set: the vendors' WSDLs aren't here")
    imported(running, tmp_path, Path(corpus) / "wsdl" / f"{vendor}.wsdl")
    (tmp_path / "policies" / "access.cedar").write_text('permit (principal in Role::"writer", action, resource);')
    for denial in (tmp_path / "policies").glob("vendor*.cedar"):
        denial.unlink()
    with running.serving(tmp_path, "--mock") as gateway, gateway.client() as wendy:
        document = wendy.get("/openapi.json").json()
        answered = sum(_answers(wendy, document, path, method) for path, method in _operations(document))
    assert answered == len(_operations(document)) > 0


def _operations(document: Any) -> list[tuple[str, str]]:
    return [(path, method) for path, item in document["paths"].items() for method in item if method != "parameters"]


def _answers(wendy: httpx.Client, document: Any, path: str, method: str) -> bool:
    """Asks by the contract's own examples; the reply must be what the contract promises."""
    operation = document["paths"][path][method]
    parameters = [*document["paths"][path].get("parameters", ()), *operation.get("parameters", ())]
    given = {each["name"]: _example(each.get("schema", {}), each) for each in parameters if each.get("required")}
    for each in parameters:
        if each["in"] == "path":
            path = path.replace("{" + each["name"] + "}", str(given.pop(each["name"])))
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = None if content is None else _example(content["schema"], content)
    answer = wendy.request(method, path, params=given, json=body)
    promised = int(next(iter(operation["responses"])))
    assert answer.status_code == promised, (operation["operationId"], answer.text)
    assert answer.headers["figway-served-by"] == "mock"
    schema = (
        operation["responses"][str(answer.status_code)].get("content", {}).get("application/json", {}).get("schema")
    )
    if schema is not None:
        whole = {**schema, "components": document["components"]}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(answer.json())
    return True


def _example(schema: Any, around: Any) -> Any:
    if "example" in around:
        return around["example"]
    examples = schema.get("examples") or [each["value"] for each in around.get("examples", {}).values()]
    return examples[0] if examples else schema.get("example", "1")
