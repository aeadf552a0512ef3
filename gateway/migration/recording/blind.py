"""Replies whose values are hidden and can still be compared: a keyed hash stands for each value that isn't kept.

Both sides' replies are hidden by the same key, so that equal values have equal hashes; values that mean the same at a
place (`1.10` and `1.1`, an instant in two zones) have one. What hides from a reader doesn't hide from somebody who has
the key and guesses: the key is in the recording.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

import orjson

from adapters.contract import Json
from gateway.audit.arguments import canonical
from gateway.migration.compare.comparer import Comparer
from gateway.migration.compare.model import Comparison, Observed
from gateway.migration.compare.nodes import Node
from gateway.migration.compare.redact import Redactor, covers
from gateway.migration.compare.rules import segments
from gateway.migration.compare.values import Form, decimal, normal
from gateway.routing.parity_schema import At, EnumMap, ParityModel

MARK: Final = "~"
"""What a hidden value begins with: no number, instant or base64 does."""
_GONE: Final = f"{MARK}redacted"
_NEXT: Final = f"{MARK}next"
_DIGITS = 32
UNSURE: Final = "a tolerance speaks of hidden values: name them in samples.keep"


class Blind:
    """Hides the values of one route's replies. May be used by several threads."""

    def __init__(self, comparer: Comparer, redactor: Redactor, key: bytes) -> None:
        self._comparer, self._redactor, self._key = comparer, redactor, key

    def reply(self, observed: Observed) -> Observed:
        """A reply as it is recorded: of a problem what it blames, of a body everything but its values."""
        if observed.problem is not None:
            return observed._replace(body={"errors": list(_blamed(observed.body))})
        return observed._replace(body=self._hidden(observed.body, self._comparer.root(observed.body)))

    def _hidden(self, value: Json, node: Node) -> Json:
        if isinstance(value, dict):
            return {name: self._hidden(each, node.member(name)) for name, each in value.items()}
        if isinstance(value, list):
            return [self._hidden(each, node.item(at)) for at, each in enumerate(value)]
        if value is None or value == "":
            return value
        if node.is_next:
            return _NEXT
        match self._redactor.how(node.pattern):
            case "keep":
                return value
            case "redact":
                return _GONE
        return token(value, node.form, self._key)


def token(value: Json, form: Form, key: bytes) -> str:
    """What stands for a scalar: the same for all that mean the same at a place of that form."""
    return MARK + hmac.digest(key, canonical(_meant(value, form)), "sha256").hex()[:_DIGITS]


def _meant(value: Json, form: Form) -> list[str]:
    if form == "guess" and isinstance(value, str) and (exact := decimal(value)) is not None:
        return ["decimal", str(Fraction(exact))]
    kind, found = normal(value, form)
    if kind in ("decimal", "instant", "number"):
        return [kind, str(Fraction(found))]
    return [kind, found.hex() if isinstance(found, bytes) else str(found)]


def _blamed(body: Json) -> Iterable[Json]:
    errors = body.get("errors") if isinstance(body, dict) else None
    for each in errors if isinstance(errors, list) else ():
        if isinstance(each, dict):
            yield {"pointer": str(each.get("pointer"))}


def blinded(parity: ParityModel, key: bytes) -> ParityModel:
    """The rules by which hidden replies are compared: what is redacted isn't, and maps know hidden values, too."""
    gone = tuple(At(at=each, owner="samples", reason="redacted") for each in parity.samples.redact)
    maps = tuple(_map(each, key) for each in parity.enum_map)
    return parity.model_copy(update={"ignore": (*parity.ignore, *gone), "enum_map": maps})


def _map(said: EnumMap, key: bytes) -> EnumMap:
    hidden = {}
    for name, value in said.values.items():
        means = token(value, "text", key)
        hidden[token(name, "text", key)] = means
        if (spelt := _spelt(name)) is not None:
            hidden[token(spelt, "text", key)] = means
    return said.model_copy(update={"values": {**said.values, **hidden}})


def _spelt(name: str) -> int | bool | None:
    """The whole number or boolean that a map's key spells."""
    try:
        found = orjson.loads(name)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, int) else None


def judged(comparison: Comparison, parity: ParityModel) -> Comparison:
    """A comparison of hidden replies: incomparable where a tolerance would have to know values that are hidden."""
    tolerant = [segments(each.at) for each in parity.tolerance]
    left = [each for each in comparison.differences if each.verdict == "mismatch"]
    hidden = all(_is_hidden(each.legacy) and _is_hidden(each.replacement) for each in left)
    if left and hidden and all(covers(tolerant, each.pattern) for each in left):
        return comparison._replace(verdict="incomparable", reason=UNSURE)
    return comparison


def _is_hidden(value: Json) -> bool:
    return isinstance(value, str) and value.startswith(MARK)
