"""Whole columns at once, and record by record: both decode alike, whatever the bytes are."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files.copybook import cobrix, vectors
from adapters.files.copybook.parquet import rows_as_table, schema
from adapters.files.copybook.records import Records
from adapters.files.copybook.table import columns
from adapters.files.decode import Wanted, decoding
from adapters.files.formats import Record

CLAUSES = [
    "PIC X(5)", "PIC X", "PIC 9", "PIC 9(5)", "PIC 9(18)", "PIC 9(19)", "PIC 9(37)", "PIC S9(4)", "PIC S9(3)V99",
    "PIC S9(20)V9(5)", "PIC SV9(4) SIGN LEADING", "PIC S9(4) SIGN LEADING SEPARATE", "PIC S9(3)V9 TRAILING SEPARATE",
    "PIC S9(5) COMP-3", "PIC 9(6) COMP-3", "PIC S9(18) COMP-3", "PIC S9(30)V9(7) COMP-3", "PIC 9(5) COMP-6",
    "PIC S9(4) COMP", "PIC 9(9) COMP", "PIC S9(18) COMP", "PIC 9(18) COMP", "PIC S9(12)V9(6) COMP", "PIC 9(20) COMP",
    "PIC S9(37) COMP", "PIC 9(2) COMP-9", "PIC S9(9) COMP-5", "PIC 9(5)PPP", "PIC SPP9(3)", "PIC S9PPP COMP-3",
    "COMP-1", "COMP-2", "PIC Z(4)9.99-", "PIC +9(4)", "PIC Z(3)", "PIC S9(3).99", "PIC $$,$$9.99CR", "PIC N(3)",
    "PIC X(3) COMP", "PIC 9(4) BLANK WHEN ZERO", "PIC X(6) JUSTIFIED", "INDEX", "PIC 99/99/99", "PIC 9(30)P(9) COMP-3",
]  # fmt: skip
USUAL = b"\xf0\xf1\xf2\xf9\xc1\xd1\x40\x00\x4b\x60\x4e\x0c\x1d\x9f\x12\x99 0123456789-+.AJ{p"
OPTIONS = [
    {},
    {"encoding": "ascii"},
    {"improved_null_detection": "false", "string_trimming_policy": "none"},
    {"strict_sign_overpunching": "false", "string_trimming_policy": "left", "ebcdic_code_page": "cp037"},
    {"floating_point_format": "IEEE754", "string_trimming_policy": "right", "strict_integral_precision": "true"},
    {"ebcdic_code_page": "common_extended", "debug": "hex", "drop_value_fillers": "false", "non_terminals": "T"},
]


def _records(clauses: list[str], options: dict[str, str]) -> Records:
    body = "".join(f" 05 F{number} {clause}.\n" for number, clause in enumerate(clauses))
    table = "".join(f"  10 T{number} {clause}.\n" for number, clause in enumerate(clauses[:2]))
    source = f"01 R.\n{body} 05 T OCCURS 2.\n{table}  10 O PIC 99 OCCURS 3.\n 05 FILLER PIC X.\n"
    chosen, page, _ = cobrix.read([*options.items(), ("source_format", "free")])
    return Records(source, page, chosen)


def _both(records: Records, data: bytes) -> tuple[Any, Any]:
    wanted = columns(records.layout.root, records.options)
    rows = []
    for found in records.scan(BytesIO(data), len(data)):
        assert isinstance(found, Record)
        rows.append(found.value)
    plain, wrong, records.wrong = rows_as_table(rows, wanted), records.wrong, 0
    assert vectors.fits(records)
    tables = []
    for batch in vectors.batches(records, BytesIO(data), len(data)):
        assert not hasattr(batch, "reason")
        tables.append(pa.Table.from_arrays(batch[0], schema=schema(wanted)))  # type: ignore[index]
    vector = pa.concat_tables(tables)
    vector.validate(full=True)
    assert records.wrong == wrong
    return plain, vector


@settings(deadline=None, max_examples=60, database=None)
@given(
    st.lists(st.sampled_from(CLAUSES), min_size=2, max_size=6),
    st.sampled_from(OPTIONS),
    st.data(),
)
def test_columns_at_once_are_what_single_records_are(
    clauses: list[str], options: dict[str, str], data: st.DataObject
) -> None:
    records = _records(clauses, options)
    length = records.layout.size
    record = st.one_of(
        st.binary(min_size=length, max_size=length),
        st.lists(st.sampled_from(USUAL), min_size=length, max_size=length).map(bytes),
        st.sampled_from([b"\xf1", b"\x40", b"\x00", b"\xff", b" ", b"7"]).map(lambda byte: byte * length),
    )
    plain, vector = _both(records, b"".join(data.draw(st.lists(record, min_size=1, max_size=6))))
    for name in plain.schema.names:
        assert plain[name].to_pylist() == vector[name].to_pylist(), name


@pytest.mark.parametrize("clause", CLAUSES, ids=[clause.replace(" ", "_") for clause in CLAUSES])
def test_each_kind_of_field_is_decoded_alike(clause: str) -> None:
    records = _records([clause], {})
    field = columns(records.layout.root, records.options)[0].field
    assert field is not None
    rest = b"\xf0" * (records.layout.size - field.size)
    texts = [b"\xf1" * 40, b"\x40" * 40, b"\0" * 40, b"\xff" * 40, b"\x12" * 40, b"\x99" * 40]
    ends = [b"", b"\xc5", b"\xd5", b"\x5c", b"\x5d", b"\x0f", b"\x60"]
    cells = [((text + end)[-field.size :]) for text in texts for end in ends]
    plain, vector = _both(records, b"".join(cell + rest for cell in cells))
    assert plain["F0"].to_pylist() == vector["F0"].to_pylist()


def test_a_file_becomes_parquet_and_a_torn_end_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.cpy").write_text("       01 R.\n          05 A PIC X(3).\n          05 N PIC S9(3)V99 COMP-3.\n")
    (tmp_path / "data").write_bytes(b"\xc1\xc2\x40\x12\x34\x5d" * 3 + b"\xc1")
    with (tmp_path / "out").open("wb") as target:
        summary = decoding(Wanted(tmp_path / "data", tmp_path / "c.cpy", [], "parquet")).run(target, lambda at: None)
    assert (summary.records, summary.undecodable, summary.bad[0].start) == (3, 1, 18)
    table = pq.read_table(tmp_path / "out")
    assert [str(kind) for kind in table.schema.types] == ["string", "decimal128(5, 2)"]
    assert [str(value) for value in table["N"].to_pylist()] == ["-123.45"] * 3
