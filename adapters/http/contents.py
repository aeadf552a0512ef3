"""Bodies of requests as an OpenAPI document describes them: JSON, forms, texts, bytes; and their JSON Schemas.

Bytes are base64 text in JSON, or a `Blob`, which is sent from where it is without being held in memory.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import orjson

from adapters.blob import Blob, of_base64
from adapters.bodies import Pieces
from adapters.contract import Json
from adapters.errors import FieldError, Invalid, pointer
from adapters.http.document import Broken, Document
from adapters.http.media import BYTES, Kind, kind_of
from adapters.http.schemas import Bundle, unfolded
from adapters.http.template import text_of

_ANY_BYTES = "application/octet-stream"
_MEDIA = re.compile(r"[A-Za-z0-9!#$&^_.+*-]{1,127}/[A-Za-z0-9!#$&^_.+*-]{1,127}")
_MOST_NAME = 255
_MOST_LISTS = 8
"""Lists within each other that may hold files."""
# HTML section 4.10.21.8: how names are written into a part's head.
_QUOTED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


_ORDER = ("json", "form", "multipart", "text", "bytes")


@dataclass(frozen=True, slots=True)
class Body:
    """What an operation's request body is. `types`: a form's parts with a media type of their own; `files`: those of a
    multipart form that are bytes."""

    kind: Kind
    media: str
    required: bool
    types: Mapping[str, str]
    files: frozenset[str]

    def written(self, value: Json) -> tuple[str, bytes | Pieces]:
        """Its Content-Type and the body; raises `Invalid`, and what orjson raises."""
        if self.kind == "json":
            return self.media, orjson.dumps(value)
        if self.kind == "text":
            return self.media if "charset" in self.media else f"{self.media}; charset=utf-8", str(value).encode()
        if self.kind == "bytes":
            blob = _bytes(value, "/body")
            return blob.media_type or _ANY_BYTES if "*" in self.media else self.media, [blob]
        if self.kind == "form":
            return self.media, "&".join(
                f"{quote_plus(name)}={quote_plus(text)}" for name, text in _fields(value)
            ).encode()
        boundary = "figway-" + secrets.token_hex(16)
        return f'{self.media}; boundary="{boundary}"', list(self._parts(value, boundary))

    def _parts(self, value: Mapping[str, Json], boundary: str) -> Iterator[bytes | Blob]:
        """A multipart form's parts (RFC 7578)."""
        for name, each in value.items():
            for one in each if isinstance(each, list) else [each]:
                if one is None:
                    continue
                if name in self.files:
                    content, media, filename = self._file(name, one)
                else:
                    text = text_of(one)
                    content = orjson.dumps(one) if text is None else text.encode()
                    media = self.types.get(name, "application/json" if text is None else "text/plain; charset=utf-8")
                    filename = ""
                yield _head(boundary, name, filename, media)
                yield content
                yield b"\r\n"
        yield f"--{boundary}--\r\n".encode()

    def _file(self, name: str, value: Json) -> tuple[bytes | Blob, str, str]:
        """A file's content, media type and name: of the content alone, or of an object that says more."""
        told = value if isinstance(value, Mapping) else {"content": value}
        blob = _bytes(told["content"], pointer("body", name))
        media = told.get("type") or self.types.get(name) or blob.media_type
        if not media or "*" in media or not _MEDIA.fullmatch(media):
            media = _ANY_BYTES
        return blob, media, told.get("filename") or name


def body_of(document: Document, given: Any, place: str, bundle: Bundle) -> tuple[Body, Any]:
    """What a `requestBody` says, and the JSON Schema of the input's `body`; raises `Broken`."""
    content = given.get("content") if isinstance(given, dict) else None
    if not isinstance(content, dict) or not content:
        raise Broken("a body without content", place)
    types = {media.partition(";")[0].strip().lower(): each for media, each in content.items()}
    media = min(types, key=lambda each: (_ORDER.index(kind_of(each)), list(types).index(each)))
    if not _MEDIA.fullmatch(media):
        raise Broken(f"a body of the type '{media[:100]}'", place)
    holder = types[media] if isinstance(types[media], dict) else {}
    schema, kind = holder.get("schema", True), kind_of(media)
    files: frozenset[str] = frozenset()
    own: dict[str, str] = {}
    if kind == "json":
        made = bundle.schema(schema)
    elif kind == "bytes":
        made = dict(BYTES)
    elif kind == "text":
        if unfolded(document, schema, lambda each: each.get("type") in ("object", "array")):
            raise Broken(f"a structured body of the type {media}", place)
        made = {"type": "string"}
    else:
        made, files, own = _form(document, holder, kind, bundle)
    return Body(kind, media, given.get("required") is True, own, files), made


