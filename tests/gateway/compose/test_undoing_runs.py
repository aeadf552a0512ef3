"""What undoes a composite is called whatever its run has left: else what was done would stay half done."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from uuid import uuid4

from gateway.identity.development import NAME, DevelopmentKey
from gateway.identity.signing import Keyring

_STEPS = """
one: {route: make, input: {sku: "'one'", n: body.n}, compensate: {route: unmake, input: {sku: one.sku, n: body.n}}}
two: {route: make, input: {sku: "'two'", n: body.n}, compensate: {route: unmake, input: {sku: two.sku, n: body.n}}}
"""


def test_a_run_whose_writes_are_made_undoes_them(tmp_path: Path, running: ModuleType, lab: ModuleType) -> None:
    saga = lab.composite("/saga", "saga", _STEPS)
    journal = lab.workspace(tmp_path, running, *lab.ROUTES, saga)
    limits = 'rules:\n  - {match: {run: "*"}, total: {writes: 1}}\n'
    running.write_workspace(tmp_path, {"policies/limits.yaml": limits})
    key = DevelopmentKey(Keyring.open(tmp_path / ".figway" / "keys", NAME))
    token, _ = key.mint("alice", via=["bot"], roles=["writer"], run="r-1")
    with running.serving(tmp_path, "--dev") as gateway, gateway.client(f"Bearer {token}") as client:
        n = uuid4().hex
        reply = client.post("/saga", json={"n": n})
        assert reply.json()["type"].endswith(":run-exhausted"), reply.text
        assert reply.status_code == 403
        assert "Undone: one." in reply.json()["detail"]
        again = client.post("/make", json={"n": n, "sku": "more"})
    assert [each["sku"] for each in lab.effects(journal) if each["n"] == n] == ["one", "one"]
    # What undoes is no write of the agent's own will, and gives none back: the run has none left.
    assert again.json()["type"].endswith(":run-exhausted")
