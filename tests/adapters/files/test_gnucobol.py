"""Against a real COBOL: what GnuCOBOL writes decodes to what it displays, and it reads what we encode."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adapters.files.compile import compile_format
from adapters.files.config import Dataset
from adapters.files.decode import decode_file
from adapters.files.formats import Format, Record

Compile = Callable[..., Path]

# GnuCOBOL on this hardware: native COMP-5 and IEEE floats are little-endian.
NATIVE = {"comp5_endian": "little", "floating_point_format": "IEEE754_little_endian"}

# Binary fields of 2, 4 and 8 bytes; GnuCOBOL's own default begins at 1.
IBM_SIZES = "-fbinary-size=2-4-8"

FIELDS = {
    "T": ("PIC X(10)", "Agent 7"),
    "Z": ("PIC 9(5)", 42),
    "ZS": ("PIC S9(5)V99", "-123.45"),
    "ZP": ("PIC S9(5)V99", "123.45"),
    "ZL": ("PIC S9(4) SIGN LEADING", -77),
    "ZLS": ("PIC S9(4) SIGN LEADING SEPARATE", -77),
    "ZTS": ("PIC S9(4) SIGN TRAILING SEPARATE", 77),
    "V": ("PIC V9(4)", "0.0625"),
    "B2": ("PIC S9(4) COMP", -1234),
    "B4": ("PIC 9(7)V99 BINARY", "1234567.89"),
    "B8": ("PIC S9(18) COMP-4", -123456789012345678),
    "N4": ("PIC S9(9) COMP-5", -123456789),
    "P": ("PIC S9(7)V99 COMP-3", "-1234567.89"),
    "PE": ("PIC 9(6) PACKED-DECIMAL", 123456),
    "PZ": ("PIC S9(3) COMP-3", 0),
    "F1": ("COMP-1", 1.5),
    "F2": ("COMP-2", -2.25),
}
EDITED = {
    "E1": ("PIC Z(4)9.99-", "-12.50"),
    "E2": ("PIC $$,$$9.99CR", "-1234.50"),
    "E3": ("PIC +9(4)", 12),
    "E4": ("PIC ***,**9.9", "1234.5"),
    "E5": ("PIC ---,--9", -1234),
    "E6": ("PIC ZZZ", 0),
}


def _copybook(fields: Mapping[str, tuple[str, Any]]) -> str:
    return "01 REC.\n" + "".join(f"  05 {name} {clauses}.\n" for name, (clauses, _) in fields.items())


def _literal(value: Any) -> str:
    return str(value) if not isinstance(value, str) or _is_number(value) else f'"{value}"'


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit() and text.isascii()


def _program(copybook: str, statements: str) -> str:
    return f"""\
       >>SOURCE FORMAT IS FREE
identification division.
program-id. recorder.
environment division.
input-output section.
file-control.
    select data-file assign to "DATA" organization sequential.
data division.
file section.
fd data-file.
{copybook}
procedure division.
{statements}
    close data-file
    stop run.
