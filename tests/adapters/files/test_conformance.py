"""The kind `files` keeps the rules that all kinds are held to, on a folder of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.changes import Asked
from adapters.testing import AdapterConformance, Changing, Sample, Subject

STOCK = {
    "match": ["stock.csv", "in/*.csv"],
    "format": "csv",
    "key": "sku",
    "append": "in/{sku}.csv",
    "options": {"columns": {"sku": "text", "qty": "integer"}},
}


def changing(folder: Path) -> Changing:
    rows = {f"S{number}": 0 for number in range(1, 6)}

    def write() -> None:
        (folder / ".stock.new").write_text("sku,qty\n" + "".join(f"{sku},{qty}\n" for sku, qty in rows.items()))
        os.replace(folder / ".stock.new", folder / "stock.csv")

    def change(number: int, value: int | None) -> None:
        if value is None:
            del rows[f"S{number}"]
        else:
            rows[f"S{number}"] = value
        write()

    write()
    return Changing(
        asked=Asked("stock", "stock", "diff"),
        change=change,
        row=lambda number, value: {"sku": f"S{number}", "qty": value},
        key=lambda number: (f"S{number}",),
    )


@pytest.fixture
def subject(drop_folder: Path) -> Subject:
    (drop_folder / "stock.csv").write_text("sku,qty\n" + "".join(f"S{number},{number}\n" for number in range(1, 6)))
    return Subject(
        kind="files",
        config=lambda host, port: {"root": str(drop_folder), "datasets": {"stock": STOCK}},
        reads=[Sample("stock.get", {"sku": "S1"}), Sample("stock.get", {"sku": "S2"})],
        listed=Sample("stock.list"),
        write=lambda number: Sample("stock.append", {"sku": f"N{number}", "qty": number}),
        written=lambda: len(list((drop_folder / "in").glob("*.csv"))),
        missing=Sample("stock.get", {"sku": "S9"}),
        invalid=Sample("stock.append", {"sku": "N", "qty": "many"}),
        changing=lambda: changing(drop_folder),
    )


class TestConformance(AdapterConformance):
    """Every rule, on `subject`."""
