"""Who is told of events: `events` of `gateway.yaml`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from adapters.secret import Secret

Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Seeing(_Model):
    """As whom policies know a receiver."""

    principal: Name = Field(description="The principal's id.")
    agent: Name | None = Field(default=None, description="The agent that acts for it, if any.")
    roles: tuple[Name, ...] = Field(default=(), max_length=64, description="Its roles.")
    teams: tuple[Name, ...] = Field(default=(), max_length=64, description="Its teams.")
    tenant: Name | None = Field(default=None, description="Its tenant, if any.")


class Webhook(_Model):
    """One receiver of events."""

    url: str = Field(
        pattern=r"^(https://[^/@?#]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?)(/|$)",
        description="https, or http on this host.",
    )
    secret: Secret = Field(description="What signs the messages, by reference: a text, or whsec_ and base64.")
    as_: Seeing = Field(alias="as", description="As whom it sees events: policies decide.")
    sources: tuple[Annotated[str, Field(pattern=r"^[^.]+\.[^.]+$")], ...] = Field(
        min_length=1, max_length=64, description="What it is told of, each as UPSTREAM.CAPTURE."
    )


class Events(_Model):
    """Who is told of events."""

    webhooks: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,62}$")], Webhook] = Field(
        default_factory=dict, max_length=20, description="Receivers of events, by name."
    )
