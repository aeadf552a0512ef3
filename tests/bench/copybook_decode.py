"""Figures of COBOL records of 195 fields of many kinds: decoded one by one, by whole columns, and into Parquet."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from adapters.files.copybook import vectors
from adapters.files.decode import Wanted, decoding

RECORDS = 50_000
SEED = 1493
KINDS = (
    ("PIC X(10)", lambda draw: b"\xc1\xd6\x95\x83\x85\x40\x40\x40\x40\x40"),
    ("PIC 9(8)", lambda draw: bytes(0xF0 + draw.randrange(10) for _ in range(8))),
    ("PIC S9(18)", lambda draw: bytes(0xF0 + draw.randrange(10) for _ in range(17)) + draw.choice([b"\xc3", b"\xd4"])),
    ("PIC S9(9)V9(2)", lambda draw: bytes(0xF0 + draw.randrange(10) for _ in range(10)) + b"\xd5"),
    ("PIC S9(5).99", lambda draw: b"\xf0\xf0" + bytes(0xF0 + draw.randrange(10) for _ in range(3)) + b"\x4b\xf1\xc2"),
    ("PIC S9(9) COMP", lambda draw: draw.randrange(-(10**9), 10**9).to_bytes(4, "big", signed=True)),
    ("PIC 9(4) COMP", lambda draw: draw.randrange(10**4).to_bytes(2, "big")),
    ("PIC S9(13)V99 COMP-3", lambda draw: bytes.fromhex(f"{draw.randrange(10**15):015}{draw.choice('cd')}")),
    ("PIC 9(5) COMP-3", lambda draw: bytes.fromhex(f"{draw.randrange(10**5):05}f")),
    ("PIC S9(12)V9(6)", lambda draw: bytes(0xF0 + draw.randrange(10) for _ in range(18))),
    ("COMP-2", lambda draw: b"\x40" + draw.randbytes(6) + b"\x01"),
    ("PIC X(3)", lambda draw: b"\xc5\xe4\xd9"),
    ("PIC 9(18)V9(10) COMP-3", lambda draw: bytes.fromhex(f"{draw.randrange(10**28):029}f")),
)  # fmt: skip


def measure() -> list[dict[str, Any]]:
    """The figures, each `{name, value, unit, versus, ratio}`; ratio is their time by ours, None without another."""
    with tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder))


def _measure(folder: Path) -> list[dict[str, Any]]:
    draw = random.Random(SEED)
    kinds = [KINDS[number % len(KINDS)] for number in range(195)]
    lines = ["       01  RECORD."] + [
        f"           05  F-{number:03} {clause}." for number, (clause, _) in enumerate(kinds)
    ]
    (folder / "c.cpy").write_text("\n".join(lines) + "\n")
    some = [b"".join(make(draw) for _, make in kinds) for _ in range(500)]
    (folder / "data").write_bytes(b"".join(some * (RECORDS // len(some))))
    wanted = Wanted(folder / "data", folder / "c.cpy", [("floating_point_format", "IEEE754")], "parquet")
    size = len(some[0])
    records = decoding(wanted).records
    one = records.decoder

    def singly() -> int:
        for record in some:
            one(record)
        return len(some)

    def columns() -> int:
        with wanted.file.open("rb") as file:
            for _ in vectors.batches(records, file, wanted.file.stat().st_size):
                pass
        return RECORDS

    def parquet() -> int:
        with (folder / "out").open("wb") as target:
            return decoding(wanted).run(target, lambda position: None).records

    plain, arrow, file = (_rate(each) for each in (singly, columns, parquet))
    rows = (("one by one", plain, None), ("by whole columns", arrow, plain), ("into Parquet", file, plain))
    return [
        {
            "name": f"COBOL records of {size:,} bytes, 195 fields, {how}",
            "value": round(rate),
            "unit": "records/s a core",
            "versus": None if other is None else "one by one",
            "ratio": None if other is None else round(rate / other, 1),
        }
        for how, rate, other in rows
    ]


def _rate(run: Callable[[], int]) -> float:
    """Records a second of processor time: other programs on the machine don't count."""
    rates = []
    for _ in range(3):
        before = time.process_time()
        count = run()
        rates.append(count / (time.process_time() - before))
    return median(rates)
