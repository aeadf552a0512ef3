"""SOAP by hand, as a stranger's client would send it: envelopes of both versions with a UsernameToken digest."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from lxml import etree

CRM = "urn:halden-supply:crm:customers:2"
ENVELOPE = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
CONTENT = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_WSSE, _WSU = f"{_WSS}-wssecurity-secext-1.0.xsd", f"{_WSS}-wssecurity-utility-1.0.xsd"
_DIGEST = f"{_WSS}-username-token-profile-1.0#PasswordDigest"


@dataclass(frozen=True)
class Answer:
    """A reply: HTTP status, content type, and the element inside the body."""

    status: int
    content_type: str
    payload: Any

    def text(self, path: str) -> str | None:
        """The text of the element at a path of CRM names such as `Customer/Name`; None where there is none."""
        found = self.payload.find("/".join(f"{{{CRM}}}{step}" for step in path.split("/")))
        return None if found is None else found.text or ""

    def all(self, path: str) -> list[Any]:
        """Every element at such a path."""
        return list(self.payload.findall("/".join(f"{{{CRM}}}{step}" for step in path.split("/"))))

    @property
    def detail(self) -> Any:
        """The one element of a fault's detail, in either version's shape; None where there is none."""
        found = self.payload.xpath("*[local-name()='detail' or local-name()='Detail']/*")
        return found[0] if found else None


@dataclass(frozen=True)
class Client:
    """Calls the CRM at `url` as `user`."""

    url: str
    password: str
    user: str = "figway"

    def call(self, body: str, version: str = "1.1", *, token: str | None = None, **options: Any) -> Answer:
        """Sends `body` (elements of the CRM's namespace, prefix c) with a fresh token, unless one is given."""
        head = f"<s:Header>{self.token() if token is None else token}</s:Header>"
        spaces = f'xmlns:s="{ENVELOPE[version]}" xmlns:c="{CRM}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        text = f"<s:Envelope {spaces}>{head}<s:Body>{body}</s:Body></s:Envelope>"
        headers = {"Content-Type": CONTENT[version], "SOAPAction": '""'}
        reply = httpx.post(self.url, content=text.encode(), headers=headers, timeout=options.get("timeout", 10))
        payload = etree.fromstring(reply.content).find(f"{{{ENVELOPE[version]}}}Body")[0]
        return Answer(reply.status_code, reply.headers["content-type"], payload)

    def token(self, *, created: datetime | None = None, password: str | None = None) -> str:
        """A UsernameToken header block."""
        nonce = os.urandom(16)
        at = (created or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = hashlib.sha1(nonce + at.encode() + (password or self.password).encode()).digest()
        return (
            f'<w:Security xmlns:w="{_WSSE}" xmlns:u="{_WSU}" s:mustUnderstand="1"><w:UsernameToken>'
            f"<w:Username>{self.user}</w:Username>"
            f'<w:Password Type="{_DIGEST}">{base64.b64encode(digest).decode()}</w:Password>'
            f"<w:Nonce>{base64.b64encode(nonce).decode()}</w:Nonce><u:Created>{at}</u:Created>"
            "</w:UsernameToken></w:Security>"
        )


def get_customer(number: str) -> str:
    """The body of GetCustomer."""
    return f"<c:GetCustomer><c:CustomerId>{number}</c:CustomerId></c:GetCustomer>"


def update_customer(number: str, changes: str, request: str | None = None) -> str:
    """The body of UpdateCustomer."""
    key = "" if request is None else f"<c:RequestId>{request}</c:RequestId>"
    given = f"<c:CustomerId>{number}</c:CustomerId><c:Changes>{changes}</c:Changes>{key}"
    return f"<c:UpdateCustomer>{given}</c:UpdateCustomer>"
