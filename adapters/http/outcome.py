"""What an operation answers when it succeeds, as its OpenAPI document says: media types, and the value's schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.contract import JsonSchema
from adapters.http.document import Broken, Document
from adapters.http.media import BYTES, Outcome, kind_of
from adapters.http.schemas import Bundle

_NULL: Mapping[str, Any] = {"type": "null"}


def outcome_of(document: Document, given: Mapping[str, Any], place: str, method: str) -> Outcome:
    """The outcome of an operation; raises `Broken`."""
    responses = given.get("responses", {})
    if not isinstance(responses, dict):
        raise Broken("responses that are none", place)
    told = {str(status).upper(): each for status, each in responses.items()}
    good = [each for status, each in told.items() if status[:1] == "2"] or [
        each for status, each in told.items() if status == "DEFAULT"
    ]
    bundle = Bundle(document, sent=False)
    media_types: list[str] = []
    schemas: list[Any] = []
    for each in good:
        found, _ = document.follow(each, place)
        content = found.get("content") if isinstance(found, dict) else None
        if not content or method == "head":
            schemas.append(_NULL)
        for media, holder in content.items() if isinstance(content, dict) and method != "head" else ():
            media_types.append(media.partition(";")[0].strip().lower())
            schemas.append(_schema(media_types[-1], holder, bundle))
    json = not media_types or any(kind_of(each) == "json" for each in media_types)
    return Outcome(
        _accept(media_types), json, _of(media_types, "text"), _of(media_types, "bytes"), _any_of(schemas, bundle)
    )


def _schema(media: str, holder: Any, bundle: Bundle) -> Any:
    if kind_of(media) == "json":
        return bundle.schema(holder.get("schema", True) if isinstance(holder, dict) else True)
    return {"type": "string"} if kind_of(media) == "text" else BYTES


def _of(media_types: list[str], kind: str) -> frozenset[str]:
    return frozenset(each for each in media_types if (kind_of(each) if kind == "text" else _rest(each)) == kind)


def _rest(media: str) -> str:
    return "bytes" if kind_of(media) in ("bytes", "form", "multipart") else kind_of(media)


def _accept(media_types: list[str]) -> str:
    plain = [each for each in dict.fromkeys(media_types) if each.isascii() and each.isprintable() and "," not in each]
    return ", ".join([*(plain or ["application/json"]), "application/problem+json"])


def _any_of(schemas: list[Any], bundle: Bundle) -> JsonSchema:
    distinct: list[Any] = []
    for each in schemas:
        if each not in distinct:
            distinct.append(each)
    if not distinct or any(each is True for each in distinct):
        return {}
    return bundle.standing(distinct[0] if len(distinct) == 1 else {"anyOf": distinct})
