"""Bindings to an API whose own OpenAPI document is known: names are checked, of operations, inputs and replies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.routing.load import Loaded
from gateway.routing.model import Finding

DOCUMENT = b"""\
openapi: 3.0.3
info: {title: Shop, version: "1"}
paths:
  /v1/things/{thing-id}:
    get:
      operationId: getThing
      parameters:
        - {name: thing-id, in: path, required: true, schema: {type: string}}
        - {name: fields, in: query, schema: {type: string}}
      responses: {"200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/T"}}}}}
components:
  schemas:
    T:
      type: object
      additionalProperties: false
      properties:
        Id: {type: string}
        Name: {type: string}
        Parts: {type: array, items: {$ref: "#/components/schemas/T"}}
"""


@pytest.fixture
def described(files: dict[str, bytes]) -> Callable[..., dict[str, bytes]]:
    """`described(old, new)`: the sound workspace over such an API, with one text replaced."""

    def made(old: bytes = b"", new: bytes = b"") -> dict[str, bytes]:
        gateway = files["gateway.yaml"].replace(b"kind: http,", b"kind: http, openapi: openapi/sources/shop/api.yaml,")
        binding = files["openapi/things.yaml"].replace(b"operation: GET /v1/things/{id}", b"operation: getThing")
        binding = binding.replace(
            b"input: {id: path.thing_id}", b"input: {thing-id: path.thing_id, query.fields: path.thing_id}"
        )
        assert old in binding
        return {
            **files,
            "gateway.yaml": gateway,
            "openapi/things.yaml": binding.replace(old, new) if old else binding,
            "openapi/sources/shop/api.yaml": DOCUMENT,
        }

    return made


@pytest.mark.parametrize(
    ("old", "new"), [(b"", b""), (b"operation: getThing", b"operation: GET /v1/things/{thing-id}")]
)
def test_a_binding_names_what_the_document_has(
    described: Callable[..., dict[str, bytes]], load: Callable[..., Loaded], old: bytes, new: bytes
) -> None:
    assert load(described(old, new)).compiled.routes


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b"operation: getThing", b"operation: getThings", "has no operation 'getThings': there is getThing"),
        (b"operation: getThing", b"operation: GET /v1/things/{id}", "has no operation"),
        (b"thing-id:", b"id:", "'getThing' takes no 'id'"),
        (b"query.fields:", b"query.field:", "'getThing' takes no 'query.field'"),
        (b"thing-id: path.thing_id, ", b"", "'getThing' needs 'thing-id'"),
        (b"name: Name, parts", b"name: Nme, parts", "there is no 'Nme'"),
    ],
)
def test_what_it_has_not_is_told(
    described: Callable[..., dict[str, bytes]],
    problems: Callable[..., list[Finding]],
    old: bytes,
    new: bytes,
    sentence: str,
) -> None:
    found = problems(described(old, new))
    assert any(sentence in each.message for each in found), found
