"""Certificates, as a configuration names them: a workspace file, or a reference to the text itself.

A reference is read anew with the workspace, so that a renewed certificate takes a reload and no restart. What a
reference `file:` names is read again by itself when it changes; `adapters.certificates` does so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from adapters.errors import ConfigError, ConfigProblem
from adapters.secret import Reference, Secret, kept


class FileText(SecretStr):
    """What a reference `file:` resolved to, and the `path` that it may be read from again."""

    path: str = ""


def _named(value: Any) -> Any:
    if not isinstance(value, Reference):
        return value
    text = kept(value)
    if not value.ref.startswith("file:/"):
        return text
    file = FileText(text.get_secret_value())
    file.path = value.ref.removeprefix("file:")
    return file


PemSource = Annotated[str | SecretStr, BeforeValidator(_named)]
"""A config field that names a PEM text: a workspace file's path, or a reference to the text."""
_PemSecret = Annotated[Secret, BeforeValidator(_named)]


class Tls(BaseModel):
    """Whom to trust, and a certificate to show (mutual TLS)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca: PemSource | None = Field(
        default=None, description="Trusted authorities (PEM) instead of the system's: a workspace file or a reference."
    )
    cert: PemSource | None = Field(
        default=None, description="The gateway's certificate chain (PEM): a workspace file or a reference."
    )
    key: _PemSecret | None = Field(
        default=None, description="Reference to the certificate's unencrypted private key (PEM)."
    )

    @model_validator(mode="after")
    def _pair(self) -> Tls:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key belong together: give both or neither")
        return self

    @property
    def missing(self) -> bool:
        """Whether it refers to something that isn't set."""
        secrets = (each for each in (self.ca, self.cert, self.key) if isinstance(each, SecretStr))
        return not all(each.get_secret_value() for each in secrets)


class Texts(NamedTuple):
    """PEM texts, as `ClientOptions` takes them, and the files that they may be read from again, or None each."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    paths: tuple[str | None, str | None, str | None] = (None, None, None)


def texts(tls: Tls | None, files: Mapping[str, bytes]) -> Texts:
    """What `tls` names, none of it while something of it isn't set; raises `ConfigError` with every problem."""
    if tls is None:
        return Texts()
    problems: list[ConfigProblem] = []
    ca, cert = (pem(source, files, f"/tls/{name}", problems) for name, source in (("ca", tls.ca), ("cert", tls.cert)))
    if problems:
        raise ConfigError(problems)
    if tls.missing:
        return Texts()
    key = None if tls.key is None else tls.key.get_secret_value()
    return Texts(ca, cert, key, (_path(tls.ca), _path(tls.cert), _path(tls.key)))


def _path(source: str | SecretStr | None) -> str | None:
    return source.path if isinstance(source, FileText) else None


def pem(
    source: str | SecretStr | None, files: Mapping[str, bytes], where: str, problems: list[ConfigProblem]
) -> str | None:
    """The PEM text that `source`, configured at `where`, names; what is wrong is added to `problems`."""
    if isinstance(source, SecretStr):
        return source.get_secret_value()
    if source is None:
        return None
    if source not in files:
        problems.append(ConfigProblem(f"there is no file {source} in the workspace", where))
        return None
    return files[source].decode("ascii", "replace")
