"""The choices on which COBOL systems differ, with the names that Cobrix gives them where it has one."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Literal

import ebcdic  # noqa: F401  registers cp1047 and its kin
from pydantic import BaseModel, ConfigDict, Field


class CopybookOptions(BaseModel):
    """Options of `format: copybook`; README.md explains each default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    record: str | None = Field(default=None, description="Which 01 record, when the copybook has several.")
    source_format: Literal["fixed", "free"] = Field(default="fixed", description="Columns 8 to 72, or free text.")
    string_trimming_policy: Literal["none", "left", "right", "both"] = Field(
        default="right", description="Which side of a text loses its spaces and LOW-VALUES."
    )
    control_characters: Literal["keep", "drop", "space"] = Field(
        default="keep", description="What becomes of control characters inside a text."
    )
    floating_point_format: Literal["IBM", "IBM_little_endian", "IEEE754", "IEEE754_little_endian"] = Field(
        default="IBM", description="How COMP-1 and COMP-2 are stored."
    )
    strict_sign_overpunching: bool = Field(
        default=True, description="Refuse a negative sign in a field whose picture has no S; false: take it as a sign."
    )
    comp5_endian: Literal["big", "little"] = Field(default="big", description="Byte order of COMP-5.")
    binary_smallest: Literal[1, 2] = Field(default=2, description="Bytes of a binary of 1 or 2 digits.")
    variable_size_occurs: bool = Field(
        default=False, description="What follows a table with DEPENDING ON moves up when it has fewer occurrences."
    )
    is_rdw_big_endian: bool = Field(
        default=False, description="Byte order of the record length (record formats V and VB)."
    )
    is_bdw_big_endian: bool = Field(default=False, description="Byte order of the block length (record format VB).")
    is_rdw_part_of_record_length: bool = Field(
        default=False, description="The record length counts its own four bytes."
    )
    rdw_adjustment: int = Field(default=0, description="Added to each record length.")
    bdw_adjustment: int = Field(default=0, description="Added to each block length.")
    file_start_offset: int = Field(default=0, ge=0, description="Bytes before the first record.")
    file_end_offset: int = Field(default=0, ge=0, description="Bytes after the last record.")


@dataclass(frozen=True, slots=True)
class CodePage:
    """A single-byte code page, or UTF-8, ready to use."""

    name: str
    ebcdic: bool
    space: bytes

    @classmethod
    def of(cls, name: str) -> CodePage:
        """Raises `LookupError` when Python and the ebcdic package don't know the name, or it isn't for records."""
        info = codecs.lookup(name)
        space, zero = " ".encode(info.name), "0".encode(info.name)
        if len(space) != 1 or zero not in (b"0", b"\xf0"):
            raise LookupError(f"{name} isn't a single-byte code page")
        return cls(info.name, zero == b"\xf0", space)
