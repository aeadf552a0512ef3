"""CSV of any dialect and any types: written, told by looking, and read back equal."""

from __future__ import annotations

import csv
import datetime
import io
import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files.sniff.delimited import delimited
from adapters.files.sniff.found import CantTell
from adapters.files.sniff.names import json_name, json_names
from adapters.files.sniff.sample import compiled, sample
from adapters.files.sniff.sniff import sniffed
from adapters.files.sniff.types import guesses


def read(found, data: bytes):
    """All records of a file by the dataset that was told."""
    return sample(compiled(found.dataset), io.BytesIO(data), len(data)).values


WORDS = ("alpha", "Beta gamma", "x-1", "Ørsted", "naïve", "a;b", 'say "so"', "two, three", "ends.", "it's", "", "007")
DAY = datetime.date(2021, 3, 4)


def _column(kind: str, rng: random.Random, rows: int) -> tuple[list[str], list[object], str]:
    """A column's texts, its values in JSON, and its type."""
    numbers = [rng.randint(-(10**9), 10**9) for _ in range(rows)]
    days = [DAY + datetime.timedelta(days=rng.randint(0, 9000)) for _ in range(rows - 1)] + [datetime.date(2021, 3, 25)]
    cents = [
        f"{each // 100}.{abs(each) % 100:02}" if each >= 0 else f"-{-each // 100}.{-each % 100:02}" for each in numbers
    ]
    if kind == "integer":
        return [str(each) for each in numbers], list(numbers), "integer"
    if kind == "decimal":
        return cents, list(cents), "decimal"
    if kind == "comma":
        return [each.replace(".", ",") for each in cents], list(cents), "decimal"
    if kind == "grouped":
        texts = [f"{Decimal(each):,}" for each in cents]
        return texts, list(cents), "decimal"
    if kind == "iso":
        return [each.isoformat() for each in days], [each.isoformat() for each in days], "date"
    if kind == "german":
        return [each.strftime("%d.%m.%Y") for each in days], [each.isoformat() for each in days], "date"
    if kind == "american":
        return [each.strftime("%m/%d/%Y") for each in days], [each.isoformat() for each in days], "date"
    if kind == "instant":
        return [f"{each}T10:20:30Z" for each in days], [f"{each}T10:20:30Z" for each in days], "instant"
    if kind == "truth":
        told = [bool(rng.getrandbits(1)) for _ in range(rows - 2)] + [True, False]
        return ["yes" if each else "no" for each in told], list(told), "boolean"
    if kind == "code":
        texts = [f"{each % 100000:05}" for each in range(rows)]
        return texts, list(texts), "text"
    texts = [rng.choice(WORDS) for _ in range(rows - 1)] + ["alpha"]
    return texts, list(texts), "text"


KINDS = ("integer", "decimal", "iso", "german", "american", "instant", "truth", "code", "text")


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n"]),
    kinds=st.lists(st.sampled_from([*KINDS, "comma", "grouped"]), min_size=1, max_size=9),
    preamble=st.sampled_from(["", "Report of the day\n\n"]),
)
def test_what_was_written_is_told_and_read_equal(seed, delimiter, encoding, end, kinds, preamble):
    rng = random.Random(seed)
    # One file has one way to write fractions, as its people do.
    kinds = ["integer", *(("decimal" if each in ("comma", "grouped") and delimiter != ";" else each) for each in kinds)]
    kinds = ["comma" if each in ("decimal", "grouped") and delimiter == ";" else each for each in kinds]
    rows = rng.randint(12, 60)
    columns = [_column(kind, rng, rows) for kind in kinds]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow([f"Column {chr(65 + at)}" for at in range(len(kinds))])
    writer.writerows(zip(*(texts for texts, _, _ in columns), strict=True))
    data = (preamble + out.getvalue()).encode(encoding)
    found = delimited(io.BytesIO(data), "t")
    types = [each.options["type"] for each in found.columns]
    assert types == [kind for _, _, kind in columns], (found.dataset, found.said)
    values = read(found, data)
    for at, (_, wanted, _) in enumerate(columns):
        assert [value[found.columns[at].name] for value in values] == wanted
    assert found.bad == 0
    assert found.whole


@settings(deadline=None, max_examples=80)
@given(st.binary(max_size=3000) | st.text(max_size=1000).map(str.encode))
def test_no_bytes_break_it(data):
    for name in ("a.csv", "a.txt", "a.jsonl", "a.dbf", "a.xlsx", "a.parquet", "a"):
        try:
            parts = list(sniffed(io.BytesIO(data), name))
        except CantTell:
            continue
        for _, found in parts:
            if not isinstance(found, CantTell):
                assert found.records == len(read(found, data))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.text(max_size=12), min_size=20, max_size=20), min_size=1, max_size=4))
def test_a_guess_loses_nothing_of_any_text(columns):
    for texts, guess in zip(columns, guesses(columns), strict=True):
        if guess.options["type"] == "integer" and "grouping" not in guess.options:
            nulls = guess.options.get("nulls", ())
            assert all(text.strip() == str(int(text)) for text in texts if text.strip() and text.strip() not in nulls)


