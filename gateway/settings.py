"""The process's settings, from the environment only. What is served is the workspace's business, not theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


class InvalidSetting(Exception):
    """A setting can't be used; the message is one sentence that names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings there are.

    - `FIGWAY_STATE`: the folder for all that the gateway keeps (store, audit, keys). Default: `.figway` in the
      workspace.
    - `FIGWAY_HOST`: the address to listen on. Default: 127.0.0.1, so only this host is served.
    - `FIGWAY_PORT`: the port to listen on, 1 to 65535, or 0 for any free one. Default: 8080.
    - `FIGWAY_DRAIN`: seconds to answer "not ready" while still serving, before stopping, 0 to 3600, so that a load
      balancer notices first. Default: 0.
    - `FIGWAY_LOG`: how much to log: debug, info, warning or error. Default: info.
    """

    state: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    drain: float = 0.0
    log: LogLevel = "info"
    dev: bool = False
    """Whether the development issuer is accepted: `--dev` says so, never the environment."""
    mock: bool = False
    """Whether examples answer all routes: `--mock` says so, never the environment."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in `environment`; an empty value counts as unset. Raises `InvalidSetting`."""
        default = cls()
        state = environment.get("FIGWAY_STATE")
        return cls(
            state=Path(state) if state else None,
            host=environment.get("FIGWAY_HOST") or default.host,
            port=int(_number(environment, "FIGWAY_PORT", default.port, 65535, whole=True)),
            drain=_number(environment, "FIGWAY_DRAIN", default.drain, 3600),
            log=_log(environment.get("FIGWAY_LOG") or default.log),
        )


def _number(environment: Mapping[str, str], name: str, default: float, most: int, whole: bool = False) -> float:
    text = environment.get(name) or str(default)
    digits = text if whole else text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()) or float(text) > most:
        kind = "a whole number" if whole else "a number"
        raise InvalidSetting(f"{name} is '{text}'; it must be {kind} from 0 to {most}")
    return float(text)


def _log(text: str) -> LogLevel:
    for level in get_args(LogLevel):
        if text.lower() == level:
            known: LogLevel = level
            return known
    raise InvalidSetting(f"FIGWAY_LOG is '{text}'; it must be debug, info, warning or error")
