"""Copybook source → layout: columns, clauses, sizes, and faults that name their line."""

from __future__ import annotations

import pytest

from adapters.files.copybook import builder, items, layout, schema
from adapters.files.copybook.layout import Group, Layout
from adapters.files.copybook.picture import Category, parse
from adapters.files.copybook.sizes import binary_size
from adapters.files.copybook.source import CopybookError


def _layout(body: str, **options: object) -> Layout:
    source = "\n".join(f"       {line}" for line in body.strip("\n").splitlines())
    return builder.build(items.read(source), **options)  # type: ignore[arg-type]


def _places(group: Group, base: int = 0) -> dict[str, tuple[int, int]]:
    """name → (first byte, bytes of one occurrence) of everything, groups included."""
    places: dict[str, tuple[int, int]] = {}
    for area in group.areas:
        for node in area.nodes:
            places[node.cobol] = (base + node.offset, node.size)
            if isinstance(node, Group):
                places |= _places(node, base + node.offset)
    return places


@pytest.mark.parametrize(
    ("text", "category", "length", "digits", "scale"),
    [
        ("X(10)", Category.TEXT, 10, 0, 0),
        ("XX(3)X", Category.TEXT, 5, 0, 0),
        ("A(4)", Category.TEXT, 4, 0, 0),
        ("N(4)", Category.NATIONAL, 4, 0, 0),
        ("99/99/9999", Category.TEXT, 10, 0, 0),
        ("S9(7)V99", Category.NUMBER, 9, 9, 2),
        ("SV9(5)", Category.NUMBER, 5, 5, 5),
        ("PPP9(5)", Category.NUMBER, 5, 8, 8),
        ("VPP99", Category.NUMBER, 2, 4, 4),
        ("S9(5)PPP", Category.NUMBER, 5, 8, -3),
        ("Z(5)9.99-", Category.EDITED, 10, 8, 2),
        ("-,---,--9.99", Category.EDITED, 12, 8, 2),
        ("$$,$$9.99CR", Category.EDITED, 11, 6, 2),
        ("+9(8)", Category.EDITED, 9, 8, 0),
        ("Z(6)VZZ-", Category.EDITED, 9, 8, 2),
        ("S9(3).99", Category.EDITED, 6, 5, 2),
    ],
)
def test_pictures(text: str, category: Category, length: int, digits: int, scale: int) -> None:
    picture = parse(text)
    assert (picture.category, picture.length, picture.digits, picture.scale) == (category, length, digits, scale)


@pytest.mark.parametrize("text", ["", "Q", "X(", "X()", "9(0)", "9V9V9", "9.9V9", "S", "V", "X(99999999999)", "9²"])
def test_wrong_pictures(text: str) -> None:
    with pytest.raises(ValueError, match="PIC"):
        parse(text)


def test_columns_tabs_continuation_and_comments() -> None:
    source = (
        "000100 01  REC.".ljust(72) + "SEQ00001\r\n" + "000200*    05  COMMENTED  PIC X.\r\n"
        "000300/    05  PAGED      PIC X.\r\n"
        "000400D    05  DEBUGGED   PIC X.\r\n"
        "\t05  TABBED PIC X(3).\r\n"
        "       EJECT\r\n"
        "           05  LONG-NA\r\n"
        "      -        ME  PIC X(4). *> and a comment\r\n"
        "           05  LITERAL    PIC X(40) VALUE 'IT''S. A PERIOD, AND A \"\r\n"
        "      -    'CONTINUATION'.\r\n"
        "           05  PRICE, PIC IS 9(3).99; USAGE IS DISPLAY.\r\n"
        "***********************************************************************\r\n"
        "           05  FIVE\r\n"
        "               PIC\r\n"
        "               9(5)\r\n"
        "               COMP-3.\x1a\r\n"
    )
    record = builder.build(items.read(source))
    assert _places(record.root) == {
        "TABBED": (0, 3),
        "LONG-NAME": (3, 4),
        "LITERAL": (7, 40),
        "PRICE": (47, 6),
        "FIVE": (53, 3),
    }


def test_free_format() -> None:
    expected = {"A": (0, 3), "B": (3, 2)}
    source = "01 REC.\n05 A PIC X(3). *> first\n05 B PIC X(2).\n"
    assert _places(builder.build(items.read(source, free=True)).root) == expected
    assert _places(builder.build(items.read("      >>SOURCE FORMAT IS FREE\n" + source)).root) == expected


