"""`figway audit`, as a user runs it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from gateway.audit.arguments import Sealed
from gateway.audit.log import AuditLog
from gateway.audit.record import Unsealed
from gateway.cli import app
from gateway.identity.audit_keys import audit_keys
from gateway.identity.keyrings import Keyrings
from gateway.store.place import StateFolder

Make = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Ran:
    """How a verb ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `figway audit` in a workspace, which is the current folder."""
    (tmp_path / "gateway.yaml").write_text("upstreams: {}\n")
    monkeypatch.chdir(tmp_path)
    for name in [each for each in environ if each.startswith("FIGWAY_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> Ran:
        result = CliRunner().invoke(app, ["audit", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / ".figway")


@pytest.fixture
def log(state: StateFolder, make: Make) -> Callable[..., None]:
    """`log(first, end, **members)`: writes those records with the gateway's own writer, signed."""

    def write(first: int, end: int, **members: Any) -> None:
        with closing(AuditLog.open(state.audit, audit_keys(Keyrings(state.keys)))) as log:
            for number in range(first, end):
                log.append(orjson.dumps(make(number, **members)))

    return write


def found(ran: Ran) -> list[dict[str, Any]]:
    assert (ran.code, ran.err) == (0, "")
    items: list[dict[str, Any]] = json.loads(ran.out)
    return items


def test_query_finds_and_shows(run: Run, log: Callable[..., None], make: Make) -> None:
    log(0, 60)
    items = found(run("query", "--principal", "person-7", "--status", "5xx", "--json"))
    assert [item["id"] for item in items] == [make(57)["id"], make(7)["id"]]
    assert found(run("query", "--id", make(3)["id"], "--json"))[0]["operation"] == "get_3"
    shown = run("query", "--agent", "agent-1", "--limit", "3")
    lines = shown.out.splitlines()
    assert lines[0].split() == ["time", "id", "who", "what", "status", "decision", "upstreams"]
    assert re.search(rf"{make(58)['id']} +person-8 via agent-1 +GET get_2 +200 +allow +crm", lines[1]), lines[1]
    assert (len(lines), "newest 3" in shown.err) == (4, True)
    assert "\x1b" not in shown.out, "no colours where nobody looks"
    assert run("query", "--principal", "nobody") == Ran(0, "", "")


