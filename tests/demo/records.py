"""The demo's fixed-length files, decoded by hand from the byte positions of their layouts.

It shares no line with the adapter, so that both are unlikely to be wrong in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

_INVOICE, _LINE, _LINES_AT, _TASK = 516, 71, 161, 256
_STATUS = {"O": "open", "V": "overdue", "P": "paid"}
_KIND = {"I": "invoice", "C": "credit_note"}
_PAYMENT = {"T": "transfer", "C": "card"}
_TASK_STATUS = {"Q": "queued", "A": "accepted", "R": "rejected"}


def invoices(drop: Path) -> dict[str, dict[str, Any]]:
    """Every invoice of the drop folder by its number, as the route shows it."""
    found = [_invoice(record) for path in sorted(drop.glob("INV*.DAT")) for record in _cut(path, _INVOICE)]
    return {each["invoice_number"]: each for each in found}


def tasks(drop: Path) -> dict[str, dict[str, Any]]:
    """Every task of the work queue's master file by its id, as the route shows it."""
    found = [_task(record) for record in _cut(drop / "TASKMAST.DAT", _TASK)]
    return {each["id"]: each for each in found}


def packed(data: bytes, scale: int) -> str:
    """A packed decimal: two digits a byte, the last half byte the sign (C or F plus, D minus)."""
    digits, sign = data.hex()[:-1], data.hex()[-1]
    assert sign in "cfd"
    number = int(digits)
    text = f"{number // 10**scale}.{number % 10**scale:0{scale}d}"
    return f"-{text}" if sign == "d" and number else text


def _cut(path: Path, length: int) -> Iterator[bytes]:
    data = path.read_bytes()
    assert len(data) % length == 0
    for start in range(0, len(data), length):
        yield data[start : start + length]


def _date(digits: str) -> str:
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def _invoice(record: bytes) -> dict[str, Any]:
    def text(start: int, length: int) -> str:
        return record[start : start + length].decode("cp037").rstrip()

    lines = int.from_bytes(record[_LINES_AT - 2 : _LINES_AT], "big", signed=True)
    percent = text(91, 4)
    return {
        "invoice_number": text(0, 10),
        "document_type": _KIND[text(10, 1)],
        "status": _STATUS[text(11, 1)],
        "customer_id": text(12, 10),
        "customer_name": text(22, 40),
        "order_number": text(62, 10),
        "issue_date": _date(text(72, 8)),
        "due_date": _date(text(80, 8)),
        "currency": text(88, 3),
        "vat_percent": f"{int(percent[:2])}.{percent[2:]}",
        "net_amount": packed(record[95:101], 2),
        "vat_amount": packed(record[101:107], 2),
        "gross_amount": packed(record[107:113], 2),
        "payment_method": _PAYMENT.get(text(113, 1)),
        "lines": [_line(record[_LINES_AT + _LINE * each :][:_LINE]) for each in range(lines)],
    }


def _line(part: bytes) -> dict[str, Any]:
    return {
        "sku": part[:20].decode("cp037").rstrip(),
        "description": part[20:56].decode("cp037").rstrip(),
        "quantity": int.from_bytes(part[56:60], "big", signed=True),
        "unit_price": packed(part[60:65], 2),
        "amount": packed(part[65:71], 2),
    }


def _task(record: bytes) -> dict[str, Any]:
    text = record.decode("latin-1")
    return {
        "id": text[:26].rstrip(),
        "customer_id": text[26:36].rstrip(),
        "title": text[36:116].rstrip(),
        "due_date": _date(text[116:124]),
        "priority": text[124:130].rstrip(),
        "status": _TASK_STATUS[text[130]],
        "reason": text[131:171].rstrip(),
        "created_at": text[171:191].rstrip(),
        "created_by": text[191:231].rstrip(),
    }
