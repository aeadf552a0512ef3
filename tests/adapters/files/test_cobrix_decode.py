"""`figway decode` on the sets that Cobrix publishes: with Cobrix's own options every field is what Cobrix expects.

A number of places is a decimal string here, and what Cobrix leaves out is null; nothing else may differ.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.files.decode import Wanted, decoding

SETS = {
    "test1": ("test1_copybook.cob", "test1_data/example.bin", {}),
    "test3": ("test3_copybook.cob", "test3_data/TRAN2.AUG31.DATA.dat", {}),
    "test4": (
        "test4_copybook.cob",
        "test4_data/COMP.DETAILS.SEP30.DATA.dat",
        {
            "encoding": "ascii",
            "is_record_sequence": "true",
            "generate_record_id": "true",
            "segment_field": "SEGMENT_ID",
            "segment_id_level0": "C",
            "segment_id_level1": "P",
            "segment_id_prefix": "A",
        },
    ),
    "test6": ("test6_copybook.cob", "test6_data/INTEGR.TYPES.NOV28.DATA.dat", {"floating_point_format": "IEEE754"}),
    "test19_display_num": (
        "test19_display_num.cob",
        "test19_display_num/data.dat",
        {"improved_null_detection": "false", "generate_record_id": "true"},
    ),
}
LATER = {"Record_Byte_Length"}
"""A column that Cobrix has generated only since some of its sets were made."""


@pytest.fixture(scope="module")
def corpus() -> Path:
    folder = os.environ.get("FIGWAY_CORPUS")
    if not folder or not (Path(folder) / "cobrix").is_dir():
        pytest.skip("FIGWAY_CORPUS doesn't name a folder that holds Cobrix's published test sets")
    return Path(folder) / "cobrix"


def _differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted((ours.keys() | theirs.keys()) - LATER):
            yield from _differences(ours.get(name), theirs.get(name), f"{path}/{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, two) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(one, two, f"{path}/{number}")
    elif isinstance(theirs, int | Decimal) and not isinstance(theirs, bool):
        if ours is None or Decimal(str(ours)) != theirs:
            yield f"{path}: {ours!r} is not {theirs!r}"
    elif ours != theirs and not (theirs in (None, "") and ours in (None, "")):
        yield f"{path}: {ours!r} is not {theirs!r}"


@pytest.mark.parametrize("name", list(SETS))
def test_every_field_is_what_cobrix_expects(corpus: Path, name: str) -> None:
    copybook, data, options = SETS[name]
    lines = (corpus / f"{name}_expected" / f"{name.split('_')[0]}.txt").read_text(encoding="utf-8").splitlines()
    expected = [json.loads(line, parse_float=Decimal) for line in lines if line]
    target = BytesIO()
    summary = decoding(Wanted(corpus / data, corpus / copybook, list(options.items()), "json")).run(
        target, lambda position: None
    )
    found = [orjson.loads(line) for line in target.getvalue().splitlines()]
    assert summary.undecodable == 0
    assert len(found) >= len(expected) > 0
    told = [f"{number}{text}" for number, pair in enumerate(zip(found, expected, strict=False))
            for text in _differences(*pair)]  # fmt: skip
    assert told == []
