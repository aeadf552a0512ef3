"""WS-Security UsernameToken, digest and text (OASIS Web Services Security UsernameToken Profile 1.0, section 3)."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Literal

from adapters.soap.values import escape

_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_PROFILE = _WSS + "username-token-profile-1.0#Password"
_BASE64 = _WSS + "soap-message-security-1.0#Base64Binary"


def username_token(
    username: str, password: str, kind: Literal["digest", "text"], *, nonce: bytes, created: datetime
) -> str:
    """The wsse:Security header, as XML text. `nonce` must be fresh for each message; `created` is aware."""
    moment = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    secret = password_digest(nonce, moment, password) if kind == "digest" else password
    return (
        f'<wsse:Security xmlns:wsse="{_WSS}wssecurity-secext-1.0.xsd" xmlns:wsu="{_WSS}wssecurity-utility-1.0.xsd">'
        f"<wsse:UsernameToken><wsse:Username>{escape(username)}</wsse:Username>"
        f'<wsse:Password Type="{_PROFILE}{"Digest" if kind == "digest" else "Text"}">{escape(secret)}</wsse:Password>'
        f'<wsse:Nonce EncodingType="{_BASE64}">{base64.b64encode(nonce).decode()}</wsse:Nonce>'
        f"<wsu:Created>{moment}</wsu:Created></wsse:UsernameToken></wsse:Security>"
    )


def password_digest(nonce: bytes, created: str, password: str) -> str:
    """Base64(SHA-1(nonce + created + password)), as section 3.1 orders it."""
    # SHA-1 is the profile's only digest; it proves knowledge of the password and protects nothing else.
    digest = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()