def test_what_means_two_things_stays_text_until_another_column_tells():
    alone, told = [["1,234", "5,678"]], [["1,234", "5,678"], ["1,5", "2,25"]]
    assert (guesses(alone)[0].options["type"], guesses(alone)[0].doubtful) == ("text", True)
    assert guesses(told)[0].options == {"type": "decimal", "decimal_point": ","}
    assert guesses(alone, ".")[0].options == {"type": "integer", "grouping": ","}
    days = ["01/02/2024", "03/04/2024"]
    assert guesses([days])[0].doubtful
    assert guesses([days, ["12/25/2024"]])[0].options["format"] == "%m/%d/%Y"


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        (["1", "N/A", "3"], {"type": "integer", "nulls": ["N/A"]}),
        (["0123", "4567"], {"type": "text"}),
        (["+4712", "4713"], {"type": "text"}),
        (["1e5", "2"], {"type": "text"}),
        (["12345678901234567890"], {"type": "decimal"}),
        (["N", "S", "N"], {"type": "text"}),
        (["Y", "N"], {"type": "boolean", "truths": ["Y", "N"]}),
        (["1'234.50", "2"], {"type": "decimal", "grouping": "'"}),
        (["20240229", "20231231"], {"type": "date", "format": "%Y%m%d"}),
        (["20240230", "20231231"], {"type": "integer"}),
        (["10:30", "9:05"], {"type": "time", "format": "%H:%M"}),
        (["2024-01-05 10:30", "2024-01-06 11:00"], {"type": "datetime", "format": "%Y-%m-%d %H:%M"}),
        (["-1", "-"], {"type": "integer", "nulls": ["-"]}),
    ],
    ids=lambda each: "-".join(map(str, each))[:30] if isinstance(each, list) else None,
)
def test_only_what_reads_back_is_a_type(texts, options):
    assert dict(guesses([texts])[0].options) == options


def test_a_single_typing_error_among_many_is_told_by_its_place():
    texts = [str(number) for number in range(300)]
    texts[41] = "l7"
    guess = guesses([texts])[0]
    assert guess.options == {"type": "text"}
    assert guess.doubtful
    assert "299 of 300 look like integer, but not those of record 42" in guess.sentence


def test_headers_that_stand_twice_or_are_empty_are_told_by_their_places():
    data = b"id,Price,Price,,SELECT *; DROP TABLE x;--\n1,2,3,4,5\n2,3,4,5,6\n"
    found = delimited(io.BytesIO(data), "t")
    assert [each.name for each in found.columns] == ["id", "price", "price_2", "column_4", "select_drop_table_x"]
    assert read(found, data)[1] == {"id": 2, "price": 3, "price_2": 4, "column_4": 5, "select_drop_table_x": 6}
    assert {each.of for each in found.said if each.doubtful} >= {"price", "price_2", "column_4"}


def test_a_file_without_a_header_and_one_with_comments():
    found = delimited(io.BytesIO(b"1|x|2024-01-01\n2|y|2024-01-02\n"), "t")
    assert found.dataset["options"]["header"] is False
    assert [each.name for each in found.columns] == ["column_1", "column_2", "column_3"]
    data = b"# made by hand\n# twice\nid;n\n1;2\n# within\n2;3\n"
    found = delimited(io.BytesIO(data), "t")
    assert read(found, data) == [{"id": 1, "n": 2}, {"id": 2, "n": 3}]


def test_quotes_of_other_sorts():
    for data in (
        b"a;b\n'x;y';1\n'z';2\n",
        b'a;b\n"x\\"y";1\n"z";2\n',
        b'a, "b"\n1, "x, y"\n2, "z"\n',
        b'a;b\n5" nail;1\n"odd;2\n',
    ):
        found = delimited(io.BytesIO(data), "t")
        assert len(found.columns) == 2, data
        assert found.bad == 0, data


def test_a_later_record_that_lacks_fields():
    data = b"a,b,c\n1,2,3\n2,3\n4,5,6\n"
    found = delimited(io.BytesIO(data), "t")
    assert found.dataset["options"]["ragged"] is True
    assert read(found, data)[1] == {"a": 2, "b": 3, "c": None}


def test_keys_are_measured():
    lines = ["code;name;id"] + [f"C{number % 50};n{number};{number}" for number in range(100)]
    found = delimited(io.BytesIO("\n".join(lines).encode()), "t")
    assert [key.name for key in found.keys] == ["id", "name"]
    assert found.keys[0].sorted
    assert not found.keys[1].sorted
    none = delimited(io.BytesIO(b"a;b\n1;2\n1;2\n"), "t")
    assert none.key is None


def test_two_hundred_columns():
    header = ",".join(f"Field {number}" for number in range(200))
    lines = [header, *(",".join(str(row * 200 + number) for number in range(200)) for row in range(100))]
    found = delimited(io.BytesIO("\n".join(lines).encode()), "t")
    assert len(found.columns) == 200
    assert {each.options["type"] for each in found.columns} == {"integer"}


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\x00\x01\x02" * 50], ids=["empty", "blank", "binary"])
def test_what_is_no_table_is_refused_with_a_sentence(data):
    with pytest.raises(CantTell):
        delimited(io.BytesIO(data), "t")


@given(st.lists(st.text(max_size=80), max_size=30))
def test_names_fit_and_differ(headers):
    names = json_names(headers)
    assert len(set(names)) == len(names) == len(headers)
    assert all(name.isascii() and name.isidentifier() and name == name.lower() and len(name) <= 64 for name in names)


def test_names_are_what_people_would_choose():
    assert [json_name(each, "x") for each in ("Unit Price (€)", "gültig ab", "SKU", "customerId", "2024", "日本")] == [
        "unit_price", "gultig_ab", "sku", "customer_id", "column_2024", "x",
    ]  # fmt: skip
