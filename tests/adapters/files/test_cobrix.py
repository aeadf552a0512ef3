"""The copybooks, data and expected JSON that Cobrix publishes, where a folder of them is named by FIGWAY_CORPUS.

Cobrix's choices are options here. Where our value differs on purpose, the test says so: a number is a decimal
string, an empty text is "" and not absent, and a wrong number makes its record undecodable where Cobrix says null.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.files.compile import compile_format
from adapters.files.config import Dataset
from adapters.files.decode import decode_file
from adapters.files.formats import Bad, Record

GENERATED = {"File_Id", "Record_Id", "Record_Byte_Length", "Seg_Id0", "Seg_Id1"}


@pytest.fixture(scope="module")
def corpus() -> Path:
    folder = os.environ.get("FIGWAY_CORPUS")
    if not folder or not (Path(folder) / "cobrix").is_dir():
        pytest.skip("FIGWAY_CORPUS doesn't name a folder that holds Cobrix's published test sets")
    return Path(folder) / "cobrix"


def _decoded(corpus: Path, copybook: str, data: str, **config: Any) -> list[Record | Bad]:
    source = (corpus / copybook).read_bytes()
    dataset = Dataset(match="*", format="copybook", copybook="c", key="x", **{"code_page": "cp037", **config})
    return list(decode_file(corpus / data, compile_format(dataset, None, {"c": source}, "")))


def _expected(corpus: Path, name: str, file: str = "") -> list[dict[str, Any]]:
    lines = (corpus / f"{name}_expected" / f"{file or name}.txt").read_text(errors="surrogateescape").splitlines()
    return [json.loads(line, parse_float=Decimal) for line in lines if line]


def _differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Every path where a value isn't the same; an absent value of theirs may be null, empty or blank here."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        upper = {name.upper(): value for name, value in ours.items()}
        for name in (theirs.keys() | upper.keys()) - GENERATED:
            yield from _differences(upper.get(name), theirs.get(name), f"{path}/{name}")
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, (one, two) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(one, two, f"{path}/{index}")
    elif isinstance(theirs, int | Decimal) and isinstance(ours, int | float | str):
        if Decimal(str(ours)) != theirs:
            yield f"{path}: {ours!r} is not {theirs!r}"
    elif theirs is None:
        if ours not in (None, "", {}):
            yield f"{path}: {ours!r} is not absent"
    elif ours != theirs:
        yield f"{path}: {ours!r} is not {theirs!r}"


def _all_differences(records: list[Record | Bad], expected: list[dict[str, Any]]) -> list[str]:
    values = [record.value if isinstance(record, Record) else None for record in records]
    pairs = zip(values, expected, strict=False)
    return [f"{n}{text}" for n, pair in enumerate(pairs) for text in _differences(*pair)]


def test_a_table_with_a_count(corpus: Path) -> None:
    records = _decoded(corpus, "test1_copybook.cob", "test1_data/example.bin", options={"control_characters": "space"})
    assert len(records) == 10
    assert _all_differences(records, _expected(corpus, "test1")) == []


def test_binary_amounts(corpus: Path) -> None:
    records = _decoded(corpus, "test3_copybook.cob", "test3_data/TRAN2.AUG31.DATA.dat")
    assert len(records) == 1000
    assert _all_differences(records, _expected(corpus, "test3")) == []


def test_segments_behind_record_descriptor_words(corpus: Path) -> None:
    options = {"control_characters": "drop", "string_trimming_policy": "both"}
    records = _decoded(
        corpus,
        "test4_copybook.cob",
        "test4_data/COMP.DETAILS.SEP30.DATA.dat",
        code_page="latin-1",
        record_format="V",
        options=options,
    )
    assert len(records) == 1000
    # TAXPAYER-STR redefines a binary number: Cobrix reads its bytes as ASCII and writes U+FFFD.
    found = _all_differences(records, _expected(corpus, "test4"))
    assert all("\ufffd" in text or "\\udc" in ascii(text) for text in found), found[:5]
    assert all("TAXPAYER_STR" in text or "CONTACT_PERSON" in text for text in found)


def test_every_kind_of_number(corpus: Path) -> None:
    records = _decoded(
        corpus,
        "test6_copybook.cob",
        "test6_data/INTEGR.TYPES.NOV28.DATA.dat",
        options={"floating_point_format": "IEEE754"},
    )
    assert len(records) == 100
    assert len(records[0].value) == 195  # type: ignore[union-attr]
    assert _all_differences(records, _expected(corpus, "test6")) == []


def test_display_numbers_and_blanks(corpus: Path) -> None:
    records = _decoded(corpus, "test19_display_num.cob", "test19_display_num/data.dat")
    expected = _expected(corpus, "test19_display_num", "test19")
    assert _all_differences(records[:5], expected[:5]) == []
    # All spaces are no number: Cobrix says null for an integer and 0.00 for a decimal, we say null for both.
    assert _all_differences(records[5:6], expected[5:6]) == ["0/WS_AMOUNT_FRACTION: None is not Decimal('0.00')"]
    # Letters in a number: Cobrix says null, we say that the record can't be decoded.
    assert records[6] == Bad(480, 560, "WS-DATE-NUM isn't a number")
