"""A request's parameters and body, and a reply's body, as a contract declares them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import jsonschema_rs

from adapters.contract import Json, JsonSchema
from gateway.routing.contracts import Exposed
from gateway.routing.model import Body, Parameter
from gateway.routing.paths import declared, resolve
from gateway.routing.refs import Components, subschemas
from gateway.routing.report import Document, Place, Report, texts

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_STYLES = {"path": "simple", "query": "form", "header": "simple"}
_PARAMETER = {"name", "in", "description", "required", "deprecated", "style", "explode", "schema"}
_PARAMETER |= {"example", "examples", "allowReserved"}
_UNKNOWN = ("", "")
_IGNORED = {"accept", "content-type", "authorization"}
# Patterns are checked with it: the metaschema gives them the format `regex`.
_METASCHEMA = jsonschema_rs.Draft202012Validator({"$ref": _DIALECT}, validate_formats=True)
_LISTED = frozenset({"application/x-ndjson", "text/csv"})
"""What every list is told in as a whole; a contract may say so."""
_MEDIA = re.compile(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9.+-]{0,100}")
_JSON = re.compile(r"application/(json|[A-Za-z0-9.+-]+\+json)")


class Messages:
    """Compiles the messages of one contract's operations; what is wrong goes into the report."""

    def __init__(self, document: Document, documents: Mapping[str, Document], report: Report) -> None:
        self._document, self._report = document, report
        self._components = Components(document, documents, report)
        self._judged: dict[Place, JsonSchema | None] = {}
        """The schemas that stand in components, which many operations refer to."""
        self._check_components()

    def parameters(self, operation: Exposed) -> tuple[tuple[Parameter, ...], bool]:
        """The operation's parameters, and whether all could be read; its own replace the path item's."""
        found: dict[tuple[str, str], Parameter | None] = {}
        for holder, place in ((operation.item, operation.place[:-1]), (operation.data, operation.place)):
            found |= self._list(holder.get("parameters", []), (*place, "parameters"))
        if _UNKNOWN not in found:
            self._check_template(operation, {name for where, name in found if where == "path"})
        read = tuple(each for each in found.values() if each is not None)
        return read, len(read) == len(found)

    def body(self, operation: Exposed) -> Body | None:
        """The request body, if the operation takes one."""
        place: Place = (*operation.place, "requestBody")
        if "requestBody" not in operation.data:
            return None
        data, place = self._components.follow(operation.data["requestBody"], place)
        if not isinstance(data, dict):
            return None
        if operation.method in ("GET", "DELETE"):
            self._say(place, f"a {operation.method} takes no body: use parameters")
        media = self._content(data.get("content"), (*place, "content"))
        if not media:
            self._say(place, "a request body needs content with application/json and its schema")
        return Body(bool(data.get("required", False)), media)

    def reply(self, operation: Exposed) -> tuple[int, JsonSchema | None]:
        """The status of success and the schema of its body."""
        place: Place = (*operation.place, "responses")
        responses = operation.data.get("responses")
        if not isinstance(responses, dict):
            self._say(operation.place, "an operation needs responses, the first of success (200, 201, 202 or 204)")
            return 200, None
        status = next((code for code in responses if re.fullmatch("2[0-9][0-9]", code)), None)
        if status is None:
            self._say(place, "no response of success: declare one, such as '200', with its schema")
            return 200, None
        data, place = self._components.follow(responses[status], (*place, status))
        if not isinstance(data, dict):
            return int(status), None
        content, at = data.get("content", {}), (*place, "content")
        if not isinstance(content, dict):
            self._say(at, "content maps media types, such as application/json, to schemas")
            return int(status), None
        if _bytes_of(content):
            self._check_others(responses, status, (*operation.place, "responses"))
            return int(status), None
        media = self._content({kind: each for kind, each in content.items() if kind not in _LISTED}, at)
        schema = next(iter(media.values()), None)
        for kind in _LISTED & content.keys():
            if operation.method != "GET" or schema is None or not {"items", "next"} <= set(declared(schema)):
                self._say((*at, kind), "only a list (a GET whose JSON reply has items and next) is told as a whole")
        self._check_others(responses, status, (*operation.place, "responses"))
        return int(status), schema

    def content(self, operation: Exposed) -> str:
        """The media type of success's body, where it is bytes; empty: it isn't."""
        responses = operation.data.get("responses")
        if not isinstance(responses, dict):
            return ""
        status = next((code for code in responses if re.fullmatch("2[0-9][0-9]", code)), "")
        data, _ = self._components.follow(responses.get(status, {}), (*operation.place, "responses", status))
        return _bytes_of(data.get("content") if isinstance(data, dict) else None)

    def examples(self, operation: Exposed) -> tuple[Json, ...]:
        """The examples of success's body, those that can be read."""
        responses, place = operation.data.get("responses"), (*operation.place, "responses")
        if not isinstance(responses, dict):
            return ()
        status = next((code for code in responses if re.fullmatch("2[0-9][0-9]", code)), "")
        data, _ = self._components.follow(responses.get(status, {}), (*place, status))
        content = data.get("content") if isinstance(data, dict) else None
        medias = content.values() if isinstance(content, dict) else ()
        media = next((each for each in medias if isinstance(each, dict)), {})
        named = media.get("examples")
        listed = list(named.values()) if isinstance(named, dict) else []
        found = [each["value"] for each in listed if isinstance(each, dict) and "value" in each]
        return (*([media["example"]] if "example" in media else []), *found)

    def _check_others(self, responses: Mapping[str, Any], success: str, place: Place) -> None:
        for code, response in responses.items():
            if not re.fullmatch("[1-5][0-9][0-9]|[1-5]XX|default", code):
                self._say((*place, code), "a response is keyed by a status such as '404', by '4XX' or by default")
            data, at = self._components.follow(response, (*place, code)) if code != success else (None, place)
            content = data.get("content") if isinstance(data, dict) else None
            for kind, media in content.items() if isinstance(content, dict) else ():
                if isinstance(media, dict) and "schema" in media:
                    self.schema(media["schema"], (*at, "content", kind, "schema"))

    def _list(self, items: Any, place: Place) -> dict[tuple[str, str], Parameter | None]:
        """The parameters by place and name; None for one that can't be read."""
        if not isinstance(items, list):
            self._say(place, "parameters must be a list")
            return {_UNKNOWN: None}
        found: dict[tuple[str, str], Parameter | None] = {}
        for position, item in enumerate(items):
            data, at = self._components.follow(item, (*place, str(position)))
            if not isinstance(data, dict):
                found[_UNKNOWN] = None
                continue
            key = (str(data.get("in")), str(data.get("name")))
            if key in found:
                self._say((*place, str(position)), f"the {key[0]} parameter '{key[1]}' stands twice: keep one")
            found[key] = self._parameter(data, at)
        return found

    def _parameter(self, data: Mapping[str, Any], place: Place) -> Parameter | None:
        name, where = data.get("name"), data.get("in")
        if not isinstance(name, str) or not name:
            self._say(place, "a parameter needs a name")
            return None
        if where not in ("path", "query", "header"):
            self._say((*place, "in"), "a parameter is in path, query or header; cookies aren't supported")
            return None
        self._check_parameter(data, where, name, place)
        schema = self.schema(data.get("schema"), (*place, "schema"))
        if schema is None:
            return None
        required = data.get("required") is True
        explode = data.get("explode", where == "query") is True
        return Parameter(name, where, _unfolded(schema), required, explode, _unfolded(schema).get("default"))

    def _check_parameter(self, data: Mapping[str, Any], where: str, name: str, place: Place) -> None:
        for key in data:
            if key not in _PARAMETER and not key.startswith("x-"):
                self._say((*place, key), f"unknown key of a parameter: here may stand {', '.join(sorted(_PARAMETER))}")
        style = data.get("style", _STYLES[where])
        if style != _STYLES[where]:
            self._say((*place, "style"), f"style '{style}' isn't supported: a {where} parameter is '{_STYLES[where]}'")
        if where == "path" and data.get("required") is not True:
            self._say(place, f"the path parameter '{name}' must say required: true")
        if where == "header" and name.lower() in _IGNORED:
            self._say(place, f"OpenAPI ignores a header parameter named {name}: remove it")

    def _check_template(self, operation: Exposed, declared: set[str]) -> None:
        for name in sorted(set(operation.template_names) - declared):
            self._say(operation.place, f"the path parameter '{name}' isn't declared: add it to parameters")
        for name in sorted(declared - set(operation.template_names)):
            self._say((*operation.place, "parameters"), f"the path has no {{{name}}}: remove the parameter '{name}'")

    def _content(self, content: Any, place: Place) -> dict[str, JsonSchema]:
        media: dict[str, JsonSchema] = {}
        if not isinstance(content, dict):
            return media
        for kind, data in content.items():
            at = (*place, kind)
            if not _JSON.fullmatch(kind):
                self._say(
                    at, "only JSON bodies are supported, or bytes of one media type in a reply: use application/json"
                )
            elif not isinstance(data, dict) or "schema" not in data:
                self._say(at, "the schema of the body is missing")
            elif (schema := self.schema(data["schema"], (*at, "schema"))) is not None:
                media[kind] = schema
        return media

    def schema(self, schema: Any, place: Place) -> JsonSchema | None:
        """`schema` made to stand on its own, if it is one and compiles."""
        if place[:1] != ("components",):
            return self._schema(schema, place)
        if place not in self._judged:
            self._judged[place] = self._schema(schema, place)
        return self._judged[place]

    def _schema(self, schema: Any, place: Place) -> JsonSchema | None:
        if not isinstance(schema, (dict, bool)):
            self._say(place, "a schema is missing here")
            return None
        if place[:2] != ("components", "schemas") and not self._valid(schema, place):
            return None
        bundled = self._components.bundle(schema, place)
        if bundled is None:
            return None
        try:
            jsonschema_rs.Draft202012Validator(cast(Any, bundled))
        except ValueError:
            return None  # what is wrong in a component is told there
        return bundled

    def _check_components(self) -> None:
        components = self._document.data.get("components")
        schemas = components.get("schemas", {}) if isinstance(components, dict) else {}
        if not isinstance(schemas, dict):
            self._say(("components", "schemas"), "schemas must be a mapping of names to schemas")
            return
        for name, schema in schemas.items():
            if self._valid(schema, ("components", "schemas", name)):
                self._components.bundle(schema, ("components", "schemas", name))

    def _valid(self, schema: Any, place: Place) -> bool:
        """Whether `schema` is one; each of its faults is noted."""
        sound = True
        for error in _METASCHEMA.iter_errors(schema):
            inner = texts(error.instance_path)
            self._say((*place, *inner), f"this isn't a JSON Schema (Draft 2020-12): {_fault(inner, error.message)}")
            sound = False
        for inner, each in subschemas(schema, place):
            if "nullable" in each:
                self._say((*inner, "nullable"), "OpenAPI 3.1 has no nullable: write type: [string, 'null']")
        return sound

    def _say(self, place: Place, sentence: str) -> None:
        self._report.add(self._document, place, sentence)


def _bytes_of(content: Any) -> str:
    """The one media type of a body that is bytes; empty: it isn't."""
    kinds = list(content) if isinstance(content, dict) else []
    plain = len(kinds) == 1 and _MEDIA.fullmatch(kinds[0]) and not _JSON.fullmatch(kinds[0]) and kinds[0] not in _LISTED
    return kinds[0] if plain else ""


def _unfolded(schema: JsonSchema) -> JsonSchema:
    """A schema that is a mere reference, with what it refers to in its place: a parameter's type must show."""
    for _ in range(len(schema.get("$defs", ()))):
        target = resolve(schema.get("$ref"), schema)
        if isinstance(target, Mapping):
            schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _fault(place: Place, message: str) -> str:
    if place[-1:] == ("type",):
        return "a type is array, boolean, integer, null, number, object or string, or a list of these"
    return message.splitlines()[0][:200] if message else "it is refused"
