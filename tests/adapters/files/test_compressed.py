"""Compressed files: every packing, cut off, damaged, and bombs; and as a dataset."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from adapters.contract import Context
from adapters.errors import BadReply
from adapters.files import compressed
from adapters.files.adapter import FilesAdapter
from adapters.files.formats import Bad, Record
from adapters.files.undecodable import Undecodable

Build = Callable[..., FilesAdapter]
Values = Callable[..., list[dict[str, Any]]]
Scanned = Callable[..., list[Record | Bad]]

DATA = b"id,v\n" + b"".join(b"%d,x\n" % number for number in range(1000))


def _zip(data: bytes, *more: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        archive.writestr("folder/data.csv", data)
        for name in more:
            archive.writestr(name, "")
    return out.getvalue()


PACKED = {
    "gzip": gzip.compress(DATA[:3000]) + gzip.compress(DATA[3000:]),
    "bz2": bz2.compress(DATA),
    "xz": lzma.compress(DATA[:3000]) + lzma.compress(DATA[3000:]) + bytes(8),
    "zip": _zip(DATA),
    "zstd": pa.Codec("zstd").compress(DATA, asbytes=True),
}


@pytest.mark.parametrize("packing", PACKED)
def test_every_packing(values: Values, packing: str) -> None:
    found = values("csv", PACKED[packing], compression=packing)
    assert len(found) == 1000
    assert found[999] == {"id": "999", "v": "x"}


@pytest.mark.parametrize("packing", PACKED)
def test_cut_off_or_something_else(scanned: Scanned, packing: str) -> None:
    for data in (PACKED[packing][:-20], PACKED[packing][: len(PACKED[packing]) // 2], b"id,v\n1,x\n" * 10):
        with pytest.raises(Undecodable, match=f"isn't {packing}|cut off"):
            scanned("csv", data, compression=packing)


def test_what_is_copied_anyway_can_be_packed(values: Values) -> None:
    data = gzip.compress(b"<a><r id='1'/></a>")
    options = {"record": "/a/r", "columns": {"id": {"from": "@id"}}}
    assert values("xml", data, compression="gzip", options=options) == [{"id": "1"}]


def test_archives_hold_one_file(scanned: Scanned) -> None:
    with pytest.raises(Undecodable, match="holds 2 files"):
        scanned("csv", _zip(DATA, "b.csv"), compression="zip")


def test_bombs(scanned: Scanned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "_FREE", 1 << 20)
    bomb = bytes(64 << 20)
    for packing, data in (("gzip", gzip.compress(bomb)), ("bz2", bz2.compress(bomb)), ("xz", lzma.compress(bomb))):
        with pytest.raises(Undecodable, match="times its size"):
            scanned("csv", data, compression=packing)


def test_a_dictionary_larger_than_memory(scanned: Scanned) -> None:
    packed = lzma.compress(DATA[:1000], filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}])
    # The dictionary's size is a byte of the block header, whose sum follows (xz format 1.2.0, 3.1 and 5.3.1).
    header = bytearray(packed[12:24])
    header[header.index(b"\x21\x01") + 2] = 40
    header[-4:] = struct.pack("<I", zlib.crc32(header[:-4]))
    with pytest.raises(Undecodable, match="isn't xz"):
        scanned("csv", packed[:12] + bytes(header) + packed[24:], compression="xz")


async def test_a_dataset_of_packed_files(build: Build, context: Callable[..., Context], drop_folder: Path) -> None:
    (drop_folder / "a.csv.gz").write_bytes(gzip.compress(b"id,n\nx,1\ny,no\n"))
    (drop_folder / "b.csv.gz").write_bytes(gzip.compress(b"id,n\nz,3\n"))
    columns = {"id": "text", "n": "integer"}
    adapter = build(
        {
            "d": {
                "match": "*.csv.gz",
                "format": "csv",
                "compression": "gzip",
                "key": "id",
                "options": {"columns": columns},
            }
        }
    )
    await adapter.open()
    found = await adapter.invoke("d.get", {"id": "z"}, context())
    assert found.value == {"id": "z", "n": 3}
    assert found.sources[0].object == "b.csv.gz"
    assert found.sources[0].span is None  # the bytes are those of the copy
    page = await adapter.invoke("d.list", {"limit": 10, "where": [["n", "ge", 1]]}, context())
    assert [item["id"] for item in page.value["items"]] == ["x", "z"]
    with pytest.raises(BadReply, match="n isn't an integer"):
        await adapter.invoke("d.get", {"id": "y"}, context())


async def test_a_dataset_of_edi(build: Build, context: Callable[..., Context], drop_folder: Path) -> None:
    message = "UNH+1+ORDERS:D:96A:UN'BGM+220+7'UNT+{}+1'"
    text = "UNB+UNOC:3+A+B+240102:1000+{}'" + message + "UNZ+1+{}'"
    (drop_folder / "a.edi").write_text(text.format("R1", 3, "R1") + text.format("R2", 9, "R2"))
    adapter = build({"d": {"match": "*.edi", "format": "edifact", "key": "id"}})
    await adapter.open()
    found = await adapter.invoke("d.get", {"id": "R1-1"}, context())
    assert found.value["segments"][1] == {"tag": "BGM", "elements": ["220", "7"]}
    with pytest.raises(BadReply, match=r"the message of segment 2\): UNT doesn't count 3"):
        await adapter.invoke("d.get", {"id": "R2-1"}, context())
    noted = [json.loads(line) for line in (drop_folder.parent / "cache" / "quarantine.jsonl").read_text().splitlines()]
    assert [each["place"] for each in noted] == ["the message of segment 2"]
