"""Every fault of a copybook is told in one run, with its line, and none twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files.copybook import builder, items, layout
from adapters.files.copybook.layout import Field, Layout
from adapters.files.copybook.source import CopybookError


def _layout(body: str, **options: object) -> Layout:
    source = "\n".join(f"       {line}" for line in body.strip("\n").splitlines())
    return builder.build(items.read(source), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "line", "sentence"),
    [
        ("01 R.\n   05 A PIC X(3)", 2, "no period"),
        ("01 R.\n   05 A PIC X(3)\n   05 B PIC X.", 3, "is a period missing before it"),
        ("01 R.\n   05 A.", 2, "neither a picture nor"),
        ("01 R.\n   05 A PIC X.\n      10 B PIC X.", 2, "also subordinate"),
        ("01 R.\n   05 A PIC 9(2)Q.", 2, "unknown symbol 'Q'"),
        ("01 R.\n   05 A PIC.", 2, "is missing"),
        ("01 R.\n   05 A PIC X COMP-3.", 2, "can't have PIC X"),
        ("01 R.\n   05 A PIC X.\n   05 B PIC X.\n   05 C REDEFINES A PIC X.", 4, "directly follow A"),
        ("01 R.\n   05 A PIC X OCCURS 1 TO 3 DEPENDING ON N.\n   05 N PIC 9.", 2, "isn't declared before"),
        ("01 R.\n   05 A PIC X OCCURS 0 TIMES.", 2, "at least once"),
        ("01 R.\n   05 A PIC X.\n   05 A PIC X.", 3, "two items called a"),
        ("01 R.\n   05 A PIC X.\n   05 FILLER.\n      10 A PIC X.", 3, "two items called a"),
        ("01 R.\n 05 FILLER OCCURS 2.\n  10 A PIC X.\n 05 FILLER OCCURS 2.\n  10 A PIC X.", 4, "called filler"),
        ("01 R.\n   05 A PIC X POINTER.", 2, "can't have a picture"),
        ("01 R.\n   05 A USAGE OBJECT.", 2, "USAGE OBJECT"),
        ("01 R.\n   05 A PIC 9 UNSIGNED.", 2, "SIGNED and UNSIGNED"),
        ("01 R.\n   50 A PIC X.", 2, "level 50"),
        ("01 R.\n   COPY OTHER.", 2, "no such copybook"),
        ("01 R.\n   COPY OTHER", 2, "no period"),
        ("01 R.\n   05 A PIC X.\n66 B RENAMES C.", 3, "renames C, which isn't"),
        ("01 R.\n   05 A PIC X.\n   05 C PIC X.\n66 B RENAMES C THRU A.", 4, "from the first"),
        ("01 R.\n   05 A PIC X VALUE 'X.", 2, "isn't closed"),
        ("01 R.\n   88 C.", 2, "no VALUE"),
        ("01 R.\n   05 A PIC X.\n   88 C VALUE THRU 'B'.", 3, "THRU"),
        ("01 R.\n   05 A PIC X(9999999) OCCURS 999 TIMES.", 1, "bytes; at most"),
        ("", 1, "no data item"),
    ],
)
def test_faults_name_their_line(body: str, line: int, sentence: str) -> None:
    with pytest.raises(CopybookError, match=sentence) as caught:
        _layout(body)
    assert [fault.line for fault in caught.value.faults] == [line]


MANY = """\
01  REC.
    05  A              PIC X(.
    05  B              PIC X COMP-3.
    05  C              PIC X OCCURS 0 TIMES.
        10  C-INNER    PIC 9.
    05  D              PIC X(3)
    05  E              PIC 9(2)Q.
    50  F.
        10  F-INNER    PIC X.
    05  G              PIC X VALUE X'0G'.
    05  H              PIC X VALUE 'open.
    05  I.
    05  J REDEFINES A  PIC X.
    05  K              PIC X OCCURS 1 TO 3 DEPENDING ON NOWHERE.
    05  L              PIC 9 COMP UNSIGNED.
        88  L-LOW.
    COPY OTHER.
    05  A              PIC X.
    05  LAST-ONE       PIC X
"""


def test_every_fault_is_told_in_one_run_and_none_twice() -> None:
    with pytest.raises(CopybookError) as caught:
        _layout(MANY)
    told = [(fault.line, fault.message) for fault in caught.value.faults]
    expected = [
        (2, "PIC X("),
        (3, "can't have PIC X"),
        (4, "at least once"),
        (7, "is a period missing before it"),
        (7, "unknown symbol 'Q'"),
        (8, "level 50"),
        (10, "isn't hexadecimal"),
        (11, "isn't closed"),
        (12, "neither a picture nor"),
        (13, "directly follow A"),
        (14, "NOWHERE, which isn't declared"),
        (15, "SIGNED and UNSIGNED"),
        (16, "L-LOW has no VALUE"),
        (17, "no such copybook"),
        (18, "two items called a"),
        (19, "no period"),
    ]
    assert [line for line, _ in told] == [line for line, _ in expected], told
    assert all(part in sentence for (_, part), (_, sentence) in zip(expected, told, strict=True)), told


def test_records_that_arent_chosen_between_tell_their_faults_too() -> None:
    with pytest.raises(CopybookError) as caught:
        _layout("01  ONE.\n    05 A PIC Q.\n01  TWO.\n    05 B.")
    assert [fault.line for fault in caught.value.faults] == [1, 2, 4]


WORDS = ["01", "05", "88", "A", "B", "FILLER", "PIC", "X(3)", "9(2)V9", "S9", "COMP-3", "OCCURS", "3", "TIMES", "TO",
         "REDEFINES", "VALUE", "'x'", "DEPENDING", "ON", "SIGN", "LEADING", "SEPARATE", ".", "\n", "THRU"]  # fmt: skip


@settings(deadline=None, max_examples=500, database=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_words_are_a_layout_or_a_told_fault(words: list[str]) -> None:
    source = "\n".join("       " + line for line in " ".join(words).replace(" .", ".").splitlines())
    try:
        record = builder.build(items.read(source))
    except CopybookError as error:
        line = error.faults[0].line
    else:
        line = 1
        assert all(isinstance(field, Field) for _, field in layout.fields(record.root))
    assert line >= 1


@settings(deadline=None, max_examples=300, database=None)
@given(st.text(max_size=200))
def test_any_text_is_a_layout_or_a_told_fault(source: str) -> None:
    for free in (True, False):
        try:
            size = builder.build(items.read(source, free=free)).size
        except CopybookError as error:
            size = error.faults[0].line
        assert size > 0
