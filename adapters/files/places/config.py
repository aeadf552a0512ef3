"""The configuration of a place, as `gateway.yaml` holds it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.files.durations import Duration
from adapters.secret import Secret

_FROZEN = ConfigDict(extra="forbid", frozen=True)


class Sftp(BaseModel):
    """A folder of an SFTP server."""

    model_config = _FROZEN

    host: str = Field(min_length=1, description="The server.")
    port: int = Field(22, ge=1, le=65535, description="The port on which it listens.")
    user: str = Field(min_length=1, description="Whom the gateway logs in as.")
    host_key: str = Field(
        min_length=1, description="The server's public key, as ssh-keyscan says it; another one is refused."
    )
    password: Secret | None = Field(None, description="Reference to the password; or else private_key.")
    private_key: Secret | None = Field(None, description="Reference to a private key in OpenSSH's or PEM's form.")
    path: str = Field(".", min_length=1, description="The folder.")

    @model_validator(mode="after")
    def _one(self) -> Sftp:
        if (self.password is None) == (self.private_key is None):
            raise ValueError("needs a password or a private_key, and not both")
        return self


class S3(BaseModel):
    """The objects of a bucket below a prefix."""

    model_config = _FROZEN

    bucket: str = Field(min_length=3, max_length=63, description="The bucket's name.")
    prefix: str = Field("", description="Such as 'outgoing/'; names begin behind it.")
    region: str = Field("us-east-1", description="Where the bucket is.")
    endpoint: str | None = Field(None, description="Another server than Amazon's, such as https://minio.example.com.")
    access_key: Secret
    secret_key: Secret


class Place(BaseModel):
    """Where the files are, if not in a folder of this machine."""

    model_config = _FROZEN

    sftp: Sftp | None = None
    s3: S3 | None = None
    every: Duration = Field(10.0, ge=0, le=86400, description="How long there is between two looks at the place.")
    max_bytes: int = Field(10 << 30, ge=1, description="What the mirror of it may hold.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, dict) and ("sftp" in value) == ("s3" in value):
            raise ValueError("names one of sftp and s3")
        return value
