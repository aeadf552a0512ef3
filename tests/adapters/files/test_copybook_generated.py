"""Generated copybooks against GnuCOBOL: what it writes decodes to what it prints, and it reads what we encode."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from adapters.files.compile import compile_format
from adapters.files.config import Dataset
from adapters.files.formats import Format

Compile = Callable[..., Path]
SEED = int(os.environ.get("FIGWAY_SEED", "20261121"))
FLAGS = ("-fbinary-size=2-4-8",)
OPTIONS = {
    "source_format": "free",
    "comp5_endian": "little",
    "synchronized": "gnucobol",
    "floating_point_format": "IEEE754_little_endian",
}


@dataclass
class Item:
    """A data item: an elementary one with its clause and values, or a group with members."""

    clause: str = ""
    values: list[Any] = field(default_factory=list)
    occurs: int = 0
    members: list[Item] = field(default_factory=list)
    name: str = ""
    redefined: int = 0
    """Characters of another item that redefines this one."""


def _number(digits: int, places: int, *, signed: bool) -> st.SearchStrategy[str]:
    top = 10 ** (digits + places) - 1
    whole = st.integers(-top if signed else 0, top)
    return whole.map(lambda value: f"{Decimal(value).scaleb(-places):f}")


@st.composite
def elementary(draw: st.DrawFn) -> Item:
    """A text or a number of any usage, with the values of all its occurrences."""
    occurs = draw(st.sampled_from([0, 0, 0, 2, 3]))
    count = 12
    if draw(st.booleans()):
        size = draw(st.integers(1, 12))
        word = st.text("ABCXYZ789", min_size=1, max_size=size)
        right = draw(st.sampled_from(["", "", " JUSTIFIED"]))
        redefined = draw(st.integers(1, size)) if not (occurs or right) and draw(st.booleans()) else 0
        return Item(f"PIC X({size}){right}", [draw(word) for _ in range(count)], occurs, redefined=redefined)
    signed, digits, places = draw(st.booleans()), draw(st.integers(1, 10)), draw(st.integers(0, 6))
    usage = draw(
        st.sampled_from(["", "COMP", "COMP SYNC", "COMP-3", "COMP-5", "COMP-6", "SIGN LEADING", "TRAILING SEPARATE"])
    )
    if usage == "COMP-5":  # displayed without its point, and two digits in one byte
        digits, places = max(digits, 3), 0
    if usage == "COMP-6":
        signed = False
    if "SIGN" in usage or "SEPARATE" in usage:
        signed = True
    picture = f"PIC {'S' if signed else ''}9({digits}){f'V9({places})' if places else ''} {usage}"
    value = _number(digits, places, signed=signed)
    return Item(picture, [draw(value) for _ in range(count)], occurs)


def groups(inner: st.SearchStrategy[Item]) -> st.SearchStrategy[Item]:
    """Groups, some of them tables."""
    members = st.lists(inner, min_size=1, max_size=4)
    return st.builds(
        lambda members, occurs: Item(members=members, occurs=occurs), members, st.sampled_from([0, 0, 2, 3])
    )


def _shallow(item: Item) -> bool:
    """COBOL's tables nest seven deep; three are enough, so that each occurrence has a value."""

    def depth(item: Item) -> int:
        return bool(item.occurs) + max((depth(member) for member in item.members), default=0)

    return depth(item) <= 2


ITEMS = st.recursive(elementary(), groups, max_leaves=6).filter(_shallow)
COPYBOOKS = st.lists(ITEMS, min_size=1, max_size=5)


def _named(items: list[Item], prefix: str, number: list[int], *, table: bool = False) -> None:
    """Names everything. Slack bytes inside of tables are looked at elsewhere: GnuCOBOL has no one rule for them."""
    for item in items:
        number[0] += 1
        item.name = f"{prefix}-{number[0]}"
        if table:
            item.clause = item.clause.replace(" SYNC", "")
        _named(item.members, prefix, number, table=table or item.occurs > 0)


def _source(items: list[Item], level: int) -> Iterator[str]:
    for item in items:
        occurs = f" OCCURS {item.occurs} TIMES" if item.occurs else ""
        clause = f" {item.clause}" if item.clause else ""
        yield f"{level:02} {item.name}{clause}{occurs}."
        yield from _source(item.members, level + 5)
        if item.redefined:
            yield f"{level:02} {item.name}-R REDEFINES {item.name} PIC X({item.redefined})."


