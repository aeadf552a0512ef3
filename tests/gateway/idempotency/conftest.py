"""A workspace whose writes leave a line each in a journal, and a gateway that serves it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

_BODY = """
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, properties: {sku: {}, n: {}, seconds: {}, after: {}, error: {}, refuse: {}}}
"""
_INPUT = "{sku: body.sku, n: body.n, seconds: body.seconds, after: body.after, error: body.error, refuse: body.refuse}"
CONTRACT = f"""
openapi: 3.1.0
info: {{title: Lab, version: "1"}}
paths:
  /items:
    post:
      operationId: make_item
      tags: [items]
      summary: A write{_BODY}
      responses: 
        "201":
          description: Done.
          content: {{application/json: {{schema: {{$ref: "#/components/schemas/Item"}}}}}}
      x-gateway:
        effect: write
        location: "/items/{{sku}}"
        legacy: {{upstream: lab, operation: item.put, input: {_INPUT}}}
  /settings:
    put:
      operationId: set_item
      tags: [items]
      summary: A write that may be repeated{_BODY}
      responses: {{"200": {{description: Done.}}}}
      x-gateway: {{effect: idempotent_write, legacy: {{upstream: lab, operation: item.put, input: {_INPUT}}}}}
  /told:
    post:
      operationId: tell_item
      tags: [items]
      summary: A write of which the upstream can tell{_BODY}
      responses: {{"200": {{description: Done.}}}}
      x-gateway:
        effect: write
        deadline: 300ms
        cost: {{estimate: 1, measured: "length(name)"}}
        legacy: {{upstream: teller, operation: item.put, input: {_INPUT}}}
  /strict:
    post:
      operationId: strict_item
      tags: [items]
      summary: A write whose reply breaks its contract{_BODY}
      responses:
        "200":
          description: Done.
          content: {{application/json: {{schema: {{type: object, required: [colour]}}}}}}
      x-gateway: {{effect: write, legacy: {{upstream: lab, operation: item.put, input: {_INPUT}}}}}
  /pairs:
    post:
      operationId: make_pair
      tags: [items]
      summary: Two writes{_BODY.replace("sku: {}, ", "").replace("seconds: {}, after: {}, ", "")}
      responses: {{"200": {{description: Done.}}}}
      x-gateway:
        effect: write
        compose:
          steps:
            one: {{route: make_item, input: {{sku: "'one'", n: body.n}}}}
            two: {{route: make_item, input: {{sku: one.sku, n: body.n, refuse: body.refuse, error: body.error}}}}
          output: "{{one: one.sku, two: two.sku}}"
  /items/{{sku}}:
    get:
      operationId: get_item
      tags: [items]
      summary: A read
      parameters: [{{name: sku, in: path, required: true, schema: {{type: string}}}}]
      responses: {{"200": {{description: Done.}}}}
      x-gateway: {{effect: read, legacy: {{upstream: lab, operation: item.get, input: {{sku: path.sku}}}}}}
components:
  schemas:
    Item: {{type: object, properties: {{sku: {{type: string}}, name: {{type: string}}}}}}
"""
POLICY = """
@mask("name")
permit (principal in Role::"masked", action in [Action::"make_item", Action::"make_pair"], resource);
"""


@dataclass
class Lab:
    """A gateway, and what its upstreams did."""

    gateway: Any
    journal: Path

    def effects(self, n: object = None) -> list[dict[str, Any]]:
        """The journal's lines; with `n`, those of that number."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        made = [json.loads(line) for line in lines if line != "closed"]
        return [each for each in made if n is None or each["n"] == n]

    def post(self, body: Mapping[str, Any], key: str | None = None, path: str = "/items", **headers: str) -> Any:
        """One write by `wendy`; `headers` as keywords, with underscores."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields |= {} if key is None else {"idempotency-key": key}
        with self.gateway.client() as client:
            method = "PUT" if path == "/settings" else "POST"
            return client.request(method, path, json={"sku": "s", **body}, headers=fields)

    def operation(self, id: str, key: str | None = None) -> httpx.Response:
        """`GET /-/operations/{id}`."""
        with self.gateway.client(key) as client:
            response: httpx.Response = client.get(f"/-/operations/{id}")
        return response


def write(folder: Path, running: ModuleType) -> Path:
    """Writes the workspace; returns its journal."""
    journal = folder / "journal.txt"
    upstreams = f"""
upstreams:
  lab: {{kind: lab, journal: {journal}, concurrency: 64, deadline: 30s}}
  teller: {{kind: lab, journal: {journal}, tells: true}}
"""
    files = {"gateway.yaml": upstreams, "openapi/lab.yaml": CONTRACT, "policies/access.cedar": running.POLICY + POLICY}
    running.write_workspace(folder, files)
    return journal


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Iterator[Lab]:
    """One gateway for a file's tests."""
    folder = tmp_path_factory.mktemp("lab")
    journal = write(folder, running)
    with running.serving(folder) as gateway:
        yield Lab(gateway, journal)


@pytest.fixture(scope="session")
def lab_in(running: ModuleType) -> Callable[[Path], Lab]:
    """Writes the workspace into a folder; nothing serves it yet."""
    return lambda folder: Lab(None, write(folder, running))
