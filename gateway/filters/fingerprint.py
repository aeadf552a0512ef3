"""What a request asks for, as one digest: two requests with the same one ask for the same change."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from gateway.call import Call

# Headers that say how a request is to be done, not what it asks for.
_MANNER = frozenset({"idempotency-key", "prefer", "authorization", "traceparent", "figway-approval", "figway-plan"})


def fingerprint(call: Call) -> bytes:
    """SHA-256 of what the validated request asks for: path, query, headers that the contract declares, body."""
    headers = {name: value for name, value in call.header.items() if name.lower() not in _MANNER}
    if b"if-match" in call.raw_headers:  # also where the contract doesn't declare it
        headers["if-match"] = call.raw_headers[b"if-match"].decode("latin-1")
    request = [call.path, call.query, headers, call.body]
    return sha256(orjson.dumps(request, default=_no_body, option=orjson.OPT_SORT_KEYS)).digest()


def _no_body(_: Any) -> str:
    return "no body"
