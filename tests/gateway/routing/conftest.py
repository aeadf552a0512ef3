"""A small sound workspace, and loading with nothing set in the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.routing.load import Loaded, compile_workspace
from gateway.routing.model import Finding, InvalidWorkspace

GATEWAY = """\
upstreams:
  shop: {kind: http, base_url: "http://shop.test", auth: {bearer: env:SHOP_TOKEN}}
"""
THINGS = """\
openapi: 3.1.0
info: {title: Shop, version: "1"}
paths:
  /things/{thing_id}:
    parameters:
      - {name: thing_id, in: path, required: true, schema: {$ref: "#/components/schemas/ThingId"}}
    get:
      operationId: get_thing
      tags: [things]
      responses:
        "200":
          description: The thing.
          content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}
        "404": {description: There is no such thing.}
      x-gateway:
        effect: read
        legacy:
          upstream: shop
          operation: GET /v1/things/{id}
          input: {id: path.thing_id}
          output: "{id: Id, name: Name, parts: Parts[].{id: Id, name: Name}}"
components:
  schemas:
    ThingId: {type: string, pattern: "^[0-9]+$"}
    Unused: {type: string}
    Thing:
      type: object
      required: [id, name]
      properties:
        id: {$ref: "#/components/schemas/ThingId"}
        name: {type: [string, "null"]}
        parts: {type: array, items: {$ref: "#/components/schemas/Thing"}}
"""
POLICY = 'permit (principal in Role::"agent", action in Action::"read", resource in Group::"things");\n'


@pytest.fixture
def files() -> dict[str, bytes]:
    """A sound workspace of one route."""
    texts = {"gateway.yaml": GATEWAY, "openapi/things.yaml": THINGS, "policies/access.cedar": POLICY}
    return {name: text.encode() for name, text in texts.items()}


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Loaded]:
    """`compile_workspace` with a cache of its own and an empty environment."""

    def load(files: Mapping[str, bytes], environment: Mapping[str, str] | None = None, **options: object) -> Loaded:
        settings = {"strict_secrets": False, **options}
        return compile_workspace(files, cache=tmp_path / "cache", environment=environment or {}, **settings)  # type: ignore[arg-type]

    return load


@pytest.fixture
def problems(load: Callable[..., Loaded]) -> Callable[..., list[Finding]]:
    """The errors of a workspace; none for a sound one."""

    def problems(files: Mapping[str, bytes], **options: object) -> list[Finding]:
        try:
            load(files, **options)
        except InvalidWorkspace as error:
            return [finding for finding in error.findings if finding.level == "error"]
        return []

    return problems
