"""Audit records as a table for people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def show(items: list[dict[str, Any]]) -> None:
    """Prints records, one a line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("time", "id", "who", "what", "status", "decision", "upstreams"):
        table.add_column(column, no_wrap=column in ("time", "id"))
    for item in items:
        table.add_row(*(Text(each) if isinstance(each, str) else each for each in _row(item)))
    # A table that is read by a program, or by nobody, isn't cut to a terminal's width.
    width = None if sys.stdout.isatty() else 240
    Console(width=width).print(table)


def _row(item: dict[str, Any]) -> Iterator[str | Text]:
    status = int(item.get("status") or 0)
    colour = "red" if status >= 500 else "yellow" if status >= 400 else "green"
    who = item.get("principal") or "nobody"
    yield str(item["time"])[:23]
    yield str(item["id"])
    yield f"{who} via {item['agent']}" if item.get("agent") else who
    yield " ".join(filter(None, (item.get("method"), item.get("operation") or item.get("route"))))
    yield Text(str(item.get("problem") or status or item.get("kind")), colour if status else "")
    yield Text(item.get("decision") or "", "red" if item.get("decision") == "deny" else "")
    yield ",".join(sorted({call["upstream"] for call in item.get("upstream_calls") or ()}))
