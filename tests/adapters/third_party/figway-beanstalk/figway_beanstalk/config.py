"""What an upstream of kind `beanstalk` is configured with."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Config(BaseModel):
    """A beanstalkd; it knows no users, so there is no secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1, description="The machine on which beanstalkd listens.")
    port: int = Field(default=11300, ge=1, le=65535, description="The port on which it listens.")
    max_body: int = Field(default=65536, ge=1, le=2**30, description="Bytes of a job at most.")
    concurrency: int = Field(default=8, ge=1, le=1000, description="Connections at most.")
