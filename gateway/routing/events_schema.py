"""Who is told of events: `events` of `gateway.yaml`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

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


class Subscription(_Model):
    """What a subscriber of `gateway.yaml` is told, and as whom."""

    as_: Seeing = Field(alias="as", description="As whom it sees events: policies decide.")
    sources: tuple[Annotated[str, Field(pattern=r"^[^.]+\.[^.]+$")], ...] = Field(
        min_length=1, max_length=64, description="What it is told of, each as UPSTREAM.CAPTURE."
    )


class Webhook(Subscription):
    """One receiver of events."""

    url: str = Field(
        pattern=r"^(https://[^/@?#]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?)(/|$)",
        description="https, or http on this host.",
    )
    secret: Secret = Field(description="What signs the messages, by reference: a text, or whsec_ and base64.")


class StreamTls(_Model):
    """Whom to trust, and a certificate to show: PEM texts by reference."""

    ca: Secret | None = Field(default=None, description="Trusted authorities instead of the system's.")
    cert: Secret | None = Field(default=None, description="The gateway's certificate chain.")
    key: Secret | None = Field(default=None, description="The certificate's unencrypted private key.")

    @model_validator(mode="after")
    def _pair(self) -> StreamTls:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key belong together: give both or neither")
        return self


class Stream(Subscription):
    """One stream of NATS JetStream that events are published to."""

    url: str = Field(
        pattern=r"^(tls://(\[[0-9a-fA-F:]+\]|[^/@?#:,\s]+)(:[0-9]{1,5})?"
        r"|nats://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?)$",
        description="tls, or nats on this host.",
    )
    stream: str = Field(pattern=r"^[^\s.*>/\\]{1,255}$", description="The stream's name; it is there already.")
    prefix: str = Field(
        default="figway",
        pattern=r"^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}$",
        description="What subjects begin with: PREFIX.UPSTREAM.CAPTURE.KEY.",
    )
    credentials: Secret | None = Field(default=None, description="A credentials file's text: a JWT and its seed.")
    nkey: Secret | None = Field(default=None, description="The seed of a user's NKEY.")
    token: Secret | None = Field(default=None, description="A token.")
    user: str | None = Field(default=None, max_length=256, description="A user's name, beside password.")
    password: Secret | None = Field(default=None, description="The user's password.")
    tls: StreamTls = Field(default=StreamTls(), description="Certificates other than the system's.")

    @model_validator(mode="after")
    def _one_credential(self) -> Stream:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together: give both or neither")
        if sum(each is not None for each in (self.credentials, self.nkey, self.token, self.user)) > 1:
            raise ValueError("credentials, nkey, token and user with password exclude each other: give one")
        return self


SubscriberName: TypeAlias = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,62}$")]


class Events(_Model):
    """Who is told of events."""

    webhooks: dict[SubscriberName, Webhook] = Field(
        default_factory=dict, max_length=20, description="Receivers of events, by name."
    )
    streams: dict[SubscriberName, Stream] = Field(
        default_factory=dict, max_length=20, description="Streams of NATS JetStream that events go to, by name."
    )

    @model_validator(mode="after")
    def _told_apart(self) -> Events:
        for name in sorted(self.webhooks.keys() & self.streams.keys()):
            raise ValueError(f"'{name}' is a webhook and a stream: give one of them another name")
        return self

    @property
    def subscribers(self) -> dict[str, Webhook | Stream]:
        """All of them, by name."""
        return {**self.webhooks, **self.streams}
