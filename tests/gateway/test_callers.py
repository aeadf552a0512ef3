"""Through a whole gateway: who holds the key is who the systems behind it see, and who isn't known there gets a 403."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

GATEWAY = """
upstreams:
  erp:
    kind: odbc
    dsn: env:ERP_DSN
    trace: true
    callers: {alice: {role: call_alice}, "role:writer": {role: call_writer}}
    variables: {principal: app.principal, agent: app.agent}
  work:
    kind: files
    root: env:DROP_DIR
    callers: {alice: ALICE01}
    datasets:
      notes:
        {match: "*.csv", format: csv, key: id, append: "{id}.csv", owner: by, options: {columns: {id: text, by: text}}}
"""
CONTRACT = """
openapi: 3.1.0
info: {title: Callers, version: "1"}
paths:
  /seen:
    get:
      operationId: seen
      tags: [seen]
      summary: Who the database sees
      responses: {"200": {description: It., content: {application/json: {schema: {type: object}}}}}
      x-gateway: {effect: read, legacy: {upstream: erp, operation: seen, input: {}}}
  /notes/{id}:
    put:
      operationId: put_note
      tags: [notes]
      summary: A note
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: It., content: {application/json: {schema: {type: object}}}}}
      x-gateway: {effect: write, legacy: {upstream: work, operation: notes.append, input: {id: path.id}}}
"""
SEEN = """-- result: one
-- function: current_query
SELECT current_user::text AS role, current_setting('app.principal') AS principal, current_setting('app.agent') AS agent,
  right(current_query(), 2) = '*/' AS traced
"""
POLICY = 'permit (principal in Role::"reader", action, resource);'


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, running: ModuleType, postgres: Any) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("callers")
    drop = folder / "drop"
    drop.mkdir()
    postgres.sql("""
DO $$ BEGIN
  CREATE ROLE call_alice; CREATE ROLE call_writer;
  CREATE ROLE call_gate LOGIN NOSUPERUSER NOINHERIT PASSWORD 'figway-test' IN ROLE call_alice, call_writer;
EXCEPTION WHEN duplicate_object THEN NULL; END $$;
""")
    files = {"gateway.yaml": GATEWAY, "openapi/a.yaml": CONTRACT, "policies/access.cedar": POLICY}
    running.write_workspace(folder, {**files, "openapi/sources/erp/queries/seen.sql": SEEN})
    dsn = postgres.dsn.replace("Uid=figway", "Uid=call_gate")
    with running.serving(folder, extra={"ERP_DSN": dsn, "DROP_DIR": str(drop)}) as served:
        yield served


@pytest.fixture(scope="module")
def keys(gateway: Any, running: ModuleType) -> dict[str, str]:
    """Keys by whose they are; wendy is a writer."""
    alice = running.create_key(gateway.folder, "reader", principal="alice", agent="bot'; --")
    carol = running.create_key(gateway.folder, "reader", principal="carol")
    return {"alice": alice, "wendy": gateway.writer, "carol": carol}


def test_the_database_sees_the_caller(gateway: Any, keys: dict[str, str]) -> None:
    for flag, traced in (("00", False), ("01", True)):
        for name, role, agent in (("alice", "call_alice", "bot'; --"), ("wendy", "call_writer", "")):
            with gateway.client(keys[name]) as client:
                trace = f"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flag}"
                reply = client.get("/seen", headers={"traceparent": trace})
            assert reply.status_code == 200, reply.text
            assert reply.json() == {"role": role, "principal": name, "agent": agent, "traced": traced}


def test_who_is_not_mapped_is_forbidden(gateway: Any, keys: dict[str, str]) -> None:
    with gateway.client(keys["carol"]) as client:
        replies = [client.get("/seen"), client.put("/notes/c", json={})]
    for reply in replies:
        assert (reply.status_code, reply.json()["type"]) == (403, "urn:figway:problem:forbidden")
        assert "carol" not in reply.text
        assert "role" not in reply.json()["detail"]
    assert list((gateway.folder / "drop").iterdir()) == []


def test_a_record_names_its_writer(gateway: Any, keys: dict[str, str]) -> None:
    with gateway.client(keys["alice"]) as client:
        reply = client.put("/notes/a", json={})
    assert reply.status_code == 200, reply.text
    path: Path = gateway.folder / "drop" / "a.csv"
    assert path.read_text().splitlines() == ["id,by", "a,ALICE01"]
    path.unlink()