def _cells(items: list[Item], indexes: tuple[int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(reference, value) of every occurrence of every elementary item."""
    for item in items:
        for place in range(1, (item.occurs or 1) + 1):
            inner = (*indexes, place) if item.occurs else indexes
            if item.members:
                yield from _cells(item.members, inner)
                continue
            subscripts = f" ({', '.join(map(str, inner))})" if inner else ""
            reference = item.name + subscripts
            value = item.values[sum(inner) % len(item.values)]
            yield reference, value
            if item.redefined:
                yield f"{item.name}-R{subscripts}", value[: item.redefined]


def _value(items: list[Item], indexes: tuple[int, ...] = (), *, redefined: bool) -> dict[str, Any]:
    """What the record is, as JSON."""
    found: dict[str, Any] = {}
    for item in items:
        name = item.name.lower().replace("-", "_")
        places = [(*indexes, place) for place in range(1, item.occurs + 1)] if item.occurs else [indexes]
        each = [
            _value(item.members, place, redefined=redefined)
            if item.members
            else item.values[sum(place) % len(item.values)]
            for place in places
        ]
        found[name] = each if item.occurs else each[0]
        if item.redefined and redefined:
            found[f"{name}_r"] = each[0][: item.redefined]
    return found


def _program(copybooks: list[list[Item]]) -> str:
    """One program for all copybooks: it writes a record of each and prints it, then reads ours and prints them."""
    selects, files, statements = [], [], []
    for number, items in enumerate(copybooks):
        shows = [f"display {reference}" for reference, _ in _cells(items)]
        moves = []
        for reference, value in _cells(items):
            literal = value if _is_number(value) and "PIC X" not in _clause(items, reference) else f'"{value}"'
            if not reference.partition(" ")[0].endswith("-R"):
                moves.append(f"move {literal} to {reference}")
        selects.append(f'select F{number} assign to "F{number}" organization sequential.')
        selects.append(f'select G{number} assign to "G{number}" organization sequential.')
        files += [
            f"fd F{number}.",
            f"01 REC-{number}.",
            *_source(items, 5),
            f"fd G{number}.",
            f"01 RAW-{number} PIC X({_size(items)}).",
        ]
        statements += [
            f"open output F{number}",
            f"initialize REC-{number}",
            *moves,
            *shows,
            f"write REC-{number}",
            f"close F{number}",
        ]
        # What is read of ours is seen through the same copybook.
        statements += [f"open input G{number}", f"read G{number}"]
        statements += [
            f"move RAW-{number} to SAVED-{number}",
            *[show.replace(f"R{number}-", f"S{number}-") for show in shows],
        ]
        statements += [f"close G{number}"]
    saved = []
    for number, items in enumerate(copybooks):
        saved += [f"01 SAVED-{number}.", *(line.replace(f"R{number}-", f"S{number}-") for line in _source(items, 5))]
    lines = ["identification division.", "program-id. generated.", "environment division.", "input-output section.",
             "file-control.", *selects, "data division.", "file section.", *files, "working-storage section.", *saved,
             "procedure division.", *statements, "stop run."]  # fmt: skip
    return "       >>SOURCE FORMAT IS FREE\n" + "\n".join(lines) + "\n"


def _clause(items: list[Item], reference: str) -> str:
    name = reference.partition(" ")[0]
    for item in items:
        if item.name == name:
            return item.clause
        found = _clause(item.members, reference)
        if found:
            return found
    return ""


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit()


def _format(items: list[Item]) -> Format:
    source = "\n".join(["01 REC.", *_source(items, 5)])
    dataset = Dataset(match="*", format="copybook", copybook="c", key="x", code_page="ascii", options=OPTIONS)
    return compile_format(dataset, None, {"c": source.encode()}, "")


def _size(items: list[Item]) -> int:
    return int(_format(items).layout.size)  # type: ignore[attr-defined]


def _same(shown: str, value: Any, clause: str) -> bool:
    if "PIC X" in clause or not clause:
        return shown.strip() == str(value)
    text = shown.strip()
    return Decimal(text[-1] + text[:-1] if text[-1] in "+-" else text) == Decimal(value)


def _agree(one: Any, two: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(_agree(one[name], two[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(_agree(*pair) for pair in zip(one, two, strict=True))
    if isinstance(two, str) and not _is_number(two):
        return bool(one == two)
    return bool(Decimal(str(one)) == Decimal(str(two)))


def _check(compile_cobol: Compile, folder: Path, copybooks: list[list[Item]]) -> None:
    for number, items in enumerate(copybooks):
        _named(items, f"R{number}", [0])
        data, faults = _format(items).encode(_value(items, redefined=False))
        assert faults == []
        (folder / f"G{number}").write_bytes(data)
    program = compile_cobol(_program(copybooks), *FLAGS)
    places = {
        f"DD_{kind}{number}": str(folder / f"{kind}{number}") for kind in "FG" for number in range(len(copybooks))
    }
    done = subprocess.run([str(program)], cwd=folder, capture_output=True, timeout=60, env=places)
    assert done.returncode == 0, done.stderr
    shown = iter(done.stdout.decode("latin-1").split("\n"))
    for number, items in enumerate(copybooks):
        cells = list(_cells(items))
        source = "\n".join(_source(items, 5))
        for what in ("written", "read back"):
            for reference, value in cells:
                line = next(shown)
                if not _same(line, value, _clause(items, reference)):
                    print(source)
                    print((folder / f"F{number}").read_bytes(), (folder / f"G{number}").read_bytes(), sep="\n")
                assert _same(line, value, _clause(items, reference)), (what, reference, line, value, source)
        decoded = _format(items).reader(None, 0).decode((folder / f"F{number}").read_bytes())  # type: ignore[arg-type]
        wanted = _value(items, redefined=True)
        assert _agree(decoded, wanted), (decoded, wanted, source)


def _settings(examples: int) -> settings:
    return settings(
        deadline=None,
        max_examples=examples,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@seed(SEED)
@_settings(3)
@given(st.lists(COPYBOOKS, min_size=4, max_size=6))
def test_generated_copybooks_in_both_directions(
    compile_cobol: Compile, tmp_path: Path, copybooks: list[list[Item]]
) -> None:
    print(f"FIGWAY_SEED={SEED}")
    _check(compile_cobol, tmp_path, copybooks)


@pytest.mark.slow
@seed(SEED)
@_settings(100)
@given(st.lists(COPYBOOKS, min_size=10, max_size=15))
def test_many_generated_copybooks_in_both_directions(
    compile_cobol: Compile, tmp_path: Path, copybooks: list[list[Item]]
) -> None:
    print(f"FIGWAY_SEED={SEED}")
    _check(compile_cobol, tmp_path, copybooks)
