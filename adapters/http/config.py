"""What an upstream of kind `http` is configured with."""

from __future__ import annotations

from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from adapters.callers import CallerName
from adapters.http.pages import Pages
from adapters.http.template import OWN_HEADERS, template
from adapters.oauth import OAuth
from adapters.secret import Reference, Secret
from adapters.tls import Tls

_MOST_URLS = 32
_URLS = {"items": {"type": "string"}, "minItems": 1, "maxItems": _MOST_URLS}
_HEADER = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Basic(_Model):
    """HTTP basic authentication (RFC 7617)."""

    username: str = Field(min_length=1, pattern=r"^[^:\r\n]+$", description="The user; no colon.")
    password: Secret = Field(description="Reference to the password.")


class ApiKey(_Model):
    """A key in a header of the upstream's choosing."""

    header: str = Field(pattern=_HEADER, description="The header's name, such as X-Api-Key.")
    value: Secret = Field(description="Reference to the key.")


class Credential(_Model):
    """What is shown to the upstream; exactly one of them."""

    bearer: Secret | None = Field(default=None, description="Reference to a bearer token (RFC 6750).")
    basic: Basic | None = Field(default=None, description="User and password.")
    api_key: ApiKey | None = Field(default=None, description="A key in a header.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        names = list(type(self).model_fields)
        if sum(getattr(self, name) is not None for name in names) != 1:
            raise ValueError(f"give exactly one of {', '.join(names[:-1])} and {names[-1]}")
        return self


class Auth(Credential):
    """How the gateway shows who it is; exactly one of them."""

    oauth: OAuth | None = Field(default=None, description="Access tokens of an authorization server (OAuth 2).")


class Caller(_Model):
    """How the upstream is told in whose name it is called."""

    header: str = Field(
        pattern=_HEADER, description="The header that names the principal, such as X-User; the upstream believes it."
    )

    @field_validator("header")
    @classmethod
    def _free(cls, header: str) -> str:
        if header.lower() in OWN_HEADERS:
            raise ValueError("that header means something else: choose another, such as X-User")
        return header


def _base_urls(value: Any) -> tuple[str, ...]:
    """One address or several; () while a reference isn't set."""
    values = value if isinstance(value, list) else [value]
    if not 1 <= len(values) <= _MOST_URLS:
        raise ValueError(f"base_url must be one address, or a list of at most {_MOST_URLS}")
    found = [_base_url(each) for each in values]
    if len(set(found)) != len(found):
        raise ValueError("base_url names an address twice")
    if len({urlsplit(each).scheme for each in found if each}) > 1:
        raise ValueError("base_url mixes http and https: what one address protects another would give away")
    return tuple(found) if all(found) else ()


def _base_url(value: Any) -> str:
    if isinstance(value, Reference) and value.missing:
        return ""
    if not isinstance(value, str):
        raise ValueError("base_url must be text")
    parts = urlsplit(str(value))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url must be an absolute http or https address, such as https://crm.internal/api")
    if "@" in parts.netloc:
        raise ValueError("base_url must hold no user or password: use auth")
    if parts.query or parts.fragment or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("base_url must be a plain address without query, fragment or blanks")
    parts.port  # noqa: B018 - raises ValueError when the port isn't a number
    return str(value).rstrip("/")


class Config(_Model):
    """An upstream of kind `http`."""

    base_url: Annotated[
        tuple[str, ...], BeforeValidator(_base_urls), WithJsonSchema({"type": ["string", "array"], **_URLS})
    ] = Field(
        description="The API's address, http or https; paths of operations are appended to its own. A list: several "
        "that serve the same."
    )
    auth: Auth | None = Field(default=None, description="How the gateway shows who it is.")
    callers: dict[CallerName, Credential] | None = Field(
        default=None,
        min_length=1,
        description="What is shown in the callers' names, in place of auth, by principal, role:NAME, or '*' for "
        "everyone else; who isn't named is refused.",
    )
    caller: Caller | None = Field(default=None, description="How the upstream is told in whose name it is called.")
    tls: Tls | None = Field(default=None, description="Certificates, for https.")
    probe: str = Field("/", pattern=r"^/[!-~]*$", description="Path that health checks GET.")
    lookup: str | None = Field(
        default=None,
        description='Operation that tells what became of a write, such as "GET /operations/by-key/{idempotency_key}"; '
        "404 means that it never happened.",
    )
    lists: dict[str, Pages] = Field(
        default_factory=dict,
        max_length=1000,
        description='Operations that are lists, such as "GET /v2/customers", and how each of them pages.',
    )
    openapi: str | None = Field(
        default=None,
        pattern=r"^openapi/[^/]+/.+$",
        description="The API's own OpenAPI document (3.0 or 3.1): a workspace file such as "
        "openapi/sources/NAME/api.yaml. Only what it describes can be called then.",
    )
    keep_alive: bool = Field(True, description="Keep connections open between calls.")
    max_body: int = Field(16 * 2**20, ge=1024, le=2**30, description="Largest reply in bytes, after decompression.")
    concurrency: int = Field(8, ge=1, le=1000, description="Connections at most.")

    @model_validator(mode="after")
    def _one_name(self) -> Config:
        if self.callers is not None and self.auth is not None and self.auth.oauth is not None:
            raise ValueError("callers and auth.oauth both say in whose name calls are made: choose one")
        return self

    @field_validator("lists")
    @classmethod
    def _gets(cls, lists: dict[str, Pages]) -> dict[str, Pages]:
        for name in lists:
            parsed = template(name)
            if parsed is None or parsed.method != "GET":
                raise ValueError(f"'{name}' isn't GET and a path: only what is got can be a list")
        return lists

    @field_validator("lookup")
    @classmethod
    def _by_key(cls, value: str | None) -> str | None:
        if value is not None:
            parsed = template(value)
            if parsed is None or parsed.method != "GET" or parsed.names != ("idempotency_key",):
                raise ValueError("lookup must be GET and a path with exactly one parameter, {idempotency_key}")
        return value
