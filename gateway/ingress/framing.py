"""One meaning or 4xx: what a request's framing and header fields may look like.

The HTTP parser refuses what it can't read; this refuses what two readers could take for two things (RFC 9112 §3.2,
§6.1, §11.2) and what is over a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.errors import BadRequest, HeadersTooLarge

_MOST_FIELDS = 100
_MOST_BYTES = 32 * 1024
# A second one of these would be a second meaning.
_SINGLE = frozenset(
    {
        b"host",
        b"authorization",
        b"content-length",
        b"content-type",
        b"transfer-encoding",
        b"idempotency-key",
        b"if-match",
        b"traceparent",
    }
)


def read_headers(fields: Iterable[tuple[bytes, bytes]], version: str) -> Mapping[bytes, bytes]:
    """The header fields by lower-case name, repeated ones joined by ", "; raises a `Problem` if malformed."""
    headers: dict[bytes, bytes] = {}
    count = size = 0
    for name, value in fields:
        count += 1
        size += len(name) + len(value)
        if name in headers:
            if name in _SINGLE:
                raise BadRequest(f"The header field '{name.decode('latin-1')}' is given twice.", fix="Send it once.")
            value = headers[name] + b", " + value
        headers[name] = value
    if count > _MOST_FIELDS or size > _MOST_BYTES:
        raise HeadersTooLarge(f"There are more than {_MOST_FIELDS} header fields or {_MOST_BYTES} bytes of them.")
    if version not in ("1.1", "1.0"):
        raise BadRequest("The gateway speaks HTTP/1.1.", fix="Send the request as HTTP/1.1.")
    if b"transfer-encoding" in headers:
        _check_chunked(headers, version)
    if b"host" not in headers and version != "1.0":
        raise BadRequest("The request has no Host.", fix="Send the header Host.")
    return headers


def _check_chunked(headers: Mapping[bytes, bytes], version: str) -> None:
    if version == "1.0":
        raise BadRequest("HTTP/1.0 has no Transfer-Encoding.", fix="Send HTTP/1.1, or Content-Length.")
    if b"content-length" in headers:
        raise BadRequest("The request has both Content-Length and Transfer-Encoding.", fix="Send one of them.")
    if headers[b"transfer-encoding"].strip().lower() != b"chunked":
        raise BadRequest("The only transfer coding understood is 'chunked'.", fix="Send that, or Content-Length.")