def test_sizes_of_usages() -> None:
    record = _layout(
        """
01  REC.
    05  D          PIC S9(5)V99.
    05  DS         PIC S9(5) SIGN LEADING SEPARATE CHARACTER.
    05  DT         PIC 99V99 TRAILING SEPARATE.
    05  B2         PIC S9(4) COMP.
    05  B4         PIC 9(5) BINARY.
    05  B8         USAGE IS COMPUTATIONAL-4 PIC 9(18).
    05  B9         PIC 9(20) COMP-5.
    05  P3         PIC S9(5) COMP-3.
    05  P4         PIC 9(6) PACKED-DECIMAL.
    05  F1         COMP-1.
    05  F2         USAGE COMPUTATIONAL-2.
    05  NA         PIC N(3).
    05  L          PIC 9(3) COMP-9.
    05  GROUP-USE  COMP-3.
        10  G1     PIC S9(3).
        10  G2     PIC 9(4).
    05  GROUP-SIGN SIGN IS TRAILING SEPARATE.
        10  G3     PIC S9(3).
        10  G4     PIC 9(3).
"""
    )
    sizes = [size for _, size in _places(record.root).values()]
    assert sizes == [7, 6, 5, 2, 4, 8, 9, 3, 4, 4, 8, 6, 2, 5, 2, 3, 7, 4, 3]
    assert record.size == sum(sizes) - 5 - 7
    assert binary_size(2, 1) == 1


def test_tables_and_redefinitions() -> None:
    record = _layout(
        """
01  REC.
    05  N            PIC 9(2).
    05  BASE         PIC X(4).
    05  AS-NUMBER    REDEFINES BASE PIC 9(4).
    05  AS-GROUP     REDEFINES BASE.
        10  C        PIC X OCCURS 6.
    05  LINES-OF     OCCURS 1 TO 3 TIMES DEPENDING ON N OF REC
                     ASCENDING KEY IS K INDEXED BY IX.
        10  K        PIC 9.
        10  CELLS    OCCURS 2.
            15  V    PIC XX.
    05  LAST-ONE     PIC X.
66  RENAMED          RENAMES N THRU BASE.
77  ALONE            PIC 9.
"""
    )
    assert _places(record.root) == {
        "N": (0, 2),
        "BASE": (2, 4),
        "AS-NUMBER": (2, 4),
        "AS-GROUP": (2, 6),
        "C": (2, 1),
        "LINES-OF": (8, 5),
        "K": (8, 1),
        "CELLS": (9, 2),
        "V": (9, 2),
        "LAST-ONE": (23, 1),
    }
    assert record.size == 24


def test_a_record_may_be_chosen_and_levels_may_start_below_01() -> None:
    two = "01  FIRST-REC. \n    05 A PIC X.\n01  SECOND-REC PIC X(5)."
    assert _layout(two, record="second_rec").size == 5
    with pytest.raises(CopybookError, match="first_rec, second_rec"):
        _layout(two)
    assert _layout("05  A PIC X.\n05  B PIC X(2).").size == 3


def test_schema_documents_conditions() -> None:
    record = _layout(
        """
01  REC.
    05  KIND         PIC X(6).
        88  LOW      VALUE 'low'.
        88  OTHERS   VALUES ARE 'normal', 'high'.
        88  NONE-YET VALUE SPACES.
    05  RANGE-OF     PIC 9.
        88  SMALL    VALUE 1 THRU 3.
    05  BIG          PIC 9(19).
    05  MONEY        PIC S9(5)V99 COMP-3.
    05  FILLER       PIC X.
    05  FILLER.
        10  INNER    PIC S9(4) COMP.
    05  ONE          PIC X(2).
    05  OTHER        REDEFINES ONE PIC 99.
"""
    )
    made = schema.output_schema(record)
    assert made["properties"] == {
        "kind": {
            "type": "string",
            "maxLength": 6,
            "enum": ["low", "normal", "high", ""],
            "description": "LOW: low; OTHERS: normal, high; NONE-YET:  ",
        },
        "range_of": {"type": ["integer", "null"], "description": "SMALL: 1 to 3"},
        "big": {"type": ["string", "null"], "format": "decimal"},
        "money": {"type": "string", "format": "decimal"},
        "inner": {"type": "integer"},
        "one": {"type": "string", "maxLength": 2},
        "other": {"type": ["integer", "null"]},
    }
    assert made["required"] == ["kind", "range_of", "big", "money", "inner"]


def test_fields_are_named_by_dotted_paths() -> None:
    record = _layout("01 R.\n 05 G.\n  10 A PIC X.\n  10 T PIC X OCCURS 2.\n 05 FILLER.\n  10 B PIC 9.")
    assert [path for path, _ in layout.fields(record.root)] == ["g.a", "b"]
    only = layout.only(record.root, "g.a")
    assert only is not None
    assert isinstance(only.areas[0].nodes[0], Group)
    assert isinstance(layout.only(record.root, "b"), Group)
    assert layout.only(record.root, "g.t") is None
