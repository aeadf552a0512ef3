"""Figures of the files adapter: a record by its key against a scan, and records decoded in a second."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from adapters.contract import Adapter, Context, Workspace
from adapters.files import KIND
from adapters.files.compile import compile_format
from adapters.files.config import Dataset
from adapters.files.decode import decode_file
from adapters.files.formats import Format, Record

RECORDS = 20_000
COPYBOOK = b"""\
       01  INVOICE.
           05  INVOICE-NUMBER  PIC X(10).
           05  CUSTOMER        PIC X(30).
           05  ISSUED          PIC 9(8).
           05  CURRENCY        PIC X(3).
           05  NET             PIC S9(9)V99 COMP-3.
           05  TAX             PIC S9(9)V99 COMP-3.
           05  POSITIONS       PIC S9(4) COMP.
           05  FILLER          PIC X(20).
"""


def measure() -> list[dict[str, Any]]:
    """The figures, each `{name, value, unit, versus, ratio}`; ratio is their time by ours, None without another."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


DATASET = {
    "match": "INV.DAT",
    "format": "copybook",
    "copybook": "invoice.cpy",
    "code_page": "cp037",
    "key": "invoice_number",
}


def _adapter(folder: Path) -> Adapter:
    config = KIND.config.model_validate({"root": str(folder), "datasets": {"invoices": DATASET}})
    return KIND.build("bench", config, Workspace({"invoice.cpy": COPYBOOK}, folder / "cache"))


async def _measure(folder: Path) -> list[dict[str, Any]]:
    adapter = _adapter(folder)
    format = compile_format(Dataset.model_validate(DATASET), "invoice_number", {"invoice.cpy": COPYBOOK}, "")
    records = (
        format.encode({"invoice_number": f"I{n:09}", "customer": "ACME", "net": "1.50"})[0] for n in range(RECORDS)
    )
    path = folder / "INV.DAT"
    path.write_bytes(b"".join(records))
    await adapter.open()
    context = Context(time.monotonic() + 600)
    keys = [f"I{n * 7919 % RECORDS:09}" for n in range(2000)]

    async def get(key: str) -> None:
        await adapter.invoke("invoices.get", {"invoice_number": key}, context)

    by_key = await _median(get, keys)
    scan = median(_seconds(partial(_scanned, path, format, key)) for key in keys[:5])
    decoding = _seconds(lambda: sum(1 for _ in decode_file(path, format)))
    await adapter.close()
    return [
        _figure("files: get by key", by_key * 1e6, "µs", "scanning the file", scan / by_key),
        _figure("files: decode copybook records", RECORDS / decoding, "records/s", "", None),
    ]


def _scanned(path: Path, format: Format, key: str) -> Record:
    records = (record for record in decode_file(path, format) if isinstance(record, Record))
    return next(record for record in records if record.value["invoice_number"] == key)


async def _median(call: Callable[[str], Any], keys: list[str]) -> float:
    taken = []
    for key in keys:
        started = time.perf_counter()
        await call(key)
        taken.append(time.perf_counter() - started)
    return median(taken)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _figure(name: str, value: float, unit: str, versus: str, ratio: float | None) -> dict[str, Any]:
    return {"name": name, "value": round(value, 1), "unit": unit, "versus": versus, "ratio": ratio}
