"""What `gateway.yaml` says of an upstream of kind `odbc`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from adapters.callers import CallerName
from adapters.secret import Reference
from adapters.zones import ZoneName

_PASSWORD = re.compile(r"(^|;)\s*(pwd|password)\s*=", re.IGNORECASE)


def _no_literal_password(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a text: a connection string, the name of a data source, or a reference (env:NAME)")
    if not isinstance(value, Reference) and _PASSWORD.search(value):
        raise ValueError("holds a password: give the whole connection string as a reference (env:NAME, file:/path)")
    return value


def _path(value: Any) -> Any:
    if value is None or (isinstance(value, Reference) and value.missing):
        return value
    if not isinstance(value, str) or not str.__str__(value).startswith("/"):
        raise ValueError("must be a file's absolute path, or a reference to one (env:NAME)")
    return value


_ROLE = r"^[A-Za-z0-9_][A-Za-z0-9_.$-]{0,62}$"
# The dot keeps PostgreSQL's own settings, such as role or search_path, out of reach.
_VARIABLE = r"^[a-z_][a-z0-9_]{0,30}\.[a-z_][a-z0-9_]{0,30}$"


def _role(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(_ROLE, value):
        raise ValueError("a role is called by letters, digits and _ . $ -, at most 63 of them")
    if value.lower() == "none":
        raise ValueError("a role can't be called NONE: that would be the gateway's own rights")
    return value


def _variable(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(_VARIABLE, value):
        raise ValueError("a variable is called by two words in lower case with a dot, such as app.principal")
    return value


Role = Annotated[str, BeforeValidator(_role), WithJsonSchema({"type": "string", "pattern": _ROLE})]
Variable = Annotated[str, BeforeValidator(_variable), WithJsonSchema({"type": "string", "pattern": _VARIABLE})]
Fact: TypeAlias = Literal["principal", "agent", "tenant"]


class Caller(BaseModel):
    """Who a caller is in the database."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role = Field(description="The role that the session takes (SET ROLE); granted to the gateway's user.")


class Config(BaseModel):
    """An ODBC data source."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)

    dsn: Annotated[Any, BeforeValidator(_no_literal_password)] = Field(
        None,
        description="ODBC connection string (Driver=…;Server=…) or the name of a data source; "
        "a string that holds a password must be a reference.",
        json_schema_extra={"type": "string"},
    )
    access: Annotated[Any, BeforeValidator(_path)] = Field(
        None,
        description="In place of dsn: the path of a Microsoft Access file (.mdb, .accdb), whose described tables are "
        "copied into a snapshot whenever it changes.",
        json_schema_extra={"type": "string"},
    )
    read_only: bool = Field(True, description="Offer reads alone, and make every session read-only.")
    dialect: Literal["postgresql", "mariadb", "sqlite", "sqlserver", "db2", "generic"] | None = Field(
        None, description="Which database it is; told from the connection string or the connection when left out."
    )
    tables: str | None = Field(
        None, description="Introspection file in the workspace; default openapi/sources/NAME/tables.yaml, if there."
    )
    queries: str | None = Field(
        None, description="Folder of named SQL files (*.sql); default openapi/sources/NAME/queries, if there."
    )
    concurrency: int = Field(4, ge=1, le=64, description="Connections at most, each with a thread of its own.")
    time_zone: ZoneName = Field("UTC", description="IANA zone of times that the database keeps without one.")
    callers: dict[CallerName, Caller] | None = Field(
        None,
        min_length=1,
        description="Who callers are in the database, by principal, role:NAME, or '*' for everyone else; "
        "who isn't named is refused.",
    )
    variables: dict[Fact, Variable] | None = Field(
        None,
        min_length=1,
        description="Session variables that each call sets: principal, agent and tenant → name, such as app.principal.",
    )
    trace: bool = Field(
        False, description="Append the trace context of sampled calls to their statements, as sqlcommenter does."
    )

    @model_validator(mode="after")
    def _of_one_kind(self) -> Config:
        if (self.dsn is None) == (self.access is None):
            raise ValueError("needs one of dsn and access: the database, or the path of a file of Access")
        if self.access is not None and not (self.read_only and self.callers is None and self.variables is None):
            raise ValueError("a file of Access is only read, by nobody's name: leave read_only, callers, variables out")
        return self
