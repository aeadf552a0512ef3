"""Damaged files of every format: each ends in records and sentences, never in another exception.

`FIGWAY_FUZZ_SEED` repeats a run; a failure's message has its seed.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dbf
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.files.formats import Bad, Record
from adapters.files.undecodable import Undecodable

Scanned = Callable[..., list[Record | Bad]]

SEED = int(os.environ.get("FIGWAY_FUZZ_SEED", random.SystemRandom().randrange(1 << 32)))
_IDS = {"id": "text"}
_CSV = b'id,n,at\n1,"a ""b""\nc",x\n2;,\'y\',\r\n\xc3\xa9,3,"z"\n' * 3
_X12 = (
    b"ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *240102*1253*^*00501*000000905*0*P*>~"
    b"GS*PO*A*B*20240102*1253*1*X*005010~ST*850*0001~REF*DP*038>A>B^C~SE*3*0001~ST*850*0002~SE*2*0002~GE*2*1~"
    b"IEA*1*000000905~"
)
_EDIFACT = (
    b"UNA:+.? 'UNB+UNOC:3+A+B+240102:1000+R'UNG+ORDERS+A+B+240102:1000+G+UN+D:96A'UNH+1+ORDERS:D:96A:UN'"
    b"FTX+AAI+++a?'b?+c??'UNT+3+1'UNE+1+G'UNZ+1+R'"
)
_JSON = b'{"a": [{"id": "1", "x": [1.5, {"y": "\\u00e9]"}]}, {"id": "2"}], "b": "\\\\"}'
_XML = b'<a xmlns:p="urn:p"><r id="1"><t>x &amp; y</t><p:l q="1"><![CDATA[z]]></p:l></r><!-- c --><r id="2"/></a>'
_XML_OPTIONS = {"record": "/a/r", "columns": {"id": {"from": "@id"}, "t": "text"}}
_MARKS = b"\"'\\\n\r,;*~:+?<>&[]{}\x00\xff"


def _excel() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (["id", "n"], ["a", 1.5], ["b", None]):
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", _CSV)
    return out.getvalue()


def _parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"id": ["a", "b"] * 50, "n": list(range(100))}), out)
    return out.getvalue()


def _dbf(folder: Path) -> bytes:
    table = dbf.Table(str(folder / "t.dbf"), "id C(4); n N(5,1); d D; yes L")
    table.open(mode=dbf.READ_WRITE)
    for number in range(3):
        table.append((str(number), number, None, None))
    table.close()
    return (folder / "t.dbf").read_bytes()


def _samples(folder: Path) -> dict[str, tuple[str, bytes, dict[str, Any]]]:
    fixed = {"columns": {"id": {"at": 1, "width": 2}, "n": {"type": "integer", "at": 3, "width": 3}}, "ragged": True}
    dbf_columns = {"id": {"from": "ID"}, "n": {"from": "N", "type": "decimal"}, "d": {"from": "D", "type": "date"}}
    return {
        "csv": ("csv", _CSV, {"options": {"ragged": True, "comment": "#"}}),
        "utf-16": ("csv", _CSV.decode().encode("utf-16"), {"code_page": "utf-16"}),
        "fixed": ("fixed", b"a 12\nb  3\nc\n", {"options": fixed}),
        "json": ("json", _JSON, {"options": {"pointer": "/a", "columns": {**_IDS, "x": "json"}}}),
        "lines": ("json_lines", _JSON + b"\n" + _JSON, {"options": {"columns": {**_IDS, "b": "json"}}}),
        "xml": ("xml", _XML, {"options": _XML_OPTIONS}),
        "x12": ("x12", _X12, {}),
        "edifact": ("edifact", _EDIFACT, {}),
        "dbf": ("dbf", _dbf(folder), {"options": {"columns": dbf_columns}}),
        "excel": ("excel", _excel(), {}),
        "parquet": ("parquet", _parquet(), {"options": {"columns": {**_IDS, "n": "integer"}}}),
        "gzip": ("csv", gzip.compress(_CSV), {"compression": "gzip"}),
        "bz2": ("csv", bz2.compress(_CSV), {"compression": "bz2"}),
        "xz": ("csv", lzma.compress(_CSV), {"compression": "xz"}),
        "zip": ("csv", _zip(), {"compression": "zip"}),
        "zstd": ("csv", pa.Codec("zstd").compress(_CSV, asbytes=True), {"compression": "zstd"}),
    }


def _damaged(data: bytes, chance: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) + 1)
        end = min(len(found), at + chance.randint(0, 6))
        new = bytes(
            chance.choice(_MARKS) if chance.random() < 0.6 else chance.randrange(256)
            for _ in range(chance.randint(0, 4))
        )
        found[at:end] = new if chance.random() < 0.8 else found[at:end] * 3
    return bytes(found)


def _tried(scanned: Scanned, name: str, folder: Path, rounds: int) -> int:
    format, data, config = _samples(folder)[name]
    told = 0
    for number in range(rounds):
        damaged = _damaged(data, random.Random(f"{SEED} {name} {number}"))
        try:
            found = scanned(format, damaged, **config)
        except Undecodable:
            told += 1
            continue
        except Exception as error:
            error.add_note(f"FIGWAY_FUZZ_SEED={SEED}, {name} {number}")
            raise
        told += any(isinstance(each, Bad) for each in found)
    return told


NAMES = (
    "csv", "utf-16", "fixed", "json", "lines", "xml", "x12", "edifact", "dbf", "excel", "parquet",
    "gzip", "bz2", "xz", "zstd", "zip",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_damage(scanned: Scanned, tmp_path: Path, name: str) -> None:
    assert _tried(scanned, name, tmp_path, 60) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_damage_at_length(scanned: Scanned, tmp_path: Path, name: str) -> None:
    """Some ten minutes on one core, most of them for CSV and EDI."""
    rounds = {"csv": 100_000, "x12": 100_000, "edifact": 100_000}.get(name, 5_000)
    told = _tried(scanned, name, tmp_path, rounds)
    print(f"{name}: {told} of {rounds} damaged files were told, seed {SEED}")
    assert told > 0
