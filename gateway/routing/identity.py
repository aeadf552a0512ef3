"""The shape of `identity` in `gateway.yaml`: who vouches for callers, and how what they say becomes a principal."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from adapters.secret import Secret
from gateway.routing.units import Duration

Algorithm: TypeAlias = Literal["RS256", "ES256", "EdDSA"]
Network: TypeAlias = IPv4Network | IPv6Network

_LONGEST_LEEWAY = 300.0


def safe_url(url: str) -> str:
    """`url`, if it is https (or http to this host's loopback) and names nothing but a place; raises `ValueError`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("this isn't a URL, such as https://id.example.com") from error
    if not host or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("this isn't a URL, such as https://id.example.com")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("the URL must hold neither a user, a password nor a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError("the URL must be https; http is for this host's loopback only")
    return url


def is_loopback(host: str) -> bool:
    """Whether a host's name or address can only be this host."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _issuer_url(url: str) -> str:
    if urlsplit(safe_url(url)).query:
        raise ValueError("an issuer's URL has no query (RFC 8414 section 2)")
    return url


def _short(leeway: float) -> float:
    if leeway > _LONGEST_LEEWAY:
        raise ValueError("a leeway is at most 5m: it lets expired tokens in")
    return leeway


Url = Annotated[str, AfterValidator(safe_url)]
Claim = Annotated[str, Field(min_length=1, max_length=256)]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,254}[^\x00-\x20\x7f])?$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Introspection(_Model):
    """Where an issuer says what an opaque token stands for (RFC 7662)."""

    url: Url = Field(description="The introspection endpoint.")
    client_id: str = Field(min_length=1, description="Who the gateway is to the issuer.")
    client_secret: Secret = Field(description="Its secret, sent by HTTP basic authentication.")


class Issuer(_Model):
    """One OAuth 2 authorization server or OpenID provider, and how its claims are read.

    A claim is named by its name or, when it is nested, by a JSON Pointer such as /realm_access/roles.
    """

    issuer: Annotated[str, AfterValidator(_issuer_url)] = Field(description="The issuer, exactly as tokens name it.")
    audience: str = Field(min_length=1, description="The audience that tokens for this gateway name.")
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "ES256", "EdDSA"), min_length=1, description="The signature algorithms that are accepted."
    )
    jwks_url: Url | None = Field(default=None, description="Its key set; left out: found by discovery.")
    tenant_claim: Claim | None = Field(
        default=None, description="The claim that names the tenant; a token without it is refused."
    )
    roles_claim: Claim = Field(default="roles", description="The claim that lists roles.")
    teams_claim: Claim = Field(default="groups", description="The claim that lists teams.")
    run_claim: Claim = Field(
        default="run_id", description="The claim that names the run, one task of an agent's; a token may have none."
    )
    scope_prefix: Annotated[str, Field(max_length=256)] | None = Field(
        default=None,
        description="Scopes that begin with it narrow a token to the operationId, effect or group behind it; a token "
        "that has none may do nothing. Left out: scopes are not read.",
    )
    max_actors: int = Field(default=4, ge=0, le=16, description="The longest chain of actors (`act`) accepted.")
    leeway: Annotated[Duration, AfterValidator(_short)] | None = Field(
        default=None, description="How far the issuer's clock may be off; left out: not at all."
    )
    introspection: Introspection | None = Field(default=None, description="How its opaque tokens are checked.")


class Proxy(_Model):
    """Proxies that end TLS and say, in RFC 9440's Client-Cert, which certificate the caller proved."""

    trusted: tuple[Network, ...] = Field(
        min_length=1, description="The addresses of the proxies, such as 10.0.0.7/32; nobody else is believed."
    )
    header: str = Field(
        default="Client-Cert", pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$", description="The header field they set."
    )
    principal: Literal["common_name", "uri", "dns", "email"] = Field(
        default="common_name",
        description="What of the certificate names the principal: the subject's common name, or its only alternative "
        "name of that kind.",
    )
    roles: tuple[Name, ...] = Field(default=(), description="The roles of everyone who comes with a certificate.")


class Identity(_Model):
    """Who may call."""

    api_keys: bool = Field(default=True, description="Whether API keys are accepted.")
    issuers: tuple[Issuer, ...] = Field(
        default=(), max_length=32, description="Whose tokens are accepted; nobody's by default."
    )
    proxy: Proxy | None = Field(default=None, description="Who may vouch for client certificates; nobody by default.")

    @model_validator(mode="after")
    def _one_meaning(self) -> Identity:
        names = [each.issuer for each in self.issuers]
        if len(set(names)) < len(names):
            raise ValueError("an issuer is listed twice")
        if sum(each.introspection is not None for each in self.issuers) > 1:
            raise ValueError("only one issuer can have introspection: an opaque token doesn't say whose it is")
        return self
