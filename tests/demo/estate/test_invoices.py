"""What INVWRITE leaves in the drop, byte by byte: record length, EBCDIC, packed and binary fields."""

from __future__ import annotations

import struct
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.demo.crm.store import money
from gateway.demo.estate import Estate
from gateway.demo.seed.orders import Invoice
from gateway.demo.seed.world import build

RECORD = 516


@pytest.fixture(scope="module")
def files(estate: Estate) -> list[Path]:
    return sorted(Path(estate.environment()["DROP_DIR"]).glob("INV*.DAT"))


@pytest.fixture(scope="module")
def records(files: list[Path]) -> dict[str, bytes]:
    """By invoice number."""
    found = {}
    for file in files:
        content = file.read_bytes()
        assert len(content) % RECORD == 0
        for at in range(0, len(content), RECORD):
            found[text(content[at : at + 10])] = content[at : at + RECORD]
    return found


def text(field: bytes) -> str:
    return field.decode("cp037").rstrip()


def packed(field: bytes) -> Decimal:
    digits, sign = field.hex()[:-1], field.hex()[-1]
    assert digits.isdigit()
    assert sign in "cd"
    return Decimal(digits).scaleb(-2) * (-1 if sign == "d" else 1)


def test_there_is_a_file_a_month_and_every_invoice_once(files: list[Path], records: dict[str, bytes]) -> None:
    assert sum(file.stat().st_size for file in files) == RECORD * len(records)
    assert len(records) == 5_000
    months = {text(each[72:78]) for each in records.values()}
    assert [file.name for file in files] == [f"INV{month}.DAT" for month in sorted(months)]


def test_every_field_holds_what_the_world_says(records: dict[str, bytes]) -> None:
    for invoice in build().invoices:
        _matches(records[invoice.number], invoice)


def _matches(record: bytes, invoice: Invoice) -> None:
    customer = invoice.order.customer
    assert text(record[10:11] + record[11:12] + record[12:22]) == invoice.kind + invoice.status + customer.id
    assert text(record[62:72]) == invoice.order.number
    assert text(record[72:91]) == f"{invoice.issued:%Y%m%d}{invoice.due:%Y%m%d}EUR"
    assert text(record[91:95]) == customer.country.vat.replace(".", "")
    amounts = [packed(record[at : at + 6]) for at in (95, 101, 107)]
    assert amounts == [Decimal(money(each)) for each in (invoice.net, invoice.vat, invoice.gross)]
    assert text(record[113:114]) == ("C" if invoice.card else "T")
    assert text(record[114:148]).startswith(invoice.card[0] if invoice.card else invoice.iban)
    (count,) = struct.unpack(">h", record[159:161])
    assert count == len(invoice.lines)
    for place, line in enumerate(invoice.lines):
        at = 161 + place * 71
        assert text(record[at : at + 20]) == line.product.sku
        assert struct.unpack(">i", record[at + 56 : at + 60]) == (line.quantity,)
        assert packed(record[at + 60 : at + 65]) == Decimal(money(line.unit_price))
        assert packed(record[at + 65 : at + 71]) == Decimal(money(line.amount))


def test_letters_beyond_ascii_survive(records: dict[str, bytes]) -> None:
    names = {text(each[22:62]) for each in records.values()}
    assert any("ø" in name or "ü" in name for name in names)
    assert not any("?" in name or "\x1a" in name for name in names)


def test_the_story_customer_owes(records: dict[str, bytes], estate: Estate) -> None:
    samples = estate.facts()["samples"]
    sample = records[samples["invoice_number"]]
    assert text(sample[12:22]) == samples["customer_id"]
    assert text(sample[11:12]) == "V"
