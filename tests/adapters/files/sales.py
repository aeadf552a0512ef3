"""Sales in two files, for what is summed up and filtered."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

SALES = {
    "sales": {
        "match": "sales-*.csv",
        "format": "csv",
        "key": "id",
        "options": {
            "columns": {"id": "integer", "region": "text", "amount": "decimal", "day": "date", "paid": "boolean"},
        },
    }
}  # fmt: skip


def written(folder: Path, count: int, seed: int = 7) -> list[tuple[int, str, Decimal, str]]:
    """Writes `count` records into two files; the rows, as number, region, amount and day."""
    chosen = random.Random(seed)
    rows = [
        (number, chosen.choice("NESW"), Decimal(chosen.randrange(-(10**6), 10**6)) / 100, f"2026-{n % 12 + 1:02}-01")
        for n, number in enumerate(chosen.sample(range(10 * count), count))
    ]
    half = count // 2
    for name, some in (("1", rows[:half]), ("2", rows[half:])):
        lines = [f"{number},{region},{amount},{day},true\n" for number, region, amount, day in some]
        (folder / f"sales-{name}.csv").write_text("id,region,amount,day,paid\n" + "".join(lines))
    return rows
