"""Files that are worked on by one at a time: claimed, renewed, taken over, archived, rejected."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from adapters.contract import Context
from adapters.errors import ConfigError, Conflict, Invalid, NotFound, Unavailable
from adapters.files import claims as claims_module
from adapters.files.adapter import FilesAdapter

Build = Callable[..., FilesAdapter]
INVOICES = {
    "invoices": {
        "match": "in/INV-*.csv",
        "format": "csv",
        "key": "id",
        "claim": {"folder": "work"},
        "options": {"columns": {"id": "text", "amount": "decimal"}},
    }
}


def by(principal: str = "ann", key: str | None = None) -> Context:
    return Context(time.monotonic() + 10, principal=principal, idempotency_key=key)


def _deliver(folder: Path, name: str, records: int = 3, age: float = 0) -> None:
    path = folder / f"in/{name}"
    path.write_text("id,amount\n" + "".join(f"{name}-{number},1.50\n" for number in range(records)))
    moment = time.time() - age
    os.utime(path, (moment, moment))


def _files(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.setdefault(str(path.parent.relative_to(folder)), []).append(path.name)
    return found


@pytest.fixture
def invoices(build: Build) -> FilesAdapter:
    return build(INVOICES)


async def _claim(adapter: FilesAdapter, context: Context, **input: Any) -> dict[str, Any]:
    value: dict[str, Any] = (await adapter.invoke("invoices.claim", input, context)).value
    return value


async def test_the_oldest_file_is_claimed_read_and_archived(invoices: FilesAdapter, drop_folder: Path) -> None:
    _deliver(drop_folder, "INV-2.csv", age=10)
    _deliver(drop_folder, "INV-1.csv", age=5)
    taken = await _claim(invoices, by(), limit=2)
    jsonschema_rs.validator_for(invoices.operations()["invoices.claim"].output).validate(taken)
    assert (taken["file"], taken["records"], taken["next"]) == ("INV-2.csv", 3, 2)
    assert [item["id"] for item in taken["items"]] == ["INV-2.csv-0", "INV-2.csv-1"]
    until = datetime.fromisoformat(taken["until"])
    assert 290 < (until - datetime.now(UTC)).total_seconds() < 302
    further = await invoices.invoke("invoices.claimed", {"claim": taken["claim"], "after": taken["next"]}, by())
    assert ([item["id"] for item in further.value["items"]], further.value["next"]) == (["INV-2.csv-2"], None)
    page = await invoices.invoke("invoices.list", {"limit": 9}, by())
    assert {item["id"][:9] for item in page.value["items"]} == {"INV-1.csv"}  # what is claimed isn't listed
    done = await invoices.invoke("invoices.finish", {"claim": taken["claim"]}, by())
    day = datetime.now(UTC).date().isoformat()
    name = f"INV-2.{taken['claim'][:8]}.csv"
    assert done.value == {"file": "INV-2.csv", "archived": f"work/done/{day}/{name}"}
    assert _files(drop_folder) == {"in": ["INV-1.csv"], f"work/done/{day}": [name]}
    with pytest.raises(Conflict):
        await invoices.invoke("invoices.finish", {"claim": taken["claim"]}, by())


async def test_who_claims_alone_can_finish(invoices: FilesAdapter, drop_folder: Path) -> None:
    _deliver(drop_folder, "INV-1.csv")
    taken = await _claim(invoices, by("ann"))
    for operation in ("claimed", "finish"):
        with pytest.raises(Conflict):
            await invoices.invoke(f"invoices.{operation}", {"claim": taken["claim"]}, by("bob"))
    with pytest.raises(NotFound):
        await _claim(invoices, by("bob"))


async def test_one_key_is_one_claim(invoices: FilesAdapter, drop_folder: Path) -> None:
    for number in range(3):
        _deliver(drop_folder, f"INV-{number}.csv")
    assert await invoices.lookup("invoices.claim", "k1", by()) is None  # type: ignore[attr-defined]
    first, again = await _claim(invoices, by(key="k1")), await _claim(invoices, by(key="k1"))
    assert first["claim"] == again["claim"]
    assert first["file"] == again["file"]
    told = await invoices.lookup("invoices.claim", "k1", by())  # type: ignore[attr-defined]
    assert told.value["file"] == first["file"]
    assert (await _claim(invoices, by(key="k2")))["file"] != first["file"]


async def test_a_claim_that_ran_out_is_taken_over(
    invoices: FilesAdapter, build: Build, drop_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deliver(drop_folder, "INV-1.csv")
    taken = await _claim(invoices, by("ann"))
    (path,) = (drop_folder / "work/claimed").iterdir()
    token, _, owner, name = path.name.split(".", 3)
    path.rename(path.with_name(f"{token}.{int(time.time()) - 1:010}.{owner}.{name}"))
    facts = (await invoices.probe(by())).facts["invoices"]
    assert (facts["claimed"], facts["run_out"]) == (1, 1)
    other = await _claim(build(INVOICES), by("bob"))
    assert (other["file"], other["items"]) == ("INV-1.csv", taken["items"])
    with pytest.raises(Conflict):
        await invoices.invoke("invoices.finish", {"claim": taken["claim"]}, by("ann"))
    facts = (await invoices.probe(by())).facts["invoices"]
    assert (facts["claimed"], facts["run_out"]) == (1, 0)


async def test_a_rejected_file_keeps_its_reason(invoices: FilesAdapter, drop_folder: Path) -> None:
    _deliver(drop_folder, "INV-1.csv")
    taken = await _claim(invoices, by())
    done = await invoices.invoke("invoices.finish", {"claim": taken["claim"], "reason": "wrong supplier"}, by())
    name = f"INV-1.{taken['claim'][:8]}.csv"
    assert done.value["archived"] == f"work/rejected/{name}"
    told = json.loads((drop_folder / f"work/rejected/{name}.reason.json").read_text())
    assert (told["file"], told["reason"]) == ("INV-1.csv", "wrong supplier")
    with pytest.raises(Invalid):
        await invoices.invoke("invoices.finish", {"claim": taken["claim"], "reason": "x" * 1001}, by())


async def test_a_file_with_a_wrong_record_is_rejected_and_the_next_one_taken(
    invoices: FilesAdapter, drop_folder: Path
) -> None:
    (drop_folder / "in/INV-0.csv").write_text("id,amount\nA,1\nB,?\n")
    os.utime(drop_folder / "in/INV-0.csv", (1, 1))
    _deliver(drop_folder, "INV-1.csv")
    assert (await _claim(invoices, by()))["file"] == "INV-1.csv"
    (reason,) = (drop_folder / "work/rejected").glob("*.reason.json")
    told = json.loads(reason.read_text())
    assert told["reason"] == "1 records can't be decoded; the first: bytes 14 to 18: amount isn't a decimal number"


async def test_a_file_whose_trailer_is_wrong_is_rejected_once_it_has_settled(build: Build, drop_folder: Path) -> None:
    trailer = {"starts": "T", "columns": {"n": "integer"}, "count": "n"}
    adapter = build({"invoices": {**INVOICES["invoices"], "control": {"trailer": trailer}}})
    path = drop_folder / "in/INV-0.csv"
    path.write_text("id,amount\nA,1\nT,2\n")
    with pytest.raises(NotFound):
        await _claim(adapter, by())
    assert path.exists()
    os.utime(path, (1, 1))
    with pytest.raises(NotFound):
        await _claim(adapter, by())
    assert not path.exists()
    (reason,) = (drop_folder / "work/rejected").glob("*.reason.json")
    assert json.loads(reason.read_text())["reason"] == "the file has 1 records, its trailer says 2"


async def test_a_file_that_is_being_written_is_left(invoices: FilesAdapter, drop_folder: Path) -> None:
    with (drop_folder / "in/INV-1.csv").open("w") as file:
        file.write("id,amount\nA,1\n")
        file.flush()
        with pytest.raises(NotFound):
            await _claim(invoices, by())
    assert (await _claim(invoices, by()))["records"] == 1


async def test_a_marker_goes_with_its_file(build: Build, drop_folder: Path) -> None:
    adapter = build({"invoices": {**INVOICES["invoices"], "arrival": {"marker": ".done"}}})
    _deliver(drop_folder, "INV-1.csv")
    (drop_folder / "in/INV-1.csv.done").touch()
    taken = await _claim(adapter, by())
    assert "in" not in _files(drop_folder)
    (drop_folder / "in/INV-1.csv.done").touch()  # as a kill between the two would have left it
    _deliver(drop_folder, "INV-2.csv")
    (drop_folder / "in/INV-2.csv.done").touch()
    assert (await _claim(adapter, by()))["file"] == "INV-2.csv"
    assert "in" not in _files(drop_folder)
    await adapter.invoke("invoices.finish", {"claim": taken["claim"]}, by())


async def test_archived_files_are_removed_after_a_while(
    invoices: FilesAdapter, drop_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        _deliver(drop_folder, f"INV-{number}.csv")
        taken = await _claim(invoices, by())
        await invoices.invoke("invoices.finish", {"claim": taken["claim"]}, by())
    assert sum(map(len, _files(drop_folder).values())) == 2
    real = time.time
    monkeypatch.setattr(claims_module.time, "time", lambda: real() + 91 * 86400)
    invoices._datasets["invoices"].claims.sweep()  # type: ignore[union-attr]
    assert _files(drop_folder) == {}
    assert list((drop_folder / "work/done").iterdir()) == []


async def test_a_delivery_that_was_taken_is_not_overdue(build: Build, drop_folder: Path) -> None:
    dataset = {**INVOICES["invoices"], "arrival": {"due": {"by": "00:00", "early": "168h"}}}
    adapter = build({"invoices": dataset})
    assert "overdue since 00:00" in (await adapter.probe(by())).facts["invoices"]["overdue"]
    page = await adapter.invoke("invoices.list", {"limit": 1}, by())
    assert "overdue" in page.warnings[0]
    _deliver(drop_folder, "INV-1.csv")
    taken = await _claim(adapter, by())
    assert "overdue" not in (await adapter.probe(by())).facts["invoices"]
    await adapter.invoke("invoices.finish", {"claim": taken["claim"]}, by())
    assert "overdue" not in (await build({"invoices": dataset}).probe(by())).facts["invoices"]


@pytest.mark.parametrize("claim", ["", "../../x", "a" * 26, "a.b", "*", None])
async def test_a_claim_that_was_made_up_is_refused(invoices: FilesAdapter, drop_folder: Path, claim: Any) -> None:
    _deliver(drop_folder, "INV-1.csv")
    await _claim(invoices, by())
    with pytest.raises(Conflict):
        await invoices.invoke("invoices.finish", {"claim": claim}, by())


async def test_hostile_names_stay_where_they_are(invoices: FilesAdapter, drop_folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("id,amount\nsecret,1\n")
    (drop_folder / "in/INV-link.csv").symlink_to(outside)
    (drop_folder / "in/INV-own.csv").symlink_to("INV-real.csv")
    _deliver(drop_folder, "INV-real.csv")
    _deliver(drop_folder, f"INV-{'x' * 200}.csv")
    (drop_folder / "in/INV-\n..csv").write_text("id,amount\nA,1\n")
    found = {(await _claim(invoices, by()))["file"] for _ in range(2)}
    assert found == {"INV-real.csv", "INV-\n..csv"}
    with pytest.raises(NotFound):
        await _claim(invoices, by())
    assert outside.exists()


async def test_a_folder_that_leads_outside_is_not_used(
    invoices: FilesAdapter, drop_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (drop_folder / "work").symlink_to(tmp_path / "outside")
    _deliver(drop_folder, "INV-1.csv")
    with pytest.raises(Unavailable):
        await _claim(invoices, by())
    assert list((tmp_path / "outside").iterdir()) == []
    assert (drop_folder / "in/INV-1.csv").exists()


async def test_a_big_file_is_read_page_by_page(
    invoices: FilesAdapter, drop_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.files.dataset._CONTENT_BYTES", 0)
    monkeypatch.setattr("adapters.files.dataset._SMALL", 0)
    _deliver(drop_folder, "INV-1.csv", 2500)
    page = await _claim(invoices, by())
    seen = [item["id"] for item in page["items"]]
    while page["next"] is not None:
        input = {"claim": page["claim"], "after": page["next"]}
        page = (await invoices.invoke("invoices.claimed", input, by())).value
        seen += [item["id"] for item in page["items"]]
    assert seen == [f"INV-1.csv-{number}" for number in range(2500)]


def test_claims_do_not_share_a_folder(build: Build) -> None:
    with pytest.raises(ConfigError, match="same folder"):
        build({"invoices": INVOICES["invoices"], "others": INVOICES["invoices"]})
