"""Certificates, as a configuration names them: a workspace file, or a reference to the text itself.

A reference is read anew with the workspace, so that a renewed certificate takes a reload and no restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from adapters.errors import ConfigError, ConfigProblem
from adapters.secret import Reference, Secret, kept


def _named(value: Any) -> Any:
    return kept(value) if isinstance(value, Reference) else value


PemSource = Annotated[str | SecretStr, BeforeValidator(_named)]
"""A config field that names a PEM text: a workspace file's path, or a reference to the text."""


class Tls(BaseModel):
    """Whom to trust, and a certificate to show (mutual TLS)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca: PemSource | None = Field(
        default=None, description="Trusted authorities (PEM) instead of the system's: a workspace file or a reference."
    )
    cert: PemSource | None = Field(
        default=None, description="The gateway's certificate chain (PEM): a workspace file or a reference."
    )
    key: Secret | None = Field(
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
    """PEM texts, as `ClientOptions` takes them."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


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
    return Texts(ca, cert, None if tls.key is None else tls.key.get_secret_value())


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
