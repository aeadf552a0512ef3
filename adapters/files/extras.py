"""Libraries that only some formats need."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Missing(ValueError):
    """A library isn't installed; the message says how to install it."""


def pyarrow() -> Any:
    """Raises `Missing`."""
    return _library("pyarrow", "Parquet and zstd need", "columnar")


def numpy() -> Any:
    """Raises `Missing`."""
    return _library("numpy", "Columns need", "columnar")


def parquet() -> Any:
    """pyarrow's Parquet; raises `Missing`."""
    pyarrow()
    return import_module("pyarrow.parquet")


def _library(name: str, what: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise Missing(f"{what} {name.replace('_', '-')}: install it with pip install 'figway[{extra}]'") from None
