"""The year's invoices, handed to INVWRITE a month at a time: INV202510.DAT and so on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.demo.batch.cobol import run_program
from gateway.demo.crm.store import money
from gateway.demo.seed.countries import COUNTRIES
from gateway.demo.seed.customers import plain
from gateway.demo.seed.orders import Invoice, Line

RECORD = 516
"""Bytes of one record of invoice.cpy."""


def write_invoices(program: Path, invoices: Iterable[Invoice], work: Path, drop: Path) -> None:
    """Runs `program` (INVWRITE) for each month; its text input stays in `work`, the data goes to `drop`."""
    months: dict[str, list[str]] = defaultdict(list)
    for invoice in invoices:
        months[invoice.issued.strftime("%Y%m")].append(_text(invoice))

    def write(month: str) -> None:
        text, aside = work / f"INV{month}.TXT", work / f"INV{month}.NEW"
        text.write_bytes("".join(months[month]).encode("latin-1"))
        run_program(program, {"INVTEXT": text, "INVDATA": aside})
        aside.rename(drop / f"INV{month}.DAT")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, months))


def _text(invoice: Invoice) -> str:
    customer = invoice.order.customer
    head = (
        invoice.number, invoice.kind, invoice.status, customer.id, old_letters(customer.name), invoice.order.number,
        f"{invoice.issued:%Y%m%d}", f"{invoice.due:%Y%m%d}", "EUR", customer.country.vat, money(invoice.net),
        money(invoice.vat), "C" if invoice.card else "T",
    )  # fmt: skip
    payment = invoice.card or (invoice.iban, _bank(customer.country.code))
    lines = [part for line in invoice.lines for part in _line(line)]
    return "|".join((*head, *payment, str(len(invoice.lines)), *lines)) + "\n"


def _line(line: Line) -> tuple[str, str, str, str]:
    return line.product.sku, old_letters(line.product.name)[:36], str(line.quantity), money(line.unit_price)


def _bank(code: str) -> str:
    return next(country.bank for country in COUNTRIES if country.code == code)


def old_letters(text: str) -> str:
    """`text` as the host can keep it: letters outside ISO 8859-1, such as ł, lose their marks."""
    return "".join(letter if ord(letter) < 256 else plain(letter) for letter in text).replace("|", "/")
