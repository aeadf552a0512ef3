"""What a contract says to models by its words and names: nothing that can't be seen, and no instructions to them.

Descriptions become those of tools, which a model takes for the operator's own words. Whoever writes a contract may tell
a model what to do; that it looks like somebody else's attempt is worth a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from gateway.routing.report import Document, Place, Report
from gateway.untrusted.plain import UNSEEN, instructs
from gateway.untrusted.scanner import built_in

WORDS = ("description", "summary", "title")
"""Keys of OpenAPI and JSON Schema whose value is for people, and for models."""
DATA = frozenset({"example", "examples", "default", "const", "enum", "x-gateway"})
NAMED = frozenset(
    {"properties", "patternProperties", "$defs", "dependentSchemas", "paths", "schemas", "responses", "parameters"}
    | {"headers", "securitySchemes", "content", "requestBodies"}
)
"""Keys whose mapping has names for keys, of which none is a word."""


def check_words(documents: Sequence[Document], report: Report) -> None:
    """Notes words and names that aren't fit for models."""
    for document in documents:
        if _suspicious(document):
            _check(document, report)


def _suspicious(document: Document) -> bool:
    """Quick, and only ever wrong in suspecting: most contracts needn't be walked through."""
    try:
        encoded = orjson.dumps(document.data, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:  # a number or a character that JSON has no way to write
        return True
    return bool(UNSEEN.search(encoded)) or "\\u00" in encoded or built_in().suspects(encoded)


def _check(document: Document, report: Report) -> None:
    for place, text, shown in _texts(document.data, ()):
        unseen = UNSEEN.search(text) if shown else None
        if unseen is not None:
            sentence = f"the character U+{ord(unseen.group()):04X}, which nobody sees, stands here: remove it"
            report.add(document, place, sentence)
        rules = instructs(text)
        if rules:
            sentence = f"this reads like instructions to a model ({rules}): see that nobody else wrote it"
            report.add(document, place, sentence, "warning")


def _texts(value: Any, place: Place, *, shown: bool = True, named: bool = False) -> Iterator[tuple[Place, str, bool]]:
    """Every text and name, where it stands, and whether it is `shown` to models as it is, not a value of data."""
    if isinstance(value, str):
        yield place, value, shown
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, (*place, str(number)), shown=shown)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            name = str(key)
            yield (*place, name), name, shown
            inner = shown and (named or name not in DATA)
            yield from _texts(each, (*place, name), shown=inner, named=not named and name in NAMED)
