"""A copybook's records, measured on a file: format, code page, keys, and what tells alternatives apart."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import pytest

from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.source import CopybookError
from adapters.files.sniff.copybook import record_names, records
from adapters.files.sniff.found import CantTell

TASK = """       01  TASK.
           05  TASK-ID     PIC 9(6).
           05  KIND        PIC X.
               88 IS-ORDER   VALUE 'O'.
               88 IS-NOTICE  VALUE 'N'.
           05  TITLE       PIC X(20).
           05  AMOUNT      PIC S9(7)V99 COMP-3.
           05  ORDER-PART.
               10 QUANTITY PIC 9(4).
           05  NOTICE-PART REDEFINES ORDER-PART.
               10 LETTERS  PIC X(4).
"""


def packed(number: int) -> bytes:
    return bytes.fromhex(f"{abs(number):09}" + ("D" if number < 0 else "C"))


def task(at: int, page: str) -> bytes:
    kind = "O" if at % 3 else "N"
    part = f"{at:04}" if kind == "O" else "abcd"
    return f"{at:06}{kind}{f'Title {at}':<20}".encode(page) + packed(at * 7 - 300) + part.encode(page)


def told(data: bytes, text: str = TASK, **options):
    return records(io.BytesIO(data), "t.cpy", {"t.cpy": text.encode()}, options)


def variable(record: bytes, *, order: str, whole: bool) -> bytes:
    length = len(record) + (4 if whole else 0)
    return (struct.pack(">HH", length, 0) if order == "big" else struct.pack("<HH", 0, length)) + record


@pytest.mark.parametrize("page", ["cp037", "latin-1"])
@pytest.mark.parametrize("framing", ["F", "big whole", "big", "little", "little whole"])
def test_the_record_format_and_the_code_page_are_measured(page, framing):
    made = [task(at, page) for at in range(120)]
    if framing != "F":
        made = [variable(each, order=framing.split()[0], whole="whole" in framing) for each in made]
    found = told(b"".join(made))
    assert (found.dataset["code_page"], found.dataset["record_format"]) == (page, "F" if framing == "F" else "V")
    assert (len(found.sample.values), found.sample.bad) == (120, 0)
    assert found.sample.values[5]["title"] == "Title 5"
    assert found.keys[0].name == "task_id"
    assert found.keys[0].sorted


def test_lines_of_text():
    text = "       01  A.\n           05  ID PIC 9(3).\n           05  NAME PIC X(10).\n"
    found = told("".join(f"{at:03}Name {at}\n" for at in range(50)).encode(), text)
    assert found.dataset["record_format"] == "text"
    assert found.sample.values[7] == {"id": 7, "name": "Name 7"}


def test_what_tells_alternatives_is_found_by_decoding_and_by_names():
    found = told(b"".join(task(at, "cp037") for at in range(90)))
    (choice,) = found.choices
    assert (choice.field, choice.meant) == ("kind", {"O": "order_part", "N": "notice_part"})
    # Texts alone always decode: their conditions' names tell.
    texts = TASK.replace("PIC 9(4)", "PIC X(4)")
    (choice,) = told(b"".join(task(at, "cp037") for at in range(90)), texts).choices
    assert (choice.field, choice.meant) == ("kind", {"O": "order_part", "N": "notice_part"})
    nameless = texts.replace("IS-ORDER", "FIRST-SORT").replace("IS-NOTICE", "OTHER-SORT")
    (choice,) = told(b"".join(task(at, "cp037") for at in range(90)), nameless).choices
    assert choice.field is None


SEGMENTS = """       01  DETAILS.
           05  SEGMENT-ID   PIC X.
           05  OWNER-ID     PIC X(6).
           05  STATIC.
               10 COMPANY   PIC X(15).
               10 PLACE     PIC X(15).
           05  PERSON REDEFINES STATIC.
               10 PHONE     PIC X(9).
               10 NAME      PIC X(21).
"""


def test_alternatives_of_texts_are_told_by_texts_that_are_whole():
    def record(at: int) -> bytes:
        parts = ["Smith & Co", "Elm Road 17"] if at % 3 == 0 else ["5550100", "Anna Smith"]
        widths = (15, 15) if at % 3 == 0 else (9, 21)
        texts = [text.encode().ljust(width, b"\0") for text, width in zip(parts, widths, strict=True)]
        return f"{'C' if at % 3 == 0 else 'P'}{at:06}".encode() + b"".join(texts)

    (choice,) = told(b"".join(map(record, range(60))), SEGMENTS).choices
    assert (choice.field, choice.meant) == ("segment_id", {"C": "static", "P": "person"})
    # Of texts that are filled with blanks each could be either.
    blank = b"".join(record(at).replace(b"\0", b" ") for at in range(60))
    assert told(blank, SEGMENTS).choices[0].field is None
    # Three records are no evidence.
    assert told(b"".join(map(record, range(3))), SEGMENTS).choices[0].field is None


def test_records_that_do_not_decode_are_counted():
    data = b"".join(task(at, "cp037") if at % 40 else b"\xff" * 36 for at in range(1, 121))
    found = told(data)
    assert (len(found.sample.values), found.sample.bad) == (117, 3)
    assert found.said[0].doubtful


def test_a_file_of_something_else_is_refused():
    with pytest.raises(CantTell, match="fit the copybook in no record format"):
        told(b"\x01" * 1001)
    with pytest.raises(CantTell, match="is empty"):
        told(b"")


@pytest.mark.parametrize(
    ("name", "page", "format", "count"),
    [
        ("test1", "cp037", "F", 10),
        ("test3", "cp037", "F", 1000),
        ("test4", "latin-1", "V", 1000),
        ("test6", "cp037", "F", 100),
    ],
)
def test_public_sample_files_are_told(name, page, format, count):
    corpus = os.environ.get("FIGWAY_CORPUS")
    if not corpus:
        pytest.skip("FIGWAY_CORPUS is not set: the sample files aren't here")
    folder = Path(corpus) / "cobrix"
    (data,) = (each for each in sorted((folder / f"{name}_data").iterdir()) if each.is_file())
    with data.open("rb") as file:
        found = records(file, "t.cpy", {"t.cpy": (folder / f"{name}_copybook.cob").read_bytes()}, {})
    assert (found.dataset["code_page"], found.dataset["record_format"]) == (page, format)
    assert (len(found.sample.values), found.sample.bad) == (count, 0)
    told_by = {choice.field: choice.meant for choice in found.choices if choice.field}
    assert told_by == ({"segment_id": {"C": "static_details", "P": "contacts"}} if name == "test4" else {})


def test_every_fault_of_a_copybook_has_its_line():
    lines = TASK.splitlines()
    filler = [f"           05  F{at:04}  PIC X(3)." for at in range(2000)]
    filler[1233] = "           05  F1233  PIC Q(3)."
    with pytest.raises(CopybookError) as caught:
        record_names("\n".join([*lines, *filler]), CopybookOptions())
    assert [fault.line for fault in caught.value.faults] == [len(lines) + 1234]
