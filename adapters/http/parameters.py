"""Parameters of an operation as its OpenAPI document spells them: in the path, the query string and headers.

`style` and `explode` say how a list or an object is written (OpenAPI 3.1 section 4.8.12.2 and its appendix C).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import orjson

from adapters.contract import Json
from adapters.errors import FieldError, Invalid, pointer
from adapters.http.document import Broken, Document
from adapters.http.template import OWN_HEADERS, path_text, text_of

Where = Literal["path", "query", "header"]
_STYLES: Mapping[str, tuple[str, ...]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
}
# What OpenAPI says of a header is ignored where the gateway says it itself (section 4.8.12.2.1).
_IGNORED = OWN_HEADERS | {"accept"}
# RFC 3986 section 2.2, without what would end the value or the query string.
_RESERVED = ":/?[]@!$'()*,;"
_BETWEEN = {"form": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `style` is `json` where its value is a JSON text. `schema` is the document's own."""

    name: str
    where: Where
    required: bool
    style: str
    explode: bool
    reserved: bool
    schema: Any
    description: str

    @property
    def spreads(self) -> bool:
        """Whether an object's members are written as parameters of their own."""
        return self.where == "query" and self.style == "form" and self.explode

    def pairs(self, value: Json) -> Iterator[str]:
        """The query string's parts for `value`, percent-encoded; raises `Invalid`."""
        name = quote(self.name, safe="")
        if value is None:
            return
        if self.style == "json":
            yield f"{name}={quote(orjson.dumps(value).decode(), safe='')}"
        elif isinstance(value, Mapping):
            yield from self._object(name, value)
        elif isinstance(value, list | tuple):
            texts = [self._encoded(each) for each in value]
            if self.explode or self.style == "deepObject":
                yield from (f"{name}={each}" for each in texts)
            elif texts:
                yield f"{name}={_BETWEEN[self.style].join(texts)}"
        else:
            yield f"{name}={self._encoded(value)}"

    def _object(self, name: str, value: Mapping[str, Json]) -> Iterator[str]:
        members = {key: each for key, each in value.items() if each is not None}
        if self.style == "deepObject":
            for key, each in members.items():
                inner = f"{name}%5B{quote(key, safe='')}%5D"
                yield from (f"{inner}={self._encoded(one)}" for one in (each if isinstance(each, list) else [each]))
        elif self.explode:
            yield from (f"{quote(key, safe='')}={self._encoded(each)}" for key, each in members.items())
        elif members:
            between = _BETWEEN[self.style]
            flat = [part for key, each in members.items() for part in (quote(key, safe=""), self._encoded(each))]
            yield f"{name}={between.join(flat)}"

    def _encoded(self, value: Json) -> str:
        text = text_of(value)
        if text is None:
            raise self.misfit("must hold texts and numbers only")
        return quote(text, safe=_RESERVED if self.reserved else "")

    def path(self, value: Json) -> str:
        """What stands for the parameter in the path, percent-encoded; raises `Invalid`."""
        parts = self._parts(value)
        name = quote(self.name, safe="")
        if self.style == "label":
            return "." + ("." if self.explode else ",").join(parts)
        if self.style == "simple":
            return ",".join(parts)
        if self.explode and isinstance(value, Mapping):
            return "".join(f";{each}" for each in parts)
        if self.explode:
            return "".join(f";{name}={each}" for each in parts)
        return f";{name}=" + ",".join(parts)

    def _parts(self, value: Json) -> list[str]:
        """What is written one behind another: a list's items, an object's members, or the value itself."""
        if self.style == "json":
            return [quote(path_text(self.name, orjson.dumps(value).decode()), safe="")]
        if isinstance(value, Mapping):
            between = "=" if self.explode else ","
            parts = [f"{self._segment(key)}{between}{self._segment(each)}" for key, each in value.items()]
        else:
            parts = [self._segment(each) for each in (value if isinstance(value, list | tuple) else [value])]
        if not parts:
            raise self.misfit("must not be empty")
        return parts

    def _segment(self, value: Json) -> str:
        return quote(path_text(self.name, value), safe="")

    def header(self, value: Json) -> str | None:
        """The header's value, None for null; raises `Invalid`."""
        if value is None:
            return None
        if self.style == "json":
            text = orjson.dumps(value).decode()
        elif isinstance(value, Mapping):
            between = "=" if self.explode else ","
            text = ",".join(f"{key}{between}{self._plain(each)}" for key, each in value.items() if each is not None)
        elif isinstance(value, list | tuple):
            text = ",".join(self._plain(each) for each in value)
        else:
            text = self._plain(value)
        if not text.isprintable():
            raise self.misfit("holds control characters")
        return text

    def _plain(self, value: Json) -> str:
        text = text_of(value)
        if text is None:
            raise self.misfit("must hold texts and numbers only")
        return text

    def misfit(self, message: str) -> Invalid:
        """The error of a value that can't be written; `message` completes "it …"."""
        place = pointer(self.name) if self.where == "path" else pointer(self.where, self.name)
        return Invalid(f"'{self.name}' can't be part of the request.", errors=[FieldError(place, message)])


def parameters(
    document: Document, item: Mapping[str, Any], operation: Mapping[str, Any], place: str
) -> list[Parameter]:
    """The parameters of an operation and of its path, the operation's own going first; raises `Broken`."""
    found: dict[tuple[str, str], Parameter] = {}
    for holder in (item, operation):
        given = holder.get("parameters", [])
        if not isinstance(given, list):
            raise Broken("parameters that are no list", place)
        for each in given:
            made = _parameter(*document.follow(each, place))
            if made is not None:
                found[made.where, made.name] = made
    return list(found.values())


def _parameter(given: Any, place: str) -> Parameter | None:
    where: Any
    if not isinstance(given, dict) or not isinstance(given.get("name"), str) or not given["name"]:
        raise Broken("a parameter without a name", place)
    name, where, required = given["name"], given.get("in"), given.get("required") is True
    if where == "cookie":
        if required:
            raise Broken(f"the cookie '{name}', and cookies aren't sent", place)
        return None
    if where not in ("path", "query", "header"):
        raise Broken(f"the parameter '{name}' in no place that there is", place)
    if where == "header" and name.lower() in _IGNORED:
        return None
    style, explode, schema = _written(given, name, where, place)
    description = given.get("description")
    text = description if isinstance(description, str) else ""
    return Parameter(
        name, where, required or where == "path", style, explode, bool(given.get("allowReserved")), schema, text
    )


def _written(given: Mapping[str, Any], name: str, where: str, place: str) -> tuple[str, bool, Any]:
    """Style, explode and schema of a parameter."""
    content = given.get("content")
    if isinstance(content, dict):
        media = next(iter(content), "")
        if len(content) != 1 or not (media == "application/json" or media.endswith("+json")):
            raise Broken(f"the parameter '{name}' as {media or 'nothing'}", place)
        return "json", False, _schema_of(content[media])
    style = given.get("style", _STYLES[where][0])
    if style not in _STYLES[where]:
        raise Broken(f"the parameter '{name}' in style {style}, which a {where} hasn't", place)
    return style, bool(given.get("explode", style in ("form", "deepObject"))), _schema_of(given)


def _schema_of(holder: Any) -> Any:
    return holder.get("schema", True) if isinstance(holder, dict) else True
