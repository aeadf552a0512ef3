"""More of COBOL's data division: COPY, SYNCHRONIZED, usages without a picture, other names, where text stands."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files.copybook import builder, items, layout
from adapters.files.copybook.layout import Group, Layout
from adapters.files.copybook.shape import Shape
from adapters.files.copybook.source import Columns, CopybookError

FREE = Columns(free=True)


def _layout(source: str, shape: Shape | None = None, **copies: str) -> Layout:
    return builder.build(items.read(source, columns=FREE, copies=copies.get), shape=shape or Shape())


def _places(group: Group, base: int = 0) -> dict[str, tuple[int, int]]:
    places: dict[str, tuple[int, int]] = {}
    for node in (node for area in group.areas for node in area.nodes):
        places[node.cobol] = (base + node.offset, node.size)
        if isinstance(node, Group):
            places |= _places(node, base + node.offset)
    return places


@pytest.mark.parametrize(
    ("statement", "copied", "names"),
    [
        ("COPY BODY.", "05 A PIC X. 05 B PIC 9.", ["A", "B"]),
        ("COPY BODY OF LIB.", "05 A PIC X.", ["A"]),
        ("COPY 'BODY' SUPPRESS.", "05 A PIC X.", ["A"]),
        ("COPY BODY REPLACING A BY B.", "05 A PIC X. 05 A-1 PIC X.", ["B", "A-1"]),
        ("COPY BODY REPLACING ==:P:== BY ==CUST==.", "05 :P:-ID PIC X. 05 :P:-NAME PIC X.", ["CUST-ID", "CUST-NAME"]),
        ("COPY BODY REPLACING LEADING ==OLD== BY ==NEW==.", "05 OLD-A PIC X. 05 MY-OLD PIC X.", ["NEW-A", "MY-OLD"]),
        ("COPY BODY REPLACING TRAILING ==-X== BY ==-Y==.", "05 A-X PIC X. 05 B-X-1 PIC X.", ["A-Y", "B-X-1"]),
        ("COPY BODY REPLACING ==PIC X(1)== BY\n ==PIC X(5)==\n A BY B.", "05 A PIC  X(1).", ["B"]),
        ("COPY BODY. 05 C PIC X.", "05 A PIC X.\n05 B PIC X.", ["A", "B", "C"]),
    ],
)  # fmt: skip
def test_copies_are_put_in_place(statement: str, copied: str, names: list[str]) -> None:
    assert list(_places(_layout(f"01 R.\n{statement}\n", BODY=copied).root)) == names


def test_what_copies_in_a_circle_or_is_missing_is_told_at_the_statement() -> None:
    with pytest.raises(CopybookError, match="in a circle") as caught:
        _layout("01 R.\nCOPY A.\n", A="05 X PIC X.\nCOPY B.", B="COPY A.")
    assert caught.value.faults[0].line == 2
    with pytest.raises(CopybookError, match=r"unknown symbol 'Q'.*in A, line 2") as caught:
        _layout("01 R.\n05 Y PIC X.\nCOPY A.\n", A="05 X PIC X.\n05 Z PIC Q.")
    assert [fault.line for fault in caught.value.faults] == [3]
    with pytest.raises(CopybookError, match="REPLACING must say"):
        _layout("01 R.\nCOPY A REPLACING B.\n", A="05 X PIC X.")


@settings(deadline=None, max_examples=200, database=None)
@given(
    st.lists(
        st.sampled_from(["COPY", "A", "REPLACING", "==", "=", "BY", "'", '"', ".", "X", "\n", "LEADING"]), max_size=60
    )
)
def test_any_statement_is_copied_or_told(words: list[str]) -> None:
    try:
        size = _layout("01 R. 05 F PIC X.\n" + " ".join(words), A="05 X PIC X.").size
    except CopybookError as error:
        size = error.faults[0].line
    assert size > 0


def test_slack_bytes() -> None:
    source = """01 R. 05 A PIC X. 05 B PIC S9(4) COMP SYNC. 05 C PIC X. 05 D PIC S9(9) COMP SYNC. 05 E PIC X.
    05 F PIC S9(18) COMP SYNC. 05 G PIC X. 05 H COMP-2 SYNC. 05 I PIC XX.
    05 T OCCURS 2. 10 U COMP SYNC PIC 9(9). 10 V PIC X."""
    assert list(_places(_layout(source).root).values()) == [
        (0, 1), (2, 2), (4, 1), (8, 4), (12, 1), (16, 8), (24, 1), (32, 8), (40, 2), (44, 8), (44, 4), (48, 1),
    ]  # fmt: skip
    gnu = _places(_layout(source, Shape(natural=True)).root)
    assert gnu["F"] == (16, 8)
    assert gnu["T"] == (42, 8)
    assert gnu["U"] == (44, 4)
    assert gnu["V"] == (49, 1)


def test_slack_bytes_in_tables_stand_where_gnucobol_puts_them() -> None:
    """As a program compiled by GnuCOBOL 3.1 showed them: in front of the last item of a table's occurrence."""
    natural = Shape(natural=True)
    source = "01 R. 05 T OCCURS 2. 10 G OCCURS 2. 15 A PIC S9(9) COMP SYNC. 15 B PIC X. 15 D PIC XX. 10 C PIC X."
    places = _places(_layout(source, natural).root)
    assert [places[name] for name in ("A", "B", "D", "C", "T")] == [(0, 4), (4, 1), (6, 2), (19, 1), (0, 20)]
    group = "01 R. 05 T OCCURS 2. 10 G SYNC. 15 C PIC X. 15 A PIC S9(9) COMP. 10 B PIC X."
    assert _places(_layout(group, natural).root)["A"] == (1, 4)
    assert _places(_layout(group).root)["A"] == (4, 4)


