"""The kind `files` keeps the rules that all kinds are held to, on a folder of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.testing import AdapterConformance, Sample, Subject

STOCK = {
    "match": ["stock.csv", "in/*.csv"],
    "format": "csv",
    "key": "sku",
    "append": "in/{sku}.csv",
    "options": {"columns": {"sku": "text", "qty": "integer"}},
}


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
    )


class TestConformance(AdapterConformance):
    """Every rule, on `subject`."""
