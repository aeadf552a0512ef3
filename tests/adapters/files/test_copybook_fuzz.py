"""Damaged copybooks, options and data: a told fault or a result, soon, and never anything else."""

from __future__ import annotations

import os
import random
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from adapters.files.copybook import cobrix
from adapters.files.copybook.cobrix import OptionError
from adapters.files.copybook.output import Csv, JsonLines
from adapters.files.copybook.records import Records
from adapters.files.copybook.source import CopybookError
from adapters.files.copybook.table import columns
from adapters.files.formats import Bad

SEED = int(os.environ.get("FIGWAY_SEED", "20261121"))
BASE = """\
       01  COMPANY-DETAILS.
           05  SEGMENT-ID        PIC X(5).
           05  COUNT-OF          PIC 9(2) COMP.
           05  STATIC-DETAILS.
              10  COMPANY-NAME   PIC X(15) JUSTIFIED RIGHT.
              10  AMOUNT         PIC S9(7)V99 COMP-3 SYNC.
              10  RATE           COMP-2 SYNCHRONIZED.
           05  CONTACTS REDEFINES STATIC-DETAILS.
              10  PHONE          PIC N(4).
              10  PRICE          PIC -(5)9.99.
              88  CHEAP          VALUE 1 THRU 3, 7 WHEN SET TO FALSE IS 9.
           05  LINES-OF          OCCURS 1 TO 9 TIMES DEPENDING ON COUNT-OF
                                 ASCENDING KEY IS K INDEXED BY I.
              10  K              PIC S9(4) SIGN IS LEADING SEPARATE CHARACTER.
              10  FILLER         PIC X(2) VALUE 'A''B'.
              10  P              USAGE IS POINTER.
       66  WHOLE RENAMES SEGMENT-ID THRU COUNT-OF.
       77  ALONE                 PIC 9(5)PP.
"""
_TEXT = """
. 01 05 49 66 77 88 PIC PICTURE X(5) 9(4)V99 S9(18) Z(9).99 $$,$$9CR 9(99999) 9(9999999999) COMP COMP-1 COMP-3
COMP-5 COMP-6 COMP-X BINARY-LONG UNSIGNED OCCURS 0 99999 TIMES TO DEPENDING ON REDEFINES SYNC RENAMES THRU VALUE 'x' "y
COPY REPLACING == BY ==:A:== FILLER A B USAGE NATIONAL DISPLAY-1 INDEX POINTER SIGN LEADING SEPARATE BLANK ZERO ² ( )) -
"""
WORDS = _TEXT.split()
OPTIONS = [
    ("record_format", "V VB F FB D T"), ("is_rdw_big_endian", "true false"), ("rdw_adjustment", "-4 0 9 -70000"),
    ("bdw_adjustment", "-4 4"), ("record_length", "1 7 500"), ("variable_size_occurs", "true"),
    ("strict", "true false"),
    ("record_length_field", "COUNT-OF COUNT-OF*3 COUNT-OF-9 K SEGMENT-ID 7/0 COUNT-OF/COUNT-OF"),
    ("segment_field", "SEGMENT-ID COUNT-OF LINES-OF"), ("redefine_segment_id_map:0", "STATIC-DETAILS=>A,"),
    ("redefine_segment_id_map:1", "CONTACTS=>B"), ("segment_children:0", "STATIC-DETAILS=>CONTACTS"),
    ("segment_id_level0", "A"), ("segment_id_level1", "_"), ("non_terminals", "CONTACTS"), ("debug", "hex string"),
    ("drop_value_fillers", "false"), ("drop_group_fillers", "true"), ("encoding", "ascii ebcdic"),
    ("ebcdic_code_page", "common cp037 cp1047 common_extended"), ("field_code_page:cp500", "PHONE"),
    ("file_start_offset", "3 999999"), ("file_end_offset", "2 99999"), ("record_start_offset", "2"),
    ("minimum_record_length", "3"), ("floating_point_format", "IBM IEEE754_little_endian"), ("comments_ubound", "60"),
    ("schema_retention_policy", "keep_original"), ("string_trimming_policy", "keep_all none"),
    ("allow_partial_records", "true"), ("display_pic_always_string", "true"), ("truncate_comments", "false"),
]  # fmt: skip


def _damaged(text: str, chance: random.Random) -> str:
    for _ in range(chance.choice([0, 0, 0, 1, 2, 4])):
        at, kind = chance.randrange(len(text) + 1), chance.randint(0, 4)
        if kind == 0:
            text = text[:at] + text[at + chance.randint(1, 20) :]
        elif kind == 1:
            text = f"{text[:at]} {chance.choice(WORDS)} {text[at:]}"
        elif kind == 2:
            text = text[:at] + chr(chance.choice([0, 9, 10, 34, 39, 46, 61, 178, 0x1F600, 48])) + text[at:]
        elif kind == 3:
            lines = text.splitlines(keepends=True) or [""]
            lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
            text = "".join(lines)
        else:
            text = text.replace(chance.choice(WORDS), chance.choice(WORDS), 1)
    return text