@pytest.mark.parametrize(
    ("clause", "size"),
    [
        ("INDEX", 4), ("USAGE IS POINTER", 4), ("PIC 9(5) COMP-6", 3), ("PIC 9(8) COMP-3U", 4), ("PIC X(4) COMP-3U", 4),
        ("PIC 9(5) COMP-X", 3), ("PIC X(3) COMP-X", 3), ("BINARY-CHAR", 1), ("BINARY-SHORT UNSIGNED", 2),
        ("BINARY-LONG SIGNED", 4), ("BINARY-DOUBLE", 8), ("FLOAT-SHORT", 4), ("FLOAT-LONG", 8), ("PIC X(5) COMP", 5),
        ("PIC G(3) DISPLAY-1", 6), ("PIC G(2)", 4), ("PIC N(2) USAGE NATIONAL", 4), ("PIC 9 COMP-9", 1),
        ("PIC S9PPPV", 1), ("PIC 9(3) VALUE IS 5", 3), ("PIC X VALUE 'A' 'B'", 1),
    ],
)  # fmt: skip
def test_usages(clause: str, size: int) -> None:
    assert _layout(f"01 R. 05 A {clause}.").size == size


def test_other_names_conditions_and_odd_characters() -> None:
    source = """01 R. 05 A@B PIC X. 05 C# PIC X. 88 YES VALUE 'Y' WHEN SET TO FALSE IS 'N'.
    05 T PIC X OCCURS 2 INDEXED BY I, J. 66 WHOLE RENAMES A@B THRU C#. 66 ONE RENAMES C# OF R."""
    root = _layout(source).root
    assert list(_places(root)) == ["A@B", "C#", "T"]
    field = next(node for node in layout.walk(root) if node.cobol == "C#")
    assert [condition.values for condition in field.conditions] == [("Y",)]  # type: ignore[union-attr]


def test_where_the_text_stands() -> None:
    def size(source: str, columns: Columns) -> int:
        return builder.build(items.read(source, columns=columns)).size

    assert size("01 R.\n*comment\n  05 A PIC X(3).", Columns(-1, None)) == 3
    assert size("abc 01 R.            left out\n    *   05 B PIC X.\n      05 A PIC X(3).", Columns(4, 20)) == 3
    assert size("      01  R.\n      05\xa0A\tPIC X(2).", Columns()) == 2
    assert size("       01  R.\n      D    05  B PIC X.\n           05  A PIC X(2).", Columns()) == 2


def test_several_records() -> None:
    source = "01 A. 05 X PIC X(2). 01 B. 05 Y PIC 9(3)."
    with pytest.raises(CopybookError, match="a, b"):
        _layout(source)
    assert _layout(source, Shape(several="consecutive")).size == 5
    assert _layout(source, Shape(several="redefine")).size == 3
    assert [node.name for area in _layout(source, Shape(several="consecutive", keep_root=True)).root.areas
            for node in area.nodes] == ["a", "b"]  # fmt: skip


def test_one_bad_line_among_two_thousand_is_told_with_its_number() -> None:
    lines = ["       01  REC."] + [f"           05  F-{number:04} PIC X(3)." for number in range(2000)]
    lines[1234] = "           05  F-BAD PIC X(3Q."
    with pytest.raises(CopybookError) as caught:
        builder.build(items.read("\n".join(lines)))
    assert [fault.line for fault in caught.value.faults] == [1235]
