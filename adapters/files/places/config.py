"""The configuration of a place, as `gateway.yaml` holds it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.files.durations import Duration
from adapters.secret import Secret
from adapters.tls import Tls

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


class Ftp(BaseModel):
    """A folder of an FTP server (RFC 959), over TLS that the client asks for (RFC 4217)."""

    model_config = _FROZEN

    host: str = Field(min_length=1, description="The server.")
    port: int = Field(21, ge=1, le=65535, description="The port on which it listens.")
    user: str = Field(min_length=1)
    password: Secret
    path: str = Field(".", min_length=1, description="The folder.")
    tls: Tls | None = Field(None, description="Whom to trust, and a certificate to show; default the system's.")
    unencrypted: bool = Field(False, description="The server knows no TLS: password and files can be read on the way.")

    @model_validator(mode="after")
    def _sent(self) -> Ftp:
        if any(char in text for text in (self.user, self.path) for char in "\r\n\0"):
            raise ValueError("user and path can't hold line breaks")
        if self.unencrypted and self.tls is not None:
            raise ValueError("tls and unencrypted exclude each other")
        return self


class Smb(BaseModel):
    """A folder of a Windows or Samba server's share (SMB 2.1 and later)."""

    model_config = _FROZEN

    host: str = Field(min_length=1, pattern=r"^[^\\/]+$", description="The server.")
    port: int = Field(445, ge=1, le=65535, description="The port on which it listens.")
    share: str = Field(
        min_length=1, max_length=80, pattern=r"^[^\\/:*?\"<>|\x00-\x1f]+$", description="The share's name."
    )
    user: str = Field(min_length=1, description="Such as 'gateway' or 'DOMAIN\\gateway'.")
    password: Secret
    path: str = Field("", description="The folder in the share, its parts divided by '/'.")
    unencrypted: bool = Field(
        False, description="The server can't encrypt (before SMB 3): files can be read on the way, though not altered."
    )

    @model_validator(mode="after")
    def _inside(self) -> Smb:
        parts = self.path.strip("/").split("/") if self.path.strip("/") else []
        if any(part in ("", ".", "..") or set(part) & set('\\:*?"<>|') or min(part) < " " for part in parts):
            raise ValueError("path must be a folder of the share, such as outgoing/prices")
        return self


class Place(BaseModel):
    """Where the files are, if not in a folder of this machine."""

    model_config = _FROZEN

    sftp: Sftp | None = None
    s3: S3 | None = None
    ftp: Ftp | None = None
    smb: Smb | None = None
    every: Duration = Field(10.0, ge=0, le=86400, description="How long there is between two looks at the place.")
    max_bytes: int = Field(10 << 30, ge=1, description="What the mirror of it may hold.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, dict) and sum(kind in value for kind in ("ftp", "s3", "sftp", "smb")) != 1:
            raise ValueError("names one of ftp, s3, sftp and smb")
        return value
