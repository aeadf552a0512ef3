"""Trailers that COBOL programs write and read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from adapters.contract import Context
from adapters.files.adapter import FilesAdapter

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
