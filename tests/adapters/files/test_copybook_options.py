"""Options of Cobrix's that are refused, changed nothing, or were once named otherwise."""

from __future__ import annotations

import pytest

from adapters.files.copybook import cobrix
from adapters.files.copybook.cobrix import OptionError


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([("copybook", "x")], "option copybook isn't supported: name the copybook with --copybook"),
        ([("record_extractor", "com.x")], "Java class"),
        ([("colour", "red")], "option colour isn't known"),
        ([("generate_record_id", "maybe")], "must be true or false"),
        ([("record_format", "U")], "option record_format"),
        ([("record_length", "-1")], "option record_length"),
        ([("ebcdic_code_page", "cp300")], "code page 'cp300' isn't known"),
        ([("segment_filter", "A")], "needs segment_field"),
        ([("segment_children:0", "A"), ("segment_field", "B")], "must be like"),
        ([("occurs_mappings", "{")], "JSON object"),
        ([("occurs_mappings", "[" * 100_000)], "JSON object"),
        ([("block_length", "5"), ("records_per_block", "5")], "together"),
        ([("truncate_comments", "false"), ("comments_lbound", "5")], "truncate_comments"),
        ([("strict_integral_precision", "true"), ("display_pic_always_string", "true")], "together"),
        ([("record_length_field", "A"), ("record_format", "V")], "record_format=F"),
        ([("encoding", "utf-16")], "ebcdic or ascii"),
    ],
    ids=str,
)  # fmt: skip
def test_options_are_refused_by_name(options: list[tuple[str, str]], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        cobrix.read(options)


def test_spark_s_own_options_change_nothing_and_are_said() -> None:
    assert cobrix.read([("input_split_records", "1"), ("pedantic", "true")])[2] == ["input_split_records"]


def test_older_names_of_options() -> None:
    chosen, _, _ = cobrix.read([("segment_field", "A"), ("segment_id_root", "X,Y"), ("is_xcom", "true")])
    assert (chosen.segment_id_levels, chosen.record_format) == ([["X", "Y"]], "V")