def test_query_by_time(run: Run, log: Callable[..., None], make: Make) -> None:
    log(0, 3)
    log(3, 4, time=datetime.now(UTC).isoformat().replace("+00:00", "Z"))
    assert [item["id"] for item in found(run("query", "--since", "1h", "--json"))] == [make(3)["id"]]
    items = found(run("query", "--since", make(1)["time"], "--until", make(2)["time"], "--json"))
    assert [item["id"] for item in items] == [make(1)["id"]]
    assert len(found(run("query", "--until", "2026-04-01", "--json"))) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["query", "--since", "yesterday"], 2, "--since"),
        (["query", "--since", "999999999d"], 2, "too long ago"),
        (["query", "--status", "many"], 2, "--status"),
        (["query", "--text", ""], 2, "--text"),
        (["query", "--workspace", "nowhere"], 1, "nowhere/gateway.yaml can't be read"),
        (["export", "--format", "xml"], 2, "--format"),
        (["export", "--output", "no/such/folder/file"], 1, "can't be written"),
        (["verify"], 1, "public-keys can't be read"),
        (["verify", "nowhere", "--public-key", "gateway.yaml"], 1, "holds no public keys"),
        (["erase", "C-1"], 2, "--yes"),
        (["erase", "C-1", "--yes"], 1, "keeps nothing of 'C-1'"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(run: Run, arguments: list[str], code: int, says: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (code, ""), ran
    assert says in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("format", ["ndjson", "cloudevents", "ocsf"])
def test_export_hands_everything_over(
    run: Run, log: Callable[..., None], make: Make, tmp_path: Path, format: str
) -> None:
    log(0, 30)
    ran = run("export", "--format", format, "--output", "events.jsonl")
    assert (ran.code, ran.out, ran.err.strip()) == (0, "", "30 records")
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    if format == "ndjson":
        assert [json.loads(line) for line in lines] == [make(number) for number in range(30)]
        assert run("export", "--principal", "person-3").out.splitlines() == [lines[3], lines[13], lines[23]]
    assert len(lines) == 30
    assert not list(tmp_path.glob(".*.part"))


# ── verify, on a copy elsewhere with the public keys alone ───────────────────────────────────────────────────────


@pytest.fixture
def copy(run: Run, log: Callable[..., None], state: StateFolder, tmp_path: Path) -> Path:
    """A copy of an audit, and what its keeper has besides: `kept.pub`."""
    log(0, 40)
    (tmp_path / "kept.pub").write_bytes((state.audit / "public-keys").read_bytes())
    shutil.copytree(state.audit, tmp_path / "copy")
    (tmp_path / "copy" / "public-keys").unlink()
    shutil.rmtree(state.path)
    return tmp_path / "copy"


def test_verify_needs_the_files_and_a_public_key(run: Run, copy: Path) -> None:
    ran = run("verify", "copy", "--public-key", "kept.pub")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == ["log-0.db  records 0 to 40 hold, signed up to 40", "The audit holds."]
    told = found(run("verify", "copy", "--public-key", "kept.pub", "--json"))
    assert told["holds"] is True  # type: ignore[call-overload]
    assert not (copy.parent / ".figway").exists(), "nothing of the workspace is needed or made"


def test_verify_names_what_is_broken(run: Run, copy: Path, written: Any) -> None:
    forged = type(written)(copy)
    forged.run("UPDATE segments SET body = CAST(replace(body, 'person-7', 'person-8') AS BLOB)")
    ran = run("verify", "copy", "--public-key", "kept.pub")
    assert ran.code == 1
    assert re.search(r"log-0\.db  broken: segment 1, from record 0 on, isn't what was written", ran.out)
    assert "isn't what was written" in ran.out.splitlines()[-1]


def test_verify_says_when_it_believes_the_keys_beside_the_records(run: Run, copy: Path) -> None:
    shutil.copy(copy.parent / "kept.pub", copy / "public-keys")
    ran = run("verify", "copy")
    assert ran.code == 0
    assert "which stands beside the records" in ran.err


def test_verify_by_another_key_fails(run: Run, copy: Path, tmp_path: Path) -> None:
    other = audit_keys(Keyrings(tmp_path / "other" / "keys"))
    other.signer(tmp_path / "other")
    assert run("verify", "copy", "--public-key", "other/public-keys").code == 1


# ── personal data ────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_sealed_is_read_until_it_is_erased(
    run: Run, log: Callable[..., None], state: StateFolder, make: Make
) -> None:
    keys = audit_keys(Keyrings(state.keys))
    with closing(AuditLog.open(state.audit, keys)) as audit:
        for number, subject in enumerate(("C-1", "C-2", "C-1")):
            kept = {"body.email": f"{subject}-{number}@example.org"}
            audit.append(Unsealed(make(number, arguments={}), Sealed(subject, kept, [subject])))
    (item,) = found(run("query", "--text", "c-2-1@", "--json"))
    assert item["arguments"]["sealed"]["kept"] == {"body.email": "C-2-1@example.org"}
    assert "@example.org" not in run("export").out, "as it is stored: sealed"
    assert run("export", "--format", "cloudevents").out.count("@example.org") == 3
    assert found(run("erase", "C-1", "--yes", "--json")) == {"subject": "C-1", "erased": True}
    items = found(run("query", "--kind", "call", "--json"))
    assert [item["arguments"]["sealed"].get("erased", False) for item in items] == [True, False, True]
    assert run("query", "--text", "c-1-").out == ""
    assert run("verify").code == 0, "and the chain still holds"
    (erasure,) = found(run("query", "--operation", "audit_erase", "--json"))
    assert erasure["route"] == f"subject:{keys.hasher('C-1')}", "the record names nobody"
    assert run("erase", "C-1", "--yes").code == 1


def test_a_sealed_value_that_was_moved_to_another_record_hides_no_other(
    run: Run, state: StateFolder, make: Make
) -> None:
    keys = audit_keys(Keyrings(state.keys))
    with closing(AuditLog.open(state.audit, keys)) as audit:
        audit.append(Unsealed(make(1, arguments={}), Sealed("C-1", {"body.email": "ann@example.org"}, [])))
    (stored,) = map(json.loads, run("export").out.splitlines())
    with closing(AuditLog.open(state.audit, keys)) as audit:
        audit.append(orjson.dumps(make(2, arguments=stored["arguments"])))
    moved, own = (json.loads(run("query", "--json").out))[:2]
    assert moved["arguments"]["sealed"] == {"unreadable": True}
    assert own["arguments"]["sealed"]["kept"] == {"body.email": "ann@example.org"}
