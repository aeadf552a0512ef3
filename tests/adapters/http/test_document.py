"""The API's own OpenAPI document: what is read, what is refused and where, and the schemas that come of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.capabilities import SupportsLeftOut
from adapters.contract import Effect
from adapters.errors import ConfigError
from adapters.http.described import Catalogue
from adapters.http.document import opened

PATH = "openapi/sources/next/api.yaml"
HEAD = "openapi: 3.1.0\ninfo: {title: API, version: '1'}\n"
PET = """
components:
  schemas:
    Pet:
      type: object
      required: [id, name]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string, nullable: true}
        secret: {type: string, writeOnly: true}
        parent: {$ref: '#/components/schemas/Pet'}
        weight: {type: number, minimum: 0, exclusiveMinimum: true}
        NO: {type: string, enum: [NO, 2026-01-01, on]}
"""
PETS = (
    """
paths:
  /pets/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
    get:
      operationId: getPet
      summary: One pet.
      parameters:
        - {name: fields, in: query, schema: {type: array, items: {type: string}}}
      responses:
        200: {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
    put:
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
      responses: {'204': {description: done}}
"""
    + PET
)


def built_on(built: Any, text: str, **config: Any) -> Any:
    return built({PATH: text.encode()}, base_url="https://crm.internal", openapi=PATH, **config)


@pytest.fixture
def problems(built: Any) -> Any:
    """`problems(text)`: (sentence, line) of each problem."""

    def found(text: str, **config: Any) -> list[tuple[str, int | None]]:
        with pytest.raises(ConfigError) as caught:
            built_on(built, text, **config)
        return [(each.message, each.line) for each in caught.value.problems]

    return found


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize("as_json", [False, True])
def test_operations(built: Any, version: str, as_json: bool) -> None:
    text = HEAD.replace("3.1.0", version) + PETS
    if as_json:
        text = json.dumps(
            yaml.load(
                text.replace("NO", "'NO'").replace("on]", "'on']").replace("2026-01-01", "'2026-01-01'"),
                yaml.SafeLoader,
            )
        )
    adapter = built_on(built, text)
    operations = adapter.operations()
    assert set(operations) == {"getPet", "PUT /pets/{id}"}
    assert isinstance(adapter, SupportsLeftOut)
    assert adapter.left_out == {}
    assert not isinstance(built(base_url="https://crm.internal"), SupportsLeftOut)
    get = operations["getPet"]
    assert adapter.accepts("GET /pets/{id}") == adapter.accepts("getPet") == get
    assert (get.effect, get.description) == (Effect.READ, "One pet.")
    assert get.input["required"] == ["id"]
    assert get.input["properties"]["query"]["additionalProperties"] is False
    assert adapter.accepts("GET /pets") is None
    assert "DELETE /pets/{id}" not in operations
    put = jsonschema_rs.Draft202012Validator(operations["PUT /pets/{id}"].input)
    body = {"name": "Rex", "parent": {"name": "Rexa", "NO": "NO"}, "weight": 1}
    assert put.is_valid({"id": 1, "body": body})
    assert put.is_valid({"id": 1, "body": {"name": None}}) is (version == "3.0.3")
    assert put.is_valid({"id": 1, "body": {"name": "", "weight": 0}}) is False
    for wrong in ({"body": body}, {"id": 1}, {"id": 1, "body": {}}, {"id": 1, "body": {"name": "x", "NO": False}}):
        assert not put.is_valid(wrong)
    reply = jsonschema_rs.Draft202012Validator(get.output)
    assert reply.is_valid({"id": 1, "name": "Rex"})
    assert not reply.is_valid({"name": "Rex"})
    assert operations["PUT /pets/{id}"].output == {"type": "null"}


@pytest.mark.parametrize(
    ("text", "sentence", "line"),
    [
        ("", "isn't an OpenAPI document", 1),
        ("swagger: '2.0'\n", "isn't an OpenAPI document", 1),
        ("openapi: 3.2.0\n", "version 3.0 or 3.1", 1),
        (HEAD + "a: 1\nb: 2\na: 3\n", "'a' stands twice", 5),
        (HEAD + "a: [1\nb: 2\n", "isn't YAML or JSON", 4),
        (HEAD + "a: *b\n", "anchor", 3),
        (HEAD + "---\na: 1\n", "several documents", 3),
        (HEAD + "a: " + "[" * 300, "levels", 3),
        (HEAD + "? [1]\n: 2\n", "", 3),
        (HEAD + "paths:\n  /a:\n    $ref: other.yaml#/a\n", "leads out of the document", 5),
        (HEAD + "paths:\n  /a:\n    $ref: https://evil.test/a\n", "leads out of the document", 5),
        (HEAD + "paths:\n  /a:\n    $ref: file:///etc/passwd\n", "leads out of the document", 5),
        (HEAD + "paths:\n  /a:\n    $ref: '#/paths/~1b'\n", "there is no #/paths/~1b", 5),
        (HEAD + "paths:\n  /a:\n    $ref: '#/paths/~1a'\n", "leads back to itself", 4),
        (HEAD + "components:\n  schemas:\n    A: {$ref: '#B'}\n", "anchor", 5),
        (HEAD + "components:\n  schemas:\n    A: {$id: 'https://a/b'}\n", "$id isn't understood", 5),
        (HEAD + "paths:\n  /a/{b}:\n    get: {}\n  /a/{c}:\n    get: {}\n", "are the same path", 6),
        (HEAD + "paths:\n  /a:\n    get:\n      operationId: x\n    put:\n      operationId: x\n", "are called 'x'", 8),
        (HEAD + "tags: [1]\na:\n  $ref: '#/tags/" + "9" * 5000 + "'\n", "there is no #/tags/9", 5),
        ('{"openapi": "3.1.0",\n"a": 1,\n"a": 2}', "'a' stands twice", 3),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(problems: Any, text: str, sentence: str, line: int) -> None:
    found = problems(text)
    assert len(found) == 1
    assert sentence in found[0][0]
    assert found[0][1] == line


def test_what_is_no_text_is_told(built: Any) -> None:
    for content in (b"\xff\xfe", b"openapi: \x00", b"\x80"):
        with pytest.raises(ConfigError):
            built({PATH: content}, base_url="https://crm.internal", openapi=PATH)
    with pytest.raises(ConfigError, match="no file"):
        built({}, base_url="https://crm.internal", openapi=PATH)


def test_many_problems_are_told_at_once(problems: Any) -> None:
    refs = "".join(f"    S{number}: {{$ref: 'x{number}.yaml'}}\n" for number in range(50))
    assert len(problems(HEAD + "components:\n  schemas:\n" + refs)) == 20


def test_data_may_hold_any_word(built: Any) -> None:
    text = HEAD + PETS + "    Word: {example: {$ref: a.yaml}, enum: [{$ref: b}], properties: {$ref: {type: string}}}\n"
    assert built_on(built, text).operations()


LEFT_OUT = {
    "cookie": ("{name: s, in: cookie, required: true}", "cookie"),
    "style": ("{name: s, in: query, style: simple}", "style simple"),
    "content": ("{name: s, in: query, content: {application/xml: {}}}", "application/xml"),
    "pattern": ("{name: s, in: query, schema: {type: string, pattern: '['}}", "a schema that is none"),
    "type": ("{name: s, in: query, schema: {type: file}}", "a schema that is none"),
    "path": ("{name: t, in: path, required: true}", "other parameters in its path"),
}


@pytest.mark.parametrize("why", LEFT_OUT)
def test_what_cannot_be_expressed_is_left_out_with_its_reason(built: Any, why: str) -> None:
    parameter, reason = LEFT_OUT[why]
    more = f"  /odd:\n    get: {{operationId: odd, parameters: [{parameter}], responses: {{}}}}\n"
    adapter = built_on(built, HEAD + PETS.replace("\npaths:\n", f"\npaths:\n{more}"))
    assert reason in adapter.left_out["odd"]
    assert set(adapter.operations()) == {"getPet", "PUT /pets/{id}"}
    assert adapter.accepts("odd") is None


def test_an_alias_in_an_alias_ends(built: Any) -> None:
    levels = ["x-a0: &a0 {type: object, properties: {a: {type: string}}}"]
    for number in range(1, 12):
        inner = ", ".join(f"p{each}: *a{number - 1}" for each in range(8))
        levels.append(f"x-a{number}: &a{number} {{type: object, properties: {{{inner}}}}}")
    bomb = "\n".join(levels) + "\n"
    body = "{content: {application/json: {schema: *a11}}}"
    text = HEAD + bomb + f"paths:\n  /a:\n    post: {{operationId: a, requestBody: {body}, responses: {{}}}}\n"
    adapter = built_on(built, text)
    assert "too large" in adapter.left_out["a"]


def test_an_alias_that_holds_itself_is_no_endless_loop(built: Any) -> None:
    body = "{content: {application/json: {schema: *x}}}"
    post = f"{{operationId: a, responses: {{}}, requestBody: {body}}}"
    text = HEAD + f"x: &x\n  properties: {{a: *x}}\npaths: {{/a: {{post: {post}}}}}\n"
    assert "a" in built_on(built, text).left_out


def test_lists_of_lists_without_an_end_are_no_files(built: Any) -> None:
    fields = "{type: object, properties: {f: {$ref: '#/components/schemas/L'}}}"
    body = f"{{content: {{multipart/form-data: {{schema: {fields}}}}}}}"
    schemas = "components: {schemas: {L: {type: array, items: {$ref: '#/components/schemas/L'}}}}\n"
    text = HEAD + schemas + f"paths:\n  /a:\n    post: {{operationId: a, requestBody: {body}, responses: {{}}}}\n"
    assert set(built_on(built, text).operations()) == {"a"}


def test_what_lists_say_must_be_described(problems: Any) -> None:
    pages = {"style": "page", "position": "page", "filters": {"town": "town"}}
    found = problems(HEAD + PETS, lists={"GET /pets/{id}": pages, "GET /other": pages})
    assert sorted(message.split(":")[0] for message, _ in found) == [
        "position", "the API's document has no such operation, or it is left out", "town",
    ]  # fmt: skip


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]))
SCALAR = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
PLAIN = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(value=PLAIN)
def test_what_yaml_writes_is_read_as_it_was(value: Any) -> None:
    """Against an independent writer, whose quoting is YAML 1.1's: stricter than what is read."""
    root = {"openapi": "3.1.0", "x-value": value}
    for text in (yaml.safe_dump(root, allow_unicode=True), json.dumps(root)):
        assert opened("a", {"a": text.encode()}).root["x-value"] == value


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_document_crashes_the_reader(content: bytes) -> None:
    for prefix in (b"", b"openapi: 3.1.0\n", b'{"openapi": "3.1.0", "paths": '):
        try:
            opened("a", {"a": prefix + content})
        except ConfigError as error:
            problems = error.problems
        else:
            problems = ()
        assert all(each.message for each in problems)


RICH = (
    HEAD
    + PETS
    + """
  parameters:
    Q: {name: q, in: query, style: deepObject, schema: {type: object}}
  requestBodies:
    B:
      content:
        multipart/form-data: {schema: {properties: {f: {format: binary}}}, encoding: {f: {contentType: a/b}}}
""".replace("components:\n", "")
).replace(
    "\npaths:\n",
    "\npaths:\n  /b: {post: {parameters: [{$ref: '#/components/parameters/Q'}], requestBody: "
    "{$ref: '#/components/requestBodies/B'}, responses: {default: {content: {text/plain: {}, a/b: {}}}}}}\n",
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Each place in a document."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in members:
        yield (*at, key)
        yield from places(each, (*at, key))


WORDS = st.sampled_from(["#/", "#", "#/paths", "#/components/schemas/Pet", "/", "query", "path", "object", "file", "["])


@settings(deadline=None)
@given(st.data())
def test_a_document_that_is_wrong_somewhere_is_refused_or_something_is_left_out(data: st.DataObject) -> None:
    root = json.loads(json.dumps(opened("a", {"a": RICH.encode()}).root))
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from(list(places(root))))
        holder = root
        for key in path:
            holder = holder[key]
        holder[last] = data.draw(PLAIN | WORDS)
    try:
        catalogue = Catalogue(opened("a", {"a": json.dumps(root).encode()}), {})
    except ConfigError:
        return
    assert set(catalogue) | set(catalogue.left_out) == set(catalogue._places)