def _form(
    document: Document, holder: Mapping[str, Any], kind: Kind, bundle: Bundle
) -> tuple[Any, frozenset[str], dict[str, str]]:
    """The schema of a form's fields, those that are files, and the media types that parts are given."""
    made = bundle.schema(holder.get("schema", {"type": "object"}))
    given, _ = document.follow(holder.get("schema", {}), "")
    fields = given.get("properties") if isinstance(given, dict) else None
    if not isinstance(fields, dict):
        fields = {}
    encoding = holder.get("encoding", {})
    types = {
        name: each["contentType"].partition(",")[0].strip()
        for name, each in (encoding.items() if isinstance(encoding, dict) else ())
        if isinstance(each, dict) and isinstance(each.get("contentType"), str) and _is_plain(each["contentType"])
    }
    if kind == "form":
        return made, frozenset(), types
    files = frozenset(name for name, each in fields.items() if _is_file(document, each, types.get(name, "")))
    if files:
        made = {**bundle.resolved(made)}
        made["properties"] = {
            **made["properties"],
            **{name: _file_schema(document, fields[name]) for name in fields if name in files},
        }
    return made, files, types


def _is_plain(text: str) -> bool:
    """Whether it can stand in a part's head."""
    return text.isascii() and text.isprintable()


def _is_file(document: Document, given: Any, media: str) -> bool:
    """3.0 says `format: binary`; 3.1 a content's media type, or a schema that says nothing."""
    found, _ = document.follow(given, "")
    for _ in range(_MOST_LISTS):
        if not (isinstance(found, dict) and found.get("type") == "array"):
            break
        found, _ = document.follow(found.get("items", {}), "")
    if not isinstance(found, dict) or found.get("type") == "array":
        return False
    if found.get("format") == "binary" or "contentMediaType" in found:
        return True
    return "type" not in found and "$ref" not in found and bool(media) and kind_of(media) == "bytes"


def _file_schema(document: Document, given: Any) -> dict[str, Any]:
    text = {"type": "string", "maxLength": _MOST_NAME}
    told = {"content": BYTES, "filename": text, "type": text}
    one = {
        "anyOf": [BYTES, {"type": "object", "properties": told, "required": ["content"], "additionalProperties": False}]
    }
    found, _ = document.follow(given, "")
    if isinstance(found, dict) and found.get("type") == "array":
        bounds = {key: found[key] for key in ("minItems", "maxItems") if key in found}
        return {"type": "array", "items": one, **bounds}
    return one


def _fields(value: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """A form's fields: a list repeats its name, an object is JSON, null is left out."""
    for name, each in value.items():
        for one in each if isinstance(each, list) else [each]:
            if one is not None:
                text = text_of(one)
                yield name, orjson.dumps(one).decode() if text is None else text


def _bytes(value: Json, place: str) -> Blob:
    if isinstance(value, Blob):
        return value
    try:
        return of_base64(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise Invalid("The input holds what isn't base64.", errors=[FieldError(place, "isn't base64")]) from error


def _head(boundary: str, name: str, filename: str, media: str) -> bytes:
    disposition = f'form-data; name="{name.translate(_QUOTED)}"'
    if filename:
        disposition += f'; filename="{filename.translate(_QUOTED)}"'
    return f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {media}\r\n\r\n".encode()


def without_blobs(value: Json) -> Json:
    """`value` with an empty text for each `Blob`, as a validator knows none."""
    if isinstance(value, Blob):
        return ""
    if isinstance(value, Mapping):
        return {name: without_blobs(each) for name, each in value.items()}
    return [without_blobs(each) for each in value] if isinstance(value, list) else value