"""


def _write(fields: Mapping[str, tuple[str, Any]], before_write: str = "") -> str:
    moves = "".join(f"    move {_literal(value)} to {name}\n" for name, (_, value) in fields.items())
    shows = "".join(f"    display {name}\n" for name in fields)
    return f"    open output data-file\n    initialize REC\n{moves}{shows}{before_write}    write REC"


def _run(program: Path, folder: Path) -> list[str]:
    done = subprocess.run(
        [str(program)], cwd=folder, capture_output=True, timeout=30, env={"DD_DATA": str(folder / "data")}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("latin-1").splitlines()


def _format(copybook: str, code_page: str = "ascii", record_format: Any = "F", **options: Any) -> Format:
    dataset = Dataset(
        match="*",
        format="copybook",
        copybook="c",
        key="x",
        code_page=code_page,
        record_format=record_format,
        options={"source_format": "free", **NATIVE, **options},
    )
    return compile_format(dataset, None, {"c": copybook.encode()}, "")


def _record(path: Path, format: Format) -> dict[str, Any]:
    (record,) = decode_file(path, format)
    assert isinstance(record, Record), record
    return record.value


def _number(shown: str) -> Decimal:
    """A displayed number; SIGN TRAILING SEPARATE is displayed as it is stored, behind the digits."""
    text = shown.strip()
    return Decimal(text[-1] + text[:-1] if text[-1] in "+-" else text)


def _agrees(decoded: Any, shown: str) -> bool:
    if isinstance(decoded, str) and not _is_number(decoded):
        return decoded == shown.rstrip()
    return Decimal(str(decoded)) == _number(shown)


@pytest.mark.parametrize(("flags", "smallest"), [((IBM_SIZES,), 2), ((), 1)])
def test_what_cobol_writes_decodes_to_what_it_displays(
    compile_cobol: Compile, tmp_path: Path, flags: tuple[str, ...], smallest: int
) -> None:
    fields = {**FIELDS, "B1": ("PIC 9(2) COMP", 99)}
    copybook = _copybook(fields)
    shown = _run(compile_cobol(_program(copybook, _write(fields)), *flags), tmp_path)
    decoded = _record(tmp_path / "data", _format(copybook, binary_smallest=smallest))
    assert len(shown) == len(decoded) == len(fields)
    for (name, (_, value)), text in zip(fields.items(), shown, strict=True):
        assert _agrees(decoded[name.lower()], text), (name, decoded[name.lower()], text)
        assert decoded[name.lower()] == value


def test_edited_numbers(compile_cobol: Compile, tmp_path: Path) -> None:
    copybook = _copybook(EDITED)
    _run(compile_cobol(_program(copybook, _write(EDITED))), tmp_path)
    assert _record(tmp_path / "data", _format(copybook)) == {name.lower(): value for name, (_, value) in EDITED.items()}


EBCDIC = {name: FIELDS[name] for name in ("T", "Z", "ZS", "ZP", "ZL", "ZLS", "ZTS", "V")}
ASCII_SIDE = bytes(range(0x20, 0x7F))
CONVERTING = f"    inspect SHOWN converting x'{ASCII_SIDE.hex()}' to x'{ASCII_SIDE.decode().encode('cp037').hex()}'\n"


def test_ebcdic_records(compile_cobol: Compile, tmp_path: Path) -> None:
    """The program converts its display fields; packed and binary fields stay as they are."""
    rest = {name: FIELDS[name] for name in ("P", "PE", "B4")}
    shown = "  05 SHOWN.\n" + "".join(f"    10 {name} {clauses}.\n" for name, (clauses, _) in EBCDIC.items())
    copybook = f"01 REC.\n{shown}" + "".join(f"  05 {name} {clauses}.\n" for name, (clauses, _) in rest.items())
    program = _program(copybook, _write(EBCDIC | rest, CONVERTING))
    lines = _run(compile_cobol(program, "-fsign=ebcdic", IBM_SIZES), tmp_path)
    decoded = _record(tmp_path / "data", _format(copybook, "cp037"))
    values = decoded.pop("shown") | decoded
    for (name, (_, value)), text in zip((EBCDIC | rest).items(), lines, strict=True):
        assert values[name.lower()] == value
        assert _agrees(value, text)


def test_cobol_reads_what_we_encode(compile_cobol: Compile, tmp_path: Path) -> None:
    copybook = _copybook(FIELDS)
    statements = "    open input data-file\n    read data-file\n" + "".join(f"    display {name}\n" for name in FIELDS)
    data, faults = _format(copybook).encode({name.lower(): value for name, (_, value) in FIELDS.items()})
    assert faults == []
    (tmp_path / "data").write_bytes(data)
    shown = _run(compile_cobol(_program(copybook, statements), IBM_SIZES), tmp_path)
    for (name, (_, value)), text in zip(FIELDS.items(), shown, strict=True):
        assert _agrees(value, text), (name, value, text)


def test_tables_and_redefinitions(compile_cobol: Compile, tmp_path: Path) -> None:
    copybook = """\
01 REC.
  05 N PIC 9(2).
  05 T OCCURS 1 TO 4 DEPENDING ON N.
    10 A PIC X(2).
    10 B PIC S9(3) COMP-3 OCCURS 2.
"""
    statements = """\
    open output data-file
    move 2 to N
    move "a1" to A(1) move 1 to B(1, 1) move -2 to B(1, 2)
    move "a2" to A(2) move 3 to B(2, 1) move -4 to B(2, 2)
    write REC"""
    _run(compile_cobol(_program(copybook, statements)), tmp_path)
    # A record that varies in length stands behind its length, which doesn't count itself.
    format = _format(copybook, record_format="V", is_rdw_big_endian=True, variable_size_occurs=True)
    assert _record(tmp_path / "data", format) == {"n": 2, "t": [{"a": "a1", "b": [1, -2]}, {"a": "a2", "b": [3, -4]}]}


PICTURES = st.tuples(
    st.booleans(),
    st.integers(1, 12),
    st.integers(0, 6),
    st.sampled_from(["", "COMP", "COMP-3", "COMP-5", "BINARY", "SIGN LEADING SEPARATE", "SIGN LEADING"]),
).filter(lambda drawn: drawn[0] or "SIGN" not in drawn[3])


@settings(
    deadline=None,
    max_examples=6,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(PICTURES, min_size=12, max_size=30), st.data())
def test_generated_copybooks(compile_cobol: Compile, tmp_path: Path, drawn: list[Any], data: st.DataObject) -> None:
    fields: dict[str, tuple[str, Any]] = {}
    for number, (signed, whole, places, usage) in enumerate(drawn):
        if usage == "COMP-5":  # displayed without its point; below 3 digits of one byte, whatever the sizes are
            whole, places = max(whole, 3), 0
        digits = whole + places
        unscaled = data.draw(st.integers(-(10**digits) + 1 if signed else 0, 10**digits - 1))
        picture = f"PIC {'S' if signed else ''}9({whole}){f'V9({places})' if places else ''} {usage}"
        fields[f"F{number}"] = (picture, str(Decimal(unscaled).scaleb(-places)) if places else unscaled)
    fields = {name: (clauses, f"{Decimal(value):f}" if isinstance(value, str) else value)
              for name, (clauses, value) in fields.items()}  # fmt: skip
    copybook = _copybook(fields)
    shown = _run(compile_cobol(_program(copybook, _write(fields)), IBM_SIZES), tmp_path)
    decoded = _record(tmp_path / "data", _format(copybook))
    for (name, (_, value)), text in zip(fields.items(), shown, strict=True):
        assert Decimal(decoded[name.lower()]) == _number(text) == Decimal(value)
