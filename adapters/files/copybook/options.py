"""The choices on which COBOL systems differ, with the names that Cobrix gives them where it has one."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from adapters.files.copybook.shape import FillerNames, Shape
from adapters.files.copybook.source import Columns


class CopybookOptions(BaseModel):
    """Options of `format: copybook`; README.md explains each default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    record: str | None = Field(default=None, description="Which 01 record, when the copybook has several.")
    source_format: Literal["fixed", "free"] = Field(default="fixed", description="Columns 8 to 72, or free text.")
    truncate_comments: bool = Field(default=True, description="False: what stands in front and behind is text, too.")
    comments_lbound: int = Field(default=6, ge=0, le=1000, description="Columns in front of the text.")
    comments_ubound: int = Field(default=72, ge=1, le=10_000, description="The text's last column.")
    strict: bool = Field(default=True, description="A wrong value makes its record undecodable; false: it is null.")
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
    improved_null_detection: bool = Field(
        default=True, description="With strict false: LOW-VALUES and blanks are null."
    )
    comp5_endian: Literal["big", "little"] = Field(default="big", description="Byte order of COMP-5.")
    binary_smallest: Literal[1, 2] = Field(default=2, description="Bytes of a binary of 1 or 2 digits.")
    pointer_size: Literal[4, 8] = Field(default=4, description="Bytes of a POINTER.")
    synchronized: Literal["ibm", "gnucobol"] = Field(default="ibm", description="Whose slack bytes.")
    is_utf16_big_endian: bool = Field(default=True, description="Byte order of NATIONAL.")
    display_pic_always_string: bool = Field(default=False, description="DISPLAY numbers stay the text that they are.")
    field_code_page: dict[str, list[str]] = Field(default_factory=dict, description="Code page → fields that have it.")
    occurs_mappings: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="Table → text of its DEPENDING ON → number of occurrences."
    )
    segment_field: str | None = Field(default=None, description="The field that says which segment a record is.")
    redefine_segment_id_map: dict[str, list[str]] = Field(
        default_factory=dict, description="Group that redefines → the segment ids for which it is meant."
    )
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

    def columns(self) -> Columns:
        """Where the copybook's text stands."""
        if self.source_format == "free":
            return Columns(free=True)
        if not self.truncate_comments:
            return Columns(-1, None)
        return Columns(self.comments_lbound, self.comments_ubound)

    def shape(self) -> Shape:
        """How the layout is made."""
        return Shape(self.binary_smallest, self.pointer_size, self.synchronized == "gnucobol")


class DecodeOptions(CopybookOptions):
    """What only a whole file's decoding knows, `figway decode`: frames of more kinds, and what is made of records."""

    record_format: Literal["F", "FB", "V", "VB", "text"] = "F"
    record_length: int | None = Field(default=None, ge=1, le=64 * 1024 * 1024)
    block_length: int | None = Field(default=None, ge=1)
    records_per_block: int | None = Field(default=None, ge=1)
    record_length_field: str | None = None
    record_length_map: dict[str, int] = Field(default_factory=dict)
    record_start_offset: int = Field(default=0, ge=0)
    record_end_offset: int = Field(default=0, ge=0)
    minimum_record_length: int = Field(default=1, ge=1)
    maximum_record_length: int | None = Field(default=None, ge=1)
    allow_partial_records: bool = False
    debug_ignore_file_size: bool = False
    segment_filter: list[str] = Field(default_factory=list)
    segment_children: dict[str, list[str]] = Field(default_factory=dict)
    segment_id_levels: list[list[str]] = Field(default_factory=list, max_length=20)
    segment_id_prefix: str | None = None
    generate_record_id: bool = False
    generate_record_bytes: bool = False
    with_input_file_name_col: str | None = None
    schema_retention_policy: Literal["collapse_root", "keep_original"] = "collapse_root"
    drop_group_fillers: bool = False
    drop_value_fillers: bool = True
    filler_naming_policy: FillerNames = "sequence_numbers"
    several_records: Literal["choose", "consecutive", "redefine"] = "consecutive"
    non_terminals: list[str] = Field(default_factory=list)
    debug: Literal["none", "hex", "binary", "string"] = "none"
    binary_as_hex: bool = False
    strict_integral_precision: bool = False

    def shape(self) -> Shape:
        """As the options say, under COBOL's names."""
        return Shape(
            self.binary_smallest,
            self.pointer_size,
            self.synchronized == "gnucobol",
            cobol_names=True,
            group_fillers="drop" if self.drop_group_fillers else "keep",
            value_fillers=not self.drop_value_fillers,
            filler_names=self.filler_naming_policy,
            several=self.several_records,
            keep_root=self.schema_retention_policy == "keep_original",
        )
