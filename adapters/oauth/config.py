"""The configuration of an authorization server."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from adapters.secret import Reference, Secret


def _token_url(value: Any) -> Any:
    if isinstance(value, Reference) and value.missing:
        return ""
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or not parts.hostname or parts.fragment or "@" in parts.netloc or not value.isascii():
        raise ValueError("token_url must be an absolute address without user, such as https://id.example.com/token")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")):
        raise ValueError("token_url must be https: it is sent the client's secret (RFC 6749 section 3.2)")
    parts.port  # noqa: B018 - raises ValueError when the port isn't a number
    return str.__str__(value)


class OAuth(BaseModel):
    """An authorization server, and what the gateway is to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_url: Annotated[str, BeforeValidator(_token_url)] = Field(description="The server's token endpoint, https.")
    client_id: str = Field(min_length=1, description="The gateway's name there.")
    client_secret: Secret = Field(description="Reference to its secret, shown by HTTP basic authentication.")
    scope: str | None = Field(None, pattern=r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$", description="Scopes to ask for.")
    audience: str | None = Field(None, min_length=1, description="The upstream's name at the authorization server.")
    exchange: bool = Field(
        False, description="Call in the caller's name: its own token is exchanged (RFC 8693) for one of the upstream's."
    )
    actor: bool = Field(True, description="In an exchange, say by the gateway's own token who acts for the caller.")

    @model_validator(mode="after")
    def _actor_of_what(self) -> OAuth:
        if not self.exchange and "actor" in self.model_fields_set:
            raise ValueError("actor belongs to an exchange: add exchange: true")
        return self
