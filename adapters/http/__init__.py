"""Adapter kind `http`: another REST API, called by method and path template; see README.md."""

from __future__ import annotations

from adapters.contract import Kind
from adapters.http.adapter import build
from adapters.http.config import Config

KIND = Kind("http", Config, build)
