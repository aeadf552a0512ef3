"""The stage dry_run, and callers' own dry runs: compared, told, and without effect on any side."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

SEED = 20261121
DRY = {"prefer": "dry-run"}


def _parity(gateway: Any) -> dict[str, Any]:
    found: dict[str, Any] = gateway_admin(gateway, "/-/admin/groups/stock/parity").json()["dry_runs"]
    return found


def gateway_admin(gateway: Any, path: str) -> httpx.Response:
    with gateway.client() as client:
        answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer


def _until(done: Callable[[], bool], gateway: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, gateway.logged()[-3000:]
        time.sleep(0.05)


def _compared(gateway: Any) -> int:
    found = _parity(gateway)
    return int(found["comparisons"]) + sum(found["left_out"].values())


def _put(client: httpx.Client, sku: str, **more: Any) -> httpx.Response:
    return client.put(f"/stock/{sku}", json={"on_hand": 4}, **more)


def _rest(ledger: Any) -> str:
    return f"{{kind: http, base_url: '{ledger.url}'}}"


def test_what_the_replacement_would_make_of_writes_is_compared(stock: Any, ledger: Any) -> None:
    ledger.rows["A-1"] = {"sku": "A-1", "name": "bearing", "on_hand": 5}
    before = dict(ledger.rows)
    lab = stock(_rest(ledger))
    with lab.serving() as gateway, gateway.client() as client:
        assert _put(client, "A-1").json() == {"sku": "A-1", "name": "bearing", "on_hand": 4}
        assert client.post("/stock/B-1", json={"on_hand": 1}).status_code == 201
        _until(lambda: _compared(gateway) == 2, gateway)
        assert _parity(gateway)["verdicts"]["match"] == 2
        assert _put(client, "A-2").status_code == 200  # which the replacement lacks
        assert _put(client, "C-9").status_code == 404  # which both lack
        assert client.put("/stock/A-1", json={"on_hand": -1}).status_code == 200  # which only legacy accepts
        ledger.wrong = 1
        assert _put(client, "A-1").status_code == 200
        _until(lambda: _compared(gateway) == 6, gateway)
        found = _parity(gateway)
    assert (found["verdicts"]["match"], found["verdicts"]["mismatch"]) == (3, 3)
    assert {(each["at"], each["kind"]) for each in found["worst"]} == {("", "status"), ("/on_hand", "number")}
    assert (ledger.rows, ledger.effects) == (before, [])
    assert lab.rows() == [("A-1", "bearing", 4), ("A-2", None, 4), ("B-1", None, 1)]


def test_the_first_dry_run_without_a_proof_is_the_last(stock: Any, ledger: Any, running: Any) -> None:
    ledger.mode = "ignores"
    ledger.rows = {sku: {"sku": sku, "name": None, "on_hand": 0} for sku in ("A-1", "A-2")}
    lab = stock(_rest(ledger))
    with lab.serving("--workers", "2") as gateway, gateway.client() as client:
        for number in range(30):
            assert _put(client, f"A-{number % 2 + 1}").status_code == 200
        _until(lambda: _compared(gateway) == 30, gateway)
        found = _parity(gateway)
        assert found["left_out"]["unacknowledged"] == 1
        assert "dry runs have stopped" in found["stopped"]
    assert len(ledger.effects) == 1
    with lab.serving() as gateway, gateway.client() as client:  # a restart forgets nothing
        _put(client, "A-1")
        _until(lambda: _compared(gateway) == 31, gateway)
    assert len(ledger.effects) == 1
    command = ["route", "parity", "stock", "--workspace", str(lab.folder)]
    told = running.figway(*command, extra={"OLD_DSN": "Driver=SQLite3;Database=x"})
    assert (told.returncode, "dry runs have stopped" in told.stdout) == (1, True), told.stdout + told.stderr


def test_who_gives_no_answer_first_has_proven_nothing(stock: Any, ledger: Any) -> None:
    ledger.mode = "fails"
    lab = stock(_rest(ledger))
    with lab.serving() as gateway, gateway.client() as client:
        for _ in range(5):
            _put(client, "A-1")
        _until(lambda: _compared(gateway) == 5, gateway)
        assert _parity(gateway)["left_out"] == {"unacknowledged": 1, "can't be tried": 4}


def test_who_has_proven_it_may_fail(stock: Any, ledger: Any) -> None:
    ledger.rows["A-1"] = {"sku": "A-1", "name": "bearing", "on_hand": 5}
    lab = stock(_rest(ledger))
    with lab.serving() as gateway, gateway.client() as client:
        _put(client, "A-1")
        _until(lambda: _compared(gateway) == 1, gateway)
        ledger.mode = "fails"
        _put(client, "A-1")
        _until(lambda: _compared(gateway) == 2, gateway)
        ledger.mode = "obeys"
        _put(client, "A-1")
        _until(lambda: _compared(gateway) == 3, gateway)
        found = _parity(gateway)
    assert (found["verdicts"]["match"], found["left_out"], found["stopped"]) == (2, {"unacknowledged": 1}, None)
    assert ledger.effects == []


def test_a_database_tries_writes_by_rolling_them_back(stock: Any, postgres: Any) -> None:
    postgres.sql("DROP TABLE IF EXISTS stock; CREATE TABLE stock (sku text primary key, name varchar(40), on_hand "
                 "integer not null check (on_hand >= 0)); INSERT INTO stock VALUES ('A-1', 'bearing', 5)")  # fmt: skip
    lab = stock("{kind: odbc, dsn: 'env:NEW_DSN', dialect: postgresql, read_only: false}", rest=False, says="")
    with lab.serving(NEW_DSN=postgres.dsn) as gateway, gateway.client() as client:
        _put(client, "A-1")
        client.post("/stock/B-1", json={"on_hand": 1})
        client.put("/stock/A-1", json={"on_hand": -1})
        _until(lambda: _compared(gateway) == 3, gateway)
        verdicts = _parity(gateway)["verdicts"]
    assert (verdicts["match"], verdicts["mismatch"]) == (2, 1)
    told = postgres.sql("SELECT sku || ':' || on_hand FROM stock ORDER BY sku")
    assert ("A-1:5" in told, "B-1" in told) == (True, False)


def test_the_stage_is_only_for_who_can_show_it(stock: Any, ledger: Any, running: Any) -> None:
    lab = stock(_rest(ledger), says="")
    told = running.figway("check", "--workspace", str(lab.folder))
    assert told.returncode == 1
    assert "writes can't be at dry_run" in told.stdout + told.stderr


def test_dry_run_on_what_has_none_is_a_finding(stock: Any, ledger: Any, running: Any) -> None:
    lab = stock(_rest(ledger), "legacy")
    path = lab.folder / "openapi/stock.yaml"
    path.write_text(path.read_text().replace("'GET /stock/{sku}'}", "'GET /stock/{sku}', dry_run: true}"))
    told = running.figway("check", "--workspace", str(lab.folder))
    assert told.returncode == 1
    assert "can't try 'GET /stock/{sku}'" in told.stdout + told.stderr
    assert "openapi/stock.yaml:" in told.stdout + told.stderr


def test_a_caller_may_try_a_write(stock: Any, ledger: Any, running: Any) -> None:
    lab = stock(_rest(ledger), "legacy", says="")
    before = lab.rows()
    key = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    with lab.serving() as gateway, gateway.client() as client:
        tried = _put(client, "A-1", headers={**DRY, **key})
        assert (tried.status_code, tried.json()["would"]["body"]["on_hand"]) == (200, 4)
        assert tried.headers["preference-applied"] == "dry-run"
        assert lab.rows() == before
        made = client.post("/stock/N-1", json={"on_hand": 2}, headers={"prefer": "respond-async, dry-run"})
        assert (made.status_code, "location" in made.headers) == (200, False)
        assert _put(client, "none", headers=DRY).status_code == 404
        assert client.post("/stock/A-1", json={"on_hand": 1}, headers=DRY).status_code == 409
        assert client.put("/stock/A-1", json={"on_hand": "many"}, headers=DRY).status_code == 400
        assert lab.rows() == before
        real = _put(client, "A-1", headers=key)  # the key wasn't spent
        assert (real.status_code, "preference-applied" in real.headers) == (200, False)
        assert ("A-1", "bearing", 4) in lab.rows()
        anonymous = httpx.put(f"{gateway.url}/stock/A-1", json={"on_hand": 9}, headers=DRY)
        assert anonymous.status_code == 401
    command = ["audit", "query", "--workspace", str(lab.folder), "--json", "--limit", "100"]
    told = running.figway(*command, check=True).stdout
    records = [each for each in json.loads(told) if each["operation"] in ("put_stock", "add_stock")]
    tries = [each for each in records if (each.get("noted") or {}).get("dry_run")]
    assert [each["status"] for each in tries[::-1]] == [200, 200, 404, 409, 400, 401]


def test_a_caller_of_a_route_that_has_no_dry_run_is_refused(stock: Any, ledger: Any) -> None:
    ledger.rows["A-1"] = {"sku": "A-1", "name": "bearing", "on_hand": 5}
    lab = stock(_rest(ledger), "dual_new", says="", reads="shadow")
    with lab.serving() as gateway, gateway.client() as client:
        refused = _put(client, "A-1", headers=DRY)
    assert refused.status_code == 400
    assert refused.json()["detail"] == "This route can't be tried without making the change; nothing was sent."
    assert ledger.effects == []


def test_a_replacement_that_makes_the_change_is_told_to_the_caller(stock: Any, ledger: Any) -> None:
    ledger.mode = "ignores"
    ledger.rows["A-1"] = {"sku": "A-1", "name": "bearing", "on_hand": 5}
    lab = stock(_rest(ledger), "dual_new", reads="shadow")
    with lab.serving() as gateway, gateway.client() as client:
        told = [_put(client, "A-1", headers=DRY) for _ in range(3)]
    assert [each.status_code for each in told] == [504, 400, 400]
    assert told[0].json()["type"] == "urn:figway:problem:unknown-outcome"
    assert len(ledger.effects) == 1


@pytest.mark.parametrize("writes", [60, pytest.param(1200, marks=pytest.mark.slow)])
def test_no_dry_run_has_an_effect_also_when_the_gateway_is_killed(stock: Any, ledger: Any, writes: int) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}, {writes} writes")
    ledger.rows = {f"S-{n}": {"sku": f"S-{n}", "name": None, "on_hand": n} for n in range(0, 40, 2)}
    before = json.dumps(ledger.rows)
    lab, made = stock(_rest(ledger)), 0
    while made < writes:
        with lab.serving() as gateway, gateway.client() as client:
            for _ in range(writes // 3):
                sku, body = f"S-{chance.randrange(40)}", {"on_hand": chance.randint(-3, 9)}
                headers = DRY if chance.random() < 0.3 else {}
                answer = client.request(chance.choice(["PUT", "POST"]), f"/stock/{sku}", json=body, headers=headers)
                assert answer.status_code < 500, answer.text
                made += 1
            gateway.stop(signal.SIGKILL)
    assert ledger.tried > writes / 20
    assert (ledger.effects, json.dumps(ledger.rows)) == ([], before)
