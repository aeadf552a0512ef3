"""An appended record says who wrote it, in a field that only the gateway fills."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.contract import Context
from adapters.errors import ConfigError, Invalid, NotMapped

COPYBOOK = """\
       01  NOTE-RECORD.
           05  NOTE-ID                PIC X(6).
           05  NOTE-TEXT              PIC X(20).
           05  STAMP.
               10  CREATED-BY         PIC X(8).
               10  CREATED-AT         PIC 9(8).
           05  STAMP-TEXT REDEFINES STAMP PIC X(16).
"""
PROGRAM = """\
       IDENTIFICATION DIVISION.
       PROGRAM-ID. READNOTE.
       ENVIRONMENT DIVISION.
       INPUT-OUTPUT SECTION.
       FILE-CONTROL.
           SELECT NOTES ASSIGN TO "NOTE.DAT" ORGANIZATION SEQUENTIAL.
       DATA DIVISION.
       FILE SECTION.
       FD NOTES.
{copybook}
       PROCEDURE DIVISION.
           OPEN INPUT NOTES
           READ NOTES
           DISPLAY "[" CREATED-BY "]" NOTE-TEXT
           CLOSE NOTES
           STOP RUN.
"""


def who(principal: str | None, *roles: str) -> Context:
    return Context(time.monotonic() + 10, principal=principal, roles=roles)


@pytest.fixture
def notes(build: Any) -> Callable[..., Any]:
    """`notes(**dataset)`: an adapter with the dataset `notes`, whose records name their writer."""

    def start(callers: Any = None, **dataset: Any) -> Any:
        config = {
            "match": "in/NOTE-*.DAT",
            "format": "copybook",
            "copybook": "note.cpy",
            "code_page": "cp037",
            "key": "note_id",
            "append": "in/NOTE-{note_id}.DAT",
            "owner": "stamp.created_by",
            **dataset,
        }
        more = {} if callers is None else {"callers": callers}
        return build({"notes": config}, {"note.cpy": COPYBOOK}, **more)

    return start


async def test_cobol_reads_who_wrote_the_record(
    notes: Any, drop_folder: Path, compile_cobol: Callable[..., Path]
) -> None:
    adapter = notes(code_page="ascii")
    given = {"note_id": "N1", "note_text": "Hello", "stamp": {"created_at": 20270131}}
    done = await adapter.invoke("notes.append", given, who("alice"))
    assert done.value["stamp"] == {"created_by": "alice", "created_at": 20270131}
    (drop_folder / "in" / "NOTE.DAT").write_bytes((drop_folder / "in" / "NOTE-N1.DAT").read_bytes())
    program = compile_cobol(PROGRAM.format(copybook=COPYBOOK))
    ran = await asyncio.to_thread(
        subprocess.run, [program], cwd=drop_folder / "in", capture_output=True, text=True, timeout=30
    )
    assert ran.stdout.startswith("[alice   ]Hello"), ran


async def test_the_map_says_what_a_caller_is_called(notes: Any) -> None:
    adapter = notes({"alice@example.com": "ALICE01", "role:clerk": "CLERK"})
    for number, (context, name) in enumerate([(who("alice@example.com"), "ALICE01"), (who("bob", "clerk"), "CLERK")]):
        done = await adapter.invoke("notes.append", {"note_id": f"N{number}"}, context)
        assert done.value["stamp"]["created_by"] == name
    with pytest.raises(NotMapped):
        await adapter.invoke("notes.append", {"note_id": "N9"}, who("carol"))
    # Reading needs no name.
    assert (await adapter.invoke("notes.get", {"note_id": "N0"}, who("carol"))).value["stamp"][
        "created_by"
    ] == "ALICE01"


@pytest.mark.parametrize(
    "name",
    ["", None, "nine-char", "n" * 256, "alice\nX", "alice\x00", "alice ", " alice", "ünï日", "a\x85b", "alice'; DROP"],
)
async def test_a_name_that_does_not_fit_is_refused_and_nothing_written(
    notes: Any, drop_folder: Path, name: str | None
) -> None:
    adapter = notes()
    for call in (adapter.invoke, adapter.dry_run):
        with pytest.raises(NotMapped) as caught:
            await call("notes.append", {"note_id": "N1"}, who(name))
        assert name is None or name == "" or name not in caught.value.message
    assert list((drop_folder / "in").iterdir()) == []


@pytest.mark.parametrize(
    "forged",
    [
        {"stamp": {"created_by": "bob"}},
        {"stamp": {"created_by": None}},
        {"stamp": {"created_by": "alice"}},
        {"stamp_text": "bob     20270131"},
        {"stamp": "bob"},
        {"stamp": [{"created_by": "bob"}]},
        {"stamp.created_by": "bob"},
        {"STAMP": {"created_by": "bob"}},
    ],
)
async def test_no_input_says_who_wrote_a_record(notes: Any, drop_folder: Path, forged: dict[str, Any]) -> None:
    adapter = notes()
    for call in (adapter.invoke, adapter.dry_run):
        with pytest.raises((Invalid, NotMapped)):
            await call("notes.append", {"note_id": "N1", **forged}, who("alice"))
    assert list((drop_folder / "in").iterdir()) == []


async def test_a_dry_run_shows_the_owner(notes: Any) -> None:
    shown = await notes().dry_run("notes.append", {"note_id": "N1", "note_text": "x"}, who("alice"))
    assert shown.value["stamp"]["created_by"] == "alice"


def test_the_operation_does_not_offer_the_field(notes: Any) -> None:
    schema = notes().operations()["notes.append"].input
    assert set(schema["properties"]["stamp"]["properties"]) == {"created_at"}
    assert "created_by" in notes().operations()["notes.get"].output["properties"]["stamp"]["properties"]


async def test_a_csv_has_an_owner_too(build: Any, drop_folder: Path) -> None:
    columns = {"id": "text", "by": "text", "n": "integer"}
    dataset = {"match": "in/*.csv", "format": "csv", "key": "id", "append": "in/{id}.csv", "owner": "by"}
    adapter = build({"rows": {**dataset, "options": {"columns": columns}}})
    name = 'al"ice, Ünï; =1+1'
    done = await adapter.invoke("rows.append", {"id": "a", "n": 1}, who(name))
    assert done.value == {"id": "a", "by": name, "n": 1}
    with pytest.raises(Invalid):
        await adapter.invoke("rows.append", {"id": "b", "by": "bob"}, who("alice"))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"owner": "nobody"}, "isn't a text field"),
        ({"owner": "stamp.created_at"}, "isn't a text field"),
        ({"owner": "stamp"}, "isn't a text field"),
        ({"owner": "note_id"}, "the key can't say"),
        ({"append": None}, "say append, too"),
    ],
)
def test_what_cannot_be_an_owner_is_told_offline(notes: Any, dataset: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        notes(**dataset)
    assert [problem.where for problem in caught.value.problems] == ["/datasets/notes/owner"]
    assert message in str(caught.value)


def test_a_map_without_an_owner_field_is_refused(notes: Any) -> None:
    with pytest.raises(ValidationError):
        notes({"alice": "A"}, owner=None)
