"""Recordings of a live gateway, played to a new system: what is hidden is still compared, and nothing is changed."""

from __future__ import annotations

import json
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def _recording(running: Any, folder: Path, out: Path, *arguments: str) -> Iterator[None]:
    command = ["route", "record", "stock", "--workspace", str(folder), "--for", "5m", "--out", str(out), *arguments]
    log = out.with_suffix(".log")
    with log.open("wb") as sink:
        process = running.start(*command, output=sink)
    try:
        until = time.monotonic() + 60
        while not list((folder / ".figway/recordings").glob("*.open")):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.5)  # a turn of the recorder's, which has made the file by then
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert process.returncode == 0, log.read_text()


def _replayed(running: Any, folder: Path, out: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    told = running.figway("route", "replay", str(out), "--workspace", str(folder), "--json", *arguments)
    assert told.stdout, told.stderr
    return told.returncode, json.loads(told.stdout)


def test_a_regression_is_found_from_a_hidden_recording(stock: Any, ledger: Any, running: Any, tmp_path: Path) -> None:
    ledger.rows = {
        "A-1": {"sku": "A-1", "name": "bearing", "on_hand": 5},
        "A-2": {"sku": "A-2", "name": None, "on_hand": 7},
    }
    lab, out = stock(f"{{kind: http, base_url: '{ledger.url}'}}", "legacy"), tmp_path / "stock.jsonl"
    with lab.serving() as gateway, gateway.client() as client:
        with _recording(running, lab.folder, out, "--writes"):
            answers = [client.get(f"/stock/{sku}").status_code for sku in ("A-1", "A-2", "none", "A-1")]
            client.get("/stock/A-1", headers={"authorization": "Bearer wrong"})
            wrote = client.put("/stock/A-2", json={"on_hand": 7}).status_code
        client.get("/stock/A-1")  # after it
    assert (answers, wrote) == ([200, 200, 404, 200], 200)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "bearing" not in out.read_text()
    assert len(out.read_text().splitlines()) == 6
    assert not list((lab.folder / ".figway/recordings").iterdir())

    code, found = _replayed(running, lab.folder, out)
    assert (code, found["result"], found["verdicts"]["match"]) == (0, "alike", 5), found
    assert (ledger.effects, ledger.tried) == ([], 1)

    ledger.rows["A-1"]["name"] = "Bearing"
    code, found = _replayed(running, lab.folder, out)
    assert (code, found["result"], found["verdicts"]["mismatch"]) == (1, "different", 2)
    assert [each["at"] for each in found["worst"]] == ["/name"]
    del ledger.rows["A-2"]
    code, found = _replayed(running, lab.folder, out)
    assert (code, found["verdicts"]["mismatch"]) == (1, 4)  # the dry run is refused, too

    code, found = _replayed(running, lab.folder, out, "--upstream-url", "http://127.0.0.1:9")
    assert (code, found["result"]) == (1, "inconclusive")
    assert ledger.effects == []


def test_a_recording_says_what_it_cant_tell(stock: Any, ledger: Any, running: Any, tmp_path: Path) -> None:
    ledger.rows = {"A-1": {"sku": "A-1", "name": "bearing", "on_hand": 6}}
    lab, out = stock(f"{{kind: http, base_url: '{ledger.url}'}}", "legacy"), tmp_path / "stock.jsonl"
    path = lab.folder / "policies/migration.yaml"
    rules = "      samples: {redact: [/sku]}\n      tolerance: {/on_hand: {abs: 1}}\n"
    path.write_text(path.read_text().replace("      samples: {keep: [/on_hand]}\n", rules))
    with lab.serving() as gateway, gateway.client() as client, _recording(running, lab.folder, out):
        assert client.get("/stock/A-1").status_code == 200
    assert json.loads(out.read_text())["left_out"] == {"its request holds what is redacted": 1}
    assert _replayed(running, lab.folder, out)[1]["result"] == "inconclusive"

    path.write_text(path.read_text().replace("redact: [/sku]", "redact: [/name]"))
    again = tmp_path / "again.jsonl"
    with lab.serving("--watch") as gateway, gateway.client() as client, _recording(running, lab.folder, again):
        assert client.get("/stock/A-1").status_code == 200
    code, found = _replayed(running, lab.folder, again)
    assert (code, found["result"], found["verdicts"]["incomparable"]) == (1, "inconclusive", 1)
    assert found["reasons"] == {"a tolerance speaks of hidden values: name them in samples.keep": 1}


def test_what_is_no_recording_is_told_in_a_sentence(stock: Any, ledger: Any, running: Any, tmp_path: Path) -> None:
    lab = stock(f"{{kind: http, base_url: '{ledger.url}'}}", "legacy")
    for text, sentence in (("{}\n", "line 1 isn't the head"), ("no", "line 1 isn't the head"), (None, "can't be read")):
        file = tmp_path / "bad.jsonl"
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        told = running.figway("route", "replay", str(file), "--workspace", str(lab.folder))
        assert (told.returncode, sentence in told.stderr) == (2, True), told.stderr
