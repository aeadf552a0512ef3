"""The wsse:Security header: UsernameToken and timestamp (OASIS Web Services Security: UsernameToken Profile 1.0,
section 3; SOAP Message Security 1.0, section 10)."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Literal

from adapters.soap.values import escape

_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = _WSS + "wssecurity-secext-1.0.xsd"
WSU = _WSS + "wssecurity-utility-1.0.xsd"
BASE64 = _WSS + "soap-message-security-1.0#Base64Binary"
X509 = _WSS + "x509-token-profile-1.0#X509v3"
_PROFILE = _WSS + "username-token-profile-1.0#Password"
_LIFE = timedelta(minutes=5)


def security(content: str) -> str:
    """The header block, as XML text, around tokens and a timestamp."""
    return f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}">{content}</wsse:Security>'


def username_token(
    username: str, password: str, kind: Literal["digest", "text"], *, nonce: bytes, created: datetime
) -> str:
    """The token. `nonce` must be fresh for each message; `created` is aware."""
    moment = _moment(created)
    secret = password_digest(nonce, moment, password) if kind == "digest" else password
    return (
        f"<wsse:UsernameToken><wsse:Username>{escape(username)}</wsse:Username>"
        f'<wsse:Password Type="{_PROFILE}{"Digest" if kind == "digest" else "Text"}">{escape(secret)}</wsse:Password>'
        f'<wsse:Nonce EncodingType="{BASE64}">{base64.b64encode(nonce).decode()}</wsse:Nonce>'
        f"<wsu:Created>{moment}</wsu:Created></wsse:UsernameToken>"
    )


def timestamp(created: datetime) -> str:
    """From when to when the message is good: five minutes."""
    return (
        f"<wsu:Timestamp><wsu:Created>{_moment(created)}</wsu:Created>"
        f"<wsu:Expires>{_moment(created + _LIFE)}</wsu:Expires></wsu:Timestamp>"
    )


def password_digest(nonce: bytes, created: str, password: str) -> str:
    """Base64(SHA-1(nonce + created + password)), as section 3.1 orders it."""
    # SHA-1 is the profile's only digest; it proves knowledge of the password and protects nothing else.
    digest = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