def _data(chance: random.Random) -> bytes:
    size = chance.choice([0, 1, 3, 50, 300, 5000])
    kind = chance.randint(0, 2)
    if kind == 0:
        return chance.randbytes(size)
    alphabet = b"\0\0\x05\x0c\x40\xf0\xf1\xf9\xc1\xd1 09AB-+.\n\r\x15\x25" if kind == 1 else b"\0\0\x10\0"
    return bytes(chance.choice(alphabet) for _ in range(size))


def _try(chance: random.Random) -> str:
    """What one damaged copybook and file come to, in a word."""
    options = [(name, chance.choice(values.split())) for name, values in chance.sample(OPTIONS, chance.randint(0, 6))]
    options += [("segment_field", "SEGMENT-ID")] if chance.random() < 0.5 else []
    copies = {"A": _damaged("           05 COPIED PIC X.\n", chance)}
    try:
        chosen, page, _ = cobrix.read(options)
        records = Records(_damaged(BASE, chance), page, chosen, copies.get)
    except (OptionError, ValueError, CopybookError) as error:
        return type(error).__name__ if str(error) else "a fault without a sentence"
    if records.layout.size > 100_000:
        return "large"
    data, told = _data(chance), 0
    wanted = columns(records.layout.root, chosen)
    writers: list[Any] = [JsonLines(BytesIO()), Csv(BytesIO(), wanted)]
    for found in records.scan(BytesIO(data), len(data)):
        told += 1
        if isinstance(found, Bad):
            assert found.reason
            assert 0 <= found.start <= max(found.end, found.start)
            continue
        for writer in writers:
            writer.write(found.value)
    assert told <= len(data) + 1
    return "read"


def _run(seed: int, *, rounds: int = 0, seconds: float = 0) -> dict[str, int]:
    """Tries until rounds or seconds are over; each try is bounded, and has its own printed seed."""
    outcomes: dict[str, int] = {}
    end = time.monotonic() + seconds
    number = 0
    while number < rounds or time.monotonic() < end:
        number += 1
        try:
            outcome = _try(random.Random(f"{seed}/{number}"))
        except BaseException:
            print(f"FIGWAY_SEED={seed}, try {number}")
            raise
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(f"FIGWAY_SEED={seed}: {number} tries, {outcomes}")
    assert outcomes.keys() <= {"OptionError", "ValueError", "CopybookError", "large", "read"}
    return outcomes


@pytest.mark.timeout(120)
def test_damaged_copybooks_and_files() -> None:
    outcomes = _run(SEED, rounds=600)
    assert outcomes["read"] > 20
    assert outcomes["CopybookError"] > 100


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_damaged_copybooks_and_files_for_ten_minutes() -> None:
    import resource

    _run(SEED, rounds=200)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = _run(random.SystemRandom().randrange(1 << 32), seconds=600)
    assert outcomes["read"] > 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 300_000  # KiB


def test_hostile_sizes_are_refused_soon() -> None:
    """What would take a machine down is a told fault."""
    for source in (
        "01 R. 05 A PIC X(99999999).",
        "01 R. 05 A PIC X(9999999) OCCURS 99999 TIMES.",
        "01 R. 05 A PIC 9(" + "9" * 5000 + ").",
        "01 R. 05 A PIC X OCCURS " + "9" * 5000 + " TIMES.",
        "01 R. 05 A PIC " + "9" * 100_000 + "Q.",
        "0" * 5000 + " R PIC X.",
        "01 R. COPY A REPLACING " + "==A== BY ==B== " * 2000,
        "01 R. COPY A" + " ==" * 4001 + ".",
    ):
        chosen, page, _ = cobrix.read([("source_format", "free")])
        with pytest.raises(CopybookError):
            Records(source, page, chosen, {"A": "05 A PIC X."}.get)


def test_a_copybook_that_copies_itself_many_times_stays_bounded(tmp_path: Path) -> None:
    copies = {f"L{level}": f"COPY L{level + 1}.\n" * 20 for level in range(7)} | {"L7": "05 F PIC X.\n"}
    chosen, page, _ = cobrix.read([("source_format", "free")])
    with pytest.raises(CopybookError, match="more than"):
        Records("01 R.\nCOPY L0.\n", page, chosen, copies.get)
