"""From a SOAP fault to an error of `adapters.errors`, without leaking what a server says of its insides.

A fault is judged by its names first (the element in its detail, its subcodes, a code of its own), because many servers
send every fault, their own not-found included, with the code Server. Only without a telling name does the code decide:
Client and Sender blame the message; Server and Receiver mean that the server failed underway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import orjson

from adapters.contract import Json
from adapters.errors import AdapterError, Conflict, DoNotRetry, FieldError, Invalid, NotFound, Refused, Retry
from adapters.soap.reply import Caller, Fault

Meaning: TypeAlias = Literal["not_found", "invalid", "conflict", "refused", "retry"]

# What a fault's name tells, in order; the standard codes themselves tell nothing here.
_TELLING: tuple[tuple[re.Pattern[str], Meaning], ...] = (
    (re.compile(r"NotFound|NoSuch|DoesNotExist|Nonexistent", re.IGNORECASE), "not_found"),
    (
        re.compile(
            r"FailedAuthentication|FailedCheck|InvalidSecurity|SecurityToken|UnsupportedAlgorithm|MessageExpired"
            r"|Unauthori[sz]ed|AccessDenied|Forbidden|NotPermitted|Authent"
        ),
        "refused",
    ),
    (re.compile(r"Conflict|Duplicate|AlreadyExists|Version|Concurren|OutOfDate", re.IGNORECASE), "conflict"),
    (re.compile(r"Throttl|TooManyRequests|RateLimit|ServerBusy", re.IGNORECASE), "retry"),
    (re.compile(r"Validation|Invalid|BadRequest|IllegalArgument", re.IGNORECASE), "invalid"),
)
_STANDARD = frozenset(
    {"Client", "Server", "Sender", "Receiver", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown"}
)
_FIELD = frozenset({"field", "fieldname", "property", "path", "element", "parameter"})
_REASON = frozenset({"message", "reason", "text", "description", "error"})
_MOST_FIELDS = 20
_MOST_TEXT = 300
_MOST_DETAIL = 4000

# A text with any of these comes from a server's insides: nothing of it is shown.
_INSIDES = re.compile(
    r"\n\s*at |Stack ?trace|Traceback|\.java:\d|\.(?:cs|php|py|rb|pl):?(?: on)?(?: line)? ?\d|#\d+ |SQLSTATE|ORA-\d"
    r"|\b(?:SELECT|INSERT|UPDATE|DELETE)\b.*\b(?:FROM|INTO|SET|WHERE)\b|Exception:|\w+\.\w+\.\w+Exception",
    re.DOTALL,
)
_PLACES = re.compile(r"\w+://\S+|(?:[A-Za-z]:)?(?:\\[\w.$ -]+){2,}|(?<!\w)/(?:[\w.@~-]+/)+[\w.@~-]*")


@dataclass(frozen=True, slots=True)
class Detail:
    """What a fault's detail says: names that may tell its meaning, and the value when it is as the WSDL declares."""

    names: tuple[str, ...]
    value: Json


def error_of(fault: Fault, caller: Caller, known: Mapping[str, Meaning], detail: Detail) -> AdapterError:
    """The error that `fault` means; `known` maps names to meanings before any guess."""
    names = [*detail.names, *fault.subcodes, *([] if fault.code in _STANDARD else [fault.code])]
    meaning = next((known[name] for name in names if name in known), None) or _guess(names)
    error = _meant(meaning, _sentence(fault, caller), detail.value) if meaning else _by_code(fault, caller)
    facts = {"code": fault.code, "subcodes": fault.subcodes, "status": fault.status, "text": fault.text}
    error.detail = orjson.dumps({**facts, "names": detail.names, "detail": detail.value}).decode()[:_MOST_DETAIL]
    return error


def shown(text: str) -> str:
    """`text` as far as it may be shown to a caller: nothing of a server's insides, no places, bounded; or ""."""
    if _INSIDES.search(text) is not None:
        return ""
    text = " ".join(_PLACES.sub("…", text).split())
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"


def _guess(names: list[str]) -> Meaning | None:
    return next((meaning for name in names for pattern, meaning in _TELLING if pattern.search(name)), None)


def _meant(meaning: Meaning, sentence: str, detail: Json) -> AdapterError:
    if meaning == "not_found":
        return NotFound(sentence)
    if meaning == "conflict":
        return Conflict(sentence)
    if meaning == "refused":
        return Refused(sentence)
    if meaning == "retry":
        return Retry(sentence)
    return Invalid(sentence, errors=tuple(_fields(detail))[:_MOST_FIELDS])


def _by_code(fault: Fault, caller: Caller) -> AdapterError:
    if fault.client:
        return Invalid(_sentence(fault, caller))
    if fault.code in ("VersionMismatch", "MustUnderstand", "DataEncodingUnknown"):
        return DoNotRetry(f"{caller.system} doesn't speak SOAP as its WSDL says ({fault.code})")
    return caller.failed(f"failed while it handled the call (SOAP fault, HTTP {fault.status})")


def _sentence(fault: Fault, caller: Caller) -> str:
    text = shown(fault.text)
    return f"{caller.system} refused the call: {text}" if text else f"{caller.system} refused the call"


def _fields(value: Json) -> Iterator[FieldError]:
    """Field and message pairs anywhere in a typed detail, such as `{"Field": "Email", "Message": "is taken"}`."""
    if isinstance(value, list):
        for item in value:
            yield from _fields(item)
    elif isinstance(value, dict):
        texts = {key.lower().lstrip("@"): item for key, item in value.items() if isinstance(item, str)}
        field = next((texts[key] for key in texts if key in _FIELD), None)
        reason = next((texts[key] for key in texts if key in _REASON), None)
        if field is not None:
            yield FieldError(_pointer(field), shown(reason or "") or "isn't accepted")
        for item in value.values():
            yield from _fields(item)


def _pointer(field: str) -> str:
    if field.startswith("/"):
        return field
    return "".join("/" + part.replace("~", "~0") for part in re.split(r"[./\[\]]+", field) if part)
