"""What the formats that are only read have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.contract import Json
from adapters.errors import FieldError
from adapters.files.columns import Column, schema


class ReadOnly:
    """A format that no record is written in."""

    def encode(self, value: Mapping[str, Json]) -> tuple[bytes, list[FieldError]]:
        """See `Format`."""
        return b"", [FieldError("", "can't be written in this format")]


class ReadOnlyColumns(ReadOnly):
    """Records of columns, whose texts may be null without a spelling for it unless `_nullable` says otherwise."""

    _columns: Mapping[str, Column] | None
    _key: str | None
    _nullable = True

    def output_schema(self) -> dict[str, Any]:
        """See `Format`."""
        return schema(self._columns, nullable=self._nullable)

    def input_schema(self) -> dict[str, Any]:
        """See `Format`."""
        return {**self.output_schema(), "required": [self._key]}
