"""Trailers that COBOL programs write and read."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.contract import Context
from adapters.files.adapter import FilesAdapter
from adapters.files.compile import compile_format
from adapters.files.config import Dataset
from adapters.files.formats import Record
from adapters.files.manifest import Mismatch

Build = Callable[..., FilesAdapter]
Contexts = Callable[..., Context]

PAYMENTS = """\
       01  HEADER-RECORD.
           05  H-TYPE                 PIC X.
           05  H-DAY                  PIC 9(8).
           05  FILLER                 PIC X(11).
       01  PAYMENT-RECORD.
           05  REC-TYPE               PIC X.
           05  PAY-ID                 PIC X(9).
           05  ACCOUNT                PIC 9(5).
           05  AMOUNT                 PIC S9(7)V99 COMP-3.
       01  TRAILER-RECORD.
           05  T-TYPE                 PIC X.
           05  T-COUNT                PIC 9(6).
           05  T-TOTAL                PIC S9(9)V99 COMP-3.
           05  T-HASH                 PIC 9(5).
           05  FILLER                 PIC X(2).
"""
COBOL = {
    "payments": {
        "match": ["in/PAY-*.DAT", "PAY.DAT"],
        "format": "copybook",
        "copybook": "pay.cpy",
        "code_page": "ascii",
        "key": "pay_id",
        "append": "in/PAY-{pay_id}.DAT",
        "control": {
            "header": {"starts": "H", "record": "HEADER-RECORD"},
            "trailer": {
                "starts": "T",
                "record": "TRAILER-RECORD",
                "count": "t_count",
                "sums": {"amount": "t_total", "account": "t_hash"},
            },
        },
        "options": {"record": "PAYMENT-RECORD"},
    }
}
PROGRAM = """\
       IDENTIFICATION DIVISION.
       PROGRAM-ID. PAY.
       ENVIRONMENT DIVISION.
       INPUT-OUTPUT SECTION.
       FILE-CONTROL.
           SELECT PAYMENTS ASSIGN TO "PAY.DAT" ORGANIZATION SEQUENTIAL.
       DATA DIVISION.
       FILE SECTION.
       FD PAYMENTS.
{copybook}
       PROCEDURE DIVISION.
{statements}
           STOP RUN.
"""
WRITING = """\
           OPEN OUTPUT PAYMENTS
           MOVE SPACES TO HEADER-RECORD
           MOVE "H" TO H-TYPE
           MOVE 20261121 TO H-DAY
           WRITE HEADER-RECORD
           MOVE "D" TO REC-TYPE
           MOVE "P1" TO PAY-ID
           MOVE 90000 TO ACCOUNT
           MOVE 12.50 TO AMOUNT
           WRITE PAYMENT-RECORD
           MOVE "D" TO REC-TYPE
           MOVE "P2" TO PAY-ID
           MOVE 20000 TO ACCOUNT
           MOVE -2.25 TO AMOUNT
           WRITE PAYMENT-RECORD
           MOVE SPACES TO TRAILER-RECORD
           MOVE "T" TO T-TYPE
           MOVE 2 TO T-COUNT
           MOVE 10.25 TO T-TOTAL
           MOVE 10000 TO T-HASH
           WRITE TRAILER-RECORD
           CLOSE PAYMENTS
"""
READING = """\
           OPEN INPUT PAYMENTS
           READ PAYMENTS DISPLAY H-TYPE
           READ PAYMENTS DISPLAY PAY-ID
           READ PAYMENTS DISPLAY T-TYPE T-COUNT T-HASH
           DISPLAY T-TOTAL
           CLOSE PAYMENTS
"""


async def _ids(adapter: FilesAdapter, context: Contexts) -> list[str]:
    page = await adapter.invoke("payments.list", {"limit": 100}, context())
    assert page.warnings == ()
    return [item["pay_id"] for item in page.value["items"]]


@pytest.mark.parametrize("form", ["F", "V", "VB", "text"])
def test_every_record_format_has_them(form: str) -> None:
    page = "latin-1" if form == "text" else "cp037"
    texts = [f"H{'20261121':<19}", "DP1       00007    ", "DP2       00008    ", "T00000200000000015"]
    layout = PAYMENTS.replace("PIC S9(7)V99 COMP-3.", "PIC X(5).").replace("PIC S9(9)V99 COMP-3.", "PIC 9(6).")
    records = [text.ljust(20).encode(page) for text in texts]
    framed = [len(each).to_bytes(2, "big") + b"\0\0" + each for each in records]
    blocks = b"".join(len(each).to_bytes(2, "big") + b"\0\0" + each for each in framed)
    lines = "".join(f"{text.rstrip()}\n" for text in texts).encode(page)
    data = {"F": b"".join(records), "V": b"".join(framed), "VB": blocks, "text": lines}[form]
    options = {"record": "PAYMENT-RECORD"}
    if form in ("V", "VB"):
        options |= {"is_rdw_big_endian": True, "is_bdw_big_endian": True}
    trailer = {"starts": "T", "record": "TRAILER-RECORD", "count": "t_count", "sums": {"account": "t_hash"}}
    control = {"header": {"starts": "H"}, "trailer": trailer}
    config = {**COBOL["payments"], "append": None, "code_page": page, "record_format": form}
    dataset = Dataset.model_validate({**config, "options": options, "control": control})
    format = compile_format(dataset, "pay_id", {"pay.cpy": layout.encode()}, "")

    def found(data: bytes) -> list[str]:
        file = io.BytesIO(data)
        return [each.value["pay_id"] for each in format.reader(file, len(data)).scan(file) if isinstance(each, Record)]

    assert found(data) == ["P1", "P2"]
    if form in ("F", "text"):
        record = {"rec_type": "D", "pay_id": "P3", "account": 70000}
        written, faults = format.encode(record)
        assert (found(written), faults) == (["P3"], [])
    with pytest.raises(Mismatch, match="account"):
        found(data.replace("00008".encode(page), "00009".encode(page)))


async def test_cobol_and_we_understand_each_others_trailers(
    build: Build, drop_folder: Path, context: Contexts, compile_cobol: Callable[..., Path], tmp_path: Path
) -> None:
    programs = [
        compile_cobol(PROGRAM.format(copybook=PAYMENTS, statements=statements)) for statements in (WRITING, READING)
    ]
    subprocess.run([programs[0]], cwd=drop_folder, check=True, timeout=30)  # noqa: ASYNC221
    adapter = build(COBOL, {"pay.cpy": PAYMENTS})
    assert await _ids(adapter, context) == ["P1", "P2"]
    record = {"rec_type": "D", "pay_id": "P3", "account": 70000, "amount": "-7.50"}
    await adapter.invoke("payments.append", record, context())
    assert await _ids(adapter, context) == ["P1", "P2", "P3"]
    os.replace(drop_folder / "in/PAY-P3.DAT", tmp_path / "PAY.DAT")
    shown = subprocess.run([programs[1]], cwd=tmp_path, check=True, timeout=30, capture_output=True, text=True)  # noqa: ASYNC221
    assert shown.stdout.split() == ["H", "P3", "T00000170000", "-000000007.50"]
    data = (drop_folder / "PAY.DAT").read_bytes()
    (drop_folder / "PAY.DAT").write_bytes(data.replace(b"P2", b"P4").replace(b"20000", b"20001"))
    facts = (await adapter.probe(context())).facts["payments"]
    assert facts["refused"] == ["PAY.DAT has another sum of account than its trailer says"]
