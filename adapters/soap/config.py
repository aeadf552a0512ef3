"""The configuration of a SOAP upstream."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from adapters.callers import CallerName
from adapters.oauth import OAuth
from adapters.secret import Secret
from adapters.soap.blocks import BlockContent, BlockName
from adapters.soap.faults import Meaning
from adapters.tls import PemSource, Tls
from adapters.zones import ZoneName


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wsse(_Model):
    """WS-Security UsernameToken."""

    username: str = Field(description="The user that the token names.")
    password: Secret = Field(description="A reference to the password.")
    type: Literal["digest", "text"] = Field("digest", description="How the password travels; text only over TLS.")
    timestamp: bool = Field(False, description="Say in the message until when it is good: five minutes.")


class Signature(_Model):
    """WS-Security signature with an X.509 certificate; the message has a timestamp then."""

    cert: PemSource = Field(description="The certificate (PEM): a workspace file, or a reference to its text.")
    key: Secret = Field(description="A reference to the certificate's unencrypted private key (PEM).")


class Verify(_Model):
    """Whose signature a reply must have."""

    cert: PemSource = Field(
        description="The service's certificate (PEM), or several of which one signs: a workspace file, or a reference."
    )


class Basic(_Model):
    """HTTP basic authentication (RFC 7617)."""

    username: str = Field(description="The user.")
    password: Secret = Field(description="A reference to the password.")

    @field_validator("username")
    @classmethod
    def _no_colon(cls, username: str) -> str:
        if ":" in username:
            raise ValueError("a user of HTTP basic authentication can't hold a colon")
        return username


class Credential(_Model):
    """What is shown to the service: a token or a signature in the message, HTTP authentication, or several of them."""

    wsse: Wsse | None = Field(None, description="WS-Security UsernameToken.")
    signature: Signature | None = Field(None, description="WS-Security signature with an X.509 certificate.")
    basic: Basic | None = Field(None, description="HTTP basic authentication.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        names = list(type(self).model_fields)
        if all(getattr(self, name) is None for name in names):
            raise ValueError(f"name {' or '.join(names)}")
        return self


class Auth(Credential):
    """How the gateway proves who it is."""

    oauth: OAuth | None = Field(None, description="Access tokens of an authorization server (OAuth 2).")

    @model_validator(mode="after")
    def _one_header(self) -> Self:
        if self.oauth is not None and self.basic is not None:
            raise ValueError("oauth and basic both need the Authorization header: choose one")
        return self


class ProbeCall(_Model):
    """A call that tells whether the service is well; it must not change anything."""

    operation: str = Field(description="An operation that only reads.")
    input: dict[str, Any] = Field(default_factory=dict, description="Its input.")


class Values(_Model):
    """How numbers are spelt in JSON."""

    decimal: Literal["string", "number"] = Field("string", description="A decimal: a string, or a number where exact.")
    long: Literal["integer", "string"] = Field("integer", description="Integers of 64 bits and more.")


class Config(_Model):
    """A SOAP service, as its WSDL describes it."""

    wsdl: str = Field(description="The WSDL's path in the workspace.")
    address: str | None = Field(None, description="Where the service is, instead of the address in the WSDL.")
    service: str | None = Field(None, description="The WSDL's service to use, where it has several.")
    port: str | None = Field(None, description="The service's port to use; otherwise its first SOAP 1.1, then 1.2 one.")
    auth: Auth | None = Field(None, description="How the gateway proves who it is.")
    callers: dict[CallerName, Credential] | None = Field(
        None,
        min_length=1,
        description="What is shown in the callers' names, in place of auth, by principal, role:NAME, or '*' for "
        "everyone else; who isn't named is refused.",
    )
    verify: Verify | None = Field(None, description="Whose signature (WS-Security, X.509) each reply must have.")
    tls: Tls | None = Field(None, description="Whom to trust, and the gateway's own certificate, for https.")
    trace: BlockName | None = Field(
        None, description="A header block that carries the trace context, as {namespace}name, beside the HTTP header."
    )
    headers: dict[BlockName, BlockContent] = Field(
        default_factory=dict,
        max_length=20,
        description="Header blocks of every message, {namespace}name to text, a reference, or elements by name.",
    )
    addressing: bool = Field(False, description="Send WS-Addressing 1.0 header blocks; a reply must be to its request.")
    attachments: Literal["mtom", "swa"] | None = Field(
        None,
        description="How content travels beside the message: base64Binary by MTOM, or what the caller attaches "
        "(SOAP with Attachments). Replies may use either in any case.",
    )
    time_zone: ZoneName = Field("UTC", description="The IANA time zone of a dateTime in a reply that names no offset.")
    values: Values | None = Field(None, description="How numbers are spelt in JSON.")
    connections: int | None = Field(
        None, ge=1, le=256, description="Connections at most; otherwise `concurrency`, or 8."
    )
    concurrency: int | None = Field(
        None, ge=1, description="Calls at once; the gateway's own key, read for its number."
    )
    keep_alive: bool = Field(
        True, description="Whether connections are kept; false for servers that serve one at a time."
    )
    max_body: int = Field(16 * 2**20, ge=1024, description="Bytes of a reply at most, counted after decompression.")
    faults: dict[str, Meaning] = Field(
        default_factory=dict,
        description="What faults mean, by the name of the detail's element, the fault or the code.",
    )
    probe: ProbeCall | None = Field(None, description="A call to probe with, instead of fetching the address.")

    @model_validator(mode="after")
    def _one_name(self) -> Config:
        if self.callers is not None and self.auth is not None and self.auth.oauth is not None:
            raise ValueError("callers and auth.oauth both say in whose name calls are made: choose one")
        return self

    @model_validator(mode="after")
    def _one_whole(self) -> Config:
        credentials = [self.auth, *(self.callers or {}).values()]
        if self.attachments is not None and any(each is not None and each.signature for each in credentials):
            raise ValueError("a signed message has its content within: leave out attachments or the signature")
        if self.attachments is not None and self.verify is not None:
            raise ValueError("a signature covers no attachments: leave out attachments or verify")
        return self
