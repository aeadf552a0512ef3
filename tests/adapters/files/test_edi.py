"""X12 and EDIFACT: delimiters, release characters, envelopes and their counts; judged by pydifact, and by fuzz."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydifact.segmentcollection import RawSegmentCollection

from adapters.files.edi import Marks, Segment, Source, split, unescaped
from adapters.files.formats import Bad, Record

Values = Callable[..., list[dict[str, Any]]]
Scanned = Callable[..., list[Record | Bad]]

ISA = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *240102*1253*^*00501*000000905*0*P*>~"
X12 = (
    ISA + "GS*PO*SENDER*RECEIVER*20240102*1253*1*X*005010~"
    "ST*850*0001~BEG*00*SA*4501**20240102~REF*DP*038>A>B~PO1*1*10*EA*2.50**UP^VN^>x~SE*5*0001~"
    "ST*997*0002~AK1*PO*1~SE*3*0002~GE*2*1~IEA*1*000000905~"
)
ORDERS = (
    "UNA:+.? 'UNB+UNOC:3+5412345678908:14+8798765432106:14+240102:1000+REF1'"
    "UNH+M1+ORDERS:D:96A:UN:EAN008'BGM+220+O?'Brien ?+ Co??+9'DTM+137:20240102:102'FTX+AAI+++Gr\xf6\xdfe'UNT+5+M1'"
    "UNH+M2+DESADV:D:96A:UN'BGM+351+7'UNT+3+M2'UNZ+2+REF1'"
).encode("latin-1")


def test_x12(values: Values) -> None:
    order, ack = values("x12", X12.encode())
    assert order["id"] == "000000905-1-0001"
    assert (order["type"], order["control_number"], order["group"][0]) == ("850", "0001", "PO")
    assert order["interchange"] == [
        *("00", " " * 10, "00", " " * 10, "ZZ", "SENDER         ", "ZZ", "RECEIVER       ", "240102", "1253"),
        *("^", "00501", "000000905", "0", "P", ">"),
    ]
    assert order["segments"] == [
        {"tag": "ST", "elements": ["850", "0001"]},
        {"tag": "BEG", "elements": ["00", "SA", "4501", "", "20240102"]},
        {"tag": "REF", "elements": ["DP", ["038", "A", "B"]]},
        {"tag": "PO1", "elements": ["1", "10", "EA", "2.50", "", {"repeats": ["UP", "VN", ["", "x"]]}]},
        {"tag": "SE", "elements": ["5", "0001"]},
    ]
    assert ack["id"] == "000000905-1-0002"


@pytest.mark.parametrize(
    ("element", "component", "segment"), ["|:~", "*:\n", "\x1d\x1f\x1c", "+>'"], ids=["a", "b", "c", "d"]
)
def test_x12_delimiters_are_those_of_isa(values: Values, element: str, component: str, segment: str) -> None:
    text = X12.translate(str.maketrans("*>~", element + component + segment))
    found = values("x12", text.encode())
    assert found[0].pop("interchange")[15] == component
    assert found[0].items() <= values("x12", X12.encode())[0].items()


def test_line_ends_between_segments_and_several_interchanges(values: Values) -> None:
    lines = X12.replace("~", "~\r\n") + X12.replace("000000905", "000000906").replace("~", "~\n") + "\n"
    found = values("x12", lines.encode())
    assert [each["id"] for each in found] == [
        "000000905-1-0001", "000000905-1-0002", "000000906-1-0001", "000000906-1-0002",
    ]  # fmt: skip
    assert found[0] == values("x12", X12.encode())[0]
    assert [each["type"] for each in values("x12", lines.encode(), options={"types": ["997"]})] == ["997", "997"]


@pytest.mark.parametrize(
    ("change", "reason", "key", "lost"),
    [
        (("SE*5*0001", "SE*6*0001"), "SE doesn't count 5", "000000905-1-0001", False),
        (("SE*5*0001", "SE*5*0009"), "SE has another control number", "000000905-1-0001", False),
        (("SE*5*0001", "SE*x*0001"), "SE doesn't count 5", "000000905-1-0001", False),
        (("GE*2*1", "GE*3*1"), "GE doesn't count 2", None, True),
        (("GE*2*1", "GE*2*7"), "GE has another control number", None, True),
        (("IEA*1*", "IEA*2*"), "IEA doesn't count 1", None, True),
        (("IEA*1*000000905~", ""), "IEA is missing", None, True),
        (("SE*5*0001~", ""), "SE is missing", None, True),
        (("GE*2*1~", ""), "has no place there", None, True),
        (("AK1*PO*1~", "AK1*PO*1"), "SE is missing", None, True),
        (("038>A>B", "038>\xff"), "isn't text in ascii", "000000905-1-0001", False),
        (("*P*>~", "*P*A~"), "letters or digits", None, True),
        (("*P*>~", "*P**~"), "ISA doesn't have 16 elements", None, True),
        (("ISA*00*  ", "ISA*00* "), "16 elements", None, True),
    ],
)
def test_x12_that_does_not_hold(
    scanned: Scanned, change: tuple[str, str], reason: str, key: str | None, lost: bool
) -> None:
    assert change[0] in X12
    found = scanned("x12", X12.replace(*change).encode("latin-1"))
    (bad,) = [each for each in found if isinstance(each, Bad)]
    assert reason in bad.reason
    assert (bad.key, bad.lost) == (key, lost)


def test_edifact(values: Values) -> None:
    order, despatch = values("edifact", ORDERS)
    assert (order["id"], order["type"], order["group"]) == ("REF1-M1", "ORDERS", None)
    assert order["interchange"][0] == ["UNOC", "3"]
    assert order["segments"][1] == {"tag": "BGM", "elements": ["220", "O'Brien + Co?", "9"]}
    assert order["segments"][3] == {"tag": "FTX", "elements": ["AAI", "", "", "Größe"]}
    assert despatch["type"] == "DESADV"


def test_edifact_without_una_with_groups_and_repetition(values: Values) -> None:
    text = (
        "UNB+UNOW:4+A+B+20240102:1000+R'UNG+ORDERS+A+B+20240102:1000+G1+UN+D:96A'"
        "UNH+1+ORDERS:D:96A:UN'IMD+a*b:c*d?*e'UNT+3+1'UNE+1+G1'UNZ+1+R'\r\n"
    )
    (found,) = values("edifact", text.encode())
    assert found["id"] == "R-G1-1"
    assert found["segments"][1]["elements"] == [{"repeats": ["a", ["b", "c"], "d*e"]}]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((b"UNT+5+M1", b"UNT+4+M1"), "UNT doesn't count 5"),
        ((b"UNT+5+M1", b"UNT+5+M9"), "UNT has another control number"),
        ((b"UNZ+2", b"UNZ+3"), "UNZ doesn't count 2"),
        ((b"UNZ+2+REF1'", b""), "UNZ is missing"),
        ((b"UNOC:3", b"UNOX:3"), "syntax identifier isn't known"),
        ((b"UNOC:3", b"UNOA:3"), "isn't text in ascii"),
        ((b"UNA:+.? '", b"UNA:+.?:'"), "begins with UNA or UNB|don't differ"),
        ((b"UNB+", b"UNX+"), "begins with UNA or UNB"),
    ],
)
def test_edifact_that_does_not_hold(scanned: Scanned, change: tuple[bytes, bytes], reason: str) -> None:
    assert change[0] in ORDERS
    bad = [each for each in scanned("edifact", ORDERS.replace(*change)) if isinstance(each, Bad)]
    assert len(bad) == (0 if b"UNA:" in change[0] else 1) or any(part in bad[0].reason for part in reason.split("|"))
    assert all(any(part in each.reason for part in reason.split("|")) for each in bad)


_TEXT = st.text("abc09 +:'?*ÄÖ", max_size=8)


@settings(deadline=None)
@given(st.lists(st.lists(st.lists(_TEXT, min_size=1, max_size=3), min_size=1, max_size=4), min_size=1, max_size=5))
def test_edifact_round_trip_and_pydifact_agree(segments: list[list[list[str]]]) -> None:
    def escaped(text: str) -> str:
        return "".join("?" + each if each in "?+:'" else each for each in text)

    text = "".join(
        "TAG+" + "+".join(":".join(map(escaped, components)) for components in elements) + "'" for elements in segments
    )
    marks = Marks(b":", b"+", b"'", b"?")
    source = Source(io.BytesIO(text.encode()))
    ours = []
    while data := source.segment(marks):
        ours.append(Segment(data, marks, "utf-8", 1).elements())
    expected = [[each[0] if len(each) == 1 else each for each in elements] for elements in segments]
    assert ours == expected
    if not any(not part or part != part.strip() for elements in segments for each in elements for part in each):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it misses its own tables of segments
            theirs = RawSegmentCollection.from_str("UNA:+.? '" + text)
        assert [list(segment.elements) for segment in theirs.segments if segment.tag == "TAG"] == expected


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_split_and_unescaped_are_total(data: bytes) -> None:
    pieces = split(data, b"+", b"?")
    assert b"+".join(pieces) == data
    assert len(unescaped(data, b"?")) <= len(data)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damage_is_told_or_harmless(scanned: Scanned, data: st.DataObject) -> None:
    """A byte changed, lost or doubled: every record that is answered still has its counts; nothing else is raised."""
    format, whole = data.draw(st.sampled_from([("x12", X12.encode()), ("edifact", ORDERS)]))
    at = data.draw(st.integers(0, len(whole) - 1))
    piece = data.draw(st.sampled_from([b"", whole[at : at + 1] * 2, b"?", b"'", b"~", b"*", b"\xff", b"\0"]))
    found = scanned(format, whole[:at] + piece + whole[at + 1 :])
    for each in found:
        if isinstance(each, Record):
            segments: Any = each.value["segments"]
            assert int(segments[-1]["elements"][0]) == len(segments)
