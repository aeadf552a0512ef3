"""What `options` of a dataset may hold, by format (CSV's stand in `config`)."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from adapters.files.config import Columns

_FROZEN = ConfigDict(extra="forbid", frozen=True)
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")


def _pointer(text: str) -> str:
    if not _POINTER.fullmatch(text):
        raise ValueError("must be a JSON Pointer such as /data/items")
    return text


class FixedOptions(BaseModel):
    """Columns by their place."""

    model_config = _FROZEN

    columns: Columns = Field(description="Each with `at` and `width`.")
    unit: Literal["character", "byte"] = Field("character", description="What places count.")
    length: int | None = Field(None, ge=1, le=1 << 20, description="Bytes of a record, where no line ends it.")
    skip: int = Field(0, ge=0, le=10_000, description="Lines in front that are no records.")
    comment: str | None = Field(None, min_length=1, max_length=8, description="What begins a line of no record.")
    ragged: bool = Field(False, description="A line may end early: what it lacks are spaces.")
    nulls: tuple[str, ...] = Field((), description="Texts that stand for no value, in every column.")

    @model_validator(mode="after")
    def _placed(self) -> FixedOptions:
        for name, column in self.columns.items():
            if column.at is None or column.width is None:
                raise ValueError(f"{name} needs at and width")
            if self.length is not None and column.at + column.width - 1 > self.length:
                raise ValueError(f"{name} ends behind the record's length")
        if self.length is not None and (self.unit != "byte" or self.skip or self.comment or self.ragged):
            raise ValueError("length needs unit byte, and has no skip, comment or ragged")
        return self


class JsonLinesOptions(BaseModel):
    """A JSON object a line."""

    model_config = _FROZEN

    columns: Columns = Field(description="Members of the record; `from` may be a JSON Pointer.")


class JsonOptions(BaseModel):
    """Objects of an array in one JSON document."""

    model_config = _FROZEN

    columns: Columns = Field(description="Members of the record; `from` may be a JSON Pointer.")
    pointer: Annotated[str, AfterValidator(_pointer)] = Field("", description="Where the array is; '' is the document.")


class XmlOptions(BaseModel):
    """Elements of an XML document."""

    model_config = _FROZEN

    record: str = Field(min_length=2, description="Path of the element that is a record, from the root: /orders/order.")
    namespaces: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][\w.-]*$")], str] = Field(
        default_factory=dict, description="Prefixes in paths."
    )
    columns: Columns = Field(description="`from` is a path within the record: customer/@id, or . for its text.")
    nulls: tuple[str, ...] = Field((), description="Texts that stand for no value, in every column.")


class ExcelOptions(BaseModel):
    """Cells of a sheet."""

    model_config = _FROZEN

    sheet: str | int = Field(1, description="Name of the sheet, or its place, 1 for the first.")
    range: str | None = Field(
        None, pattern=r"^[A-Z]{1,3}[1-9][0-9]{0,6}(:[A-Z]{1,3}([1-9][0-9]{0,6})?)?$", description="A3, A3:F or A3:F99."
    )
    header: int = Field(1, ge=0, le=10, description="Rows that name the columns; of several the names are joined.")
    separator: str = Field(" ", max_length=3, description="Between the names of several header rows.")
    nulls: tuple[str, ...] = Field((), description="Texts that stand for no value, in every column.")
    columns: Columns | None = Field(None, description="Name and type; without it all of the header's, as text.")


class DbfOptions(BaseModel):
    """A dBase, FoxPro or Clipper table."""

    model_config = _FROZEN

    columns: Columns = Field(description="`from` is the name that the table has, such as CUST_NO.")
    deleted: bool = Field(False, description="Also records that are marked as deleted.")


class ParquetOptions(BaseModel):
    """A Parquet file."""

    model_config = _FROZEN

    columns: Columns = Field(description="`from` is the name that the file has.")


class EdiOptions(BaseModel):
    """An interchange of EDI messages."""

    model_config = _FROZEN

    types: tuple[str, ...] = Field((), description="Types of the messages wanted, such as 850 or ORDERS; else all.")
