"""Keys that the operator gives: alike on every host, rotated where they are kept, never shown."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from pathlib import Path
from types import ModuleType

import pytest

from gateway.identity.keyrings import Keyrings
from gateway.identity.signing import KeyFileError


def _key() -> str:
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()


def test_a_given_key_signs_and_the_ones_behind_it_verify(tmp_path: Path) -> None:
    new, old = _key(), _key().rstrip("=")
    before = Keyrings(tmp_path / "a", {"cursor": old})["cursor"]
    ring = Keyrings(tmp_path / "b", {"cursor": f"{new},\n{old}"})["cursor"]
    assert ring.current != before.current
    assert ring.by_id(before.current.id) == before.current
    assert not (tmp_path / "b" / "cursor.json").exists()


def test_other_rings_stay_the_folders_own(tmp_path: Path) -> None:
    rings = Keyrings(tmp_path, {"cursor": _key()})
    rings["cursor"], rings["pepper"]
    assert rings.own() == ["pepper"]


@pytest.mark.parametrize("text", ["", "short", "A" * 42, "A" * 86, "A" * 43 + ";" + "A" * 43])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyFileError, match=r"keys\.audit in gateway\.yaml must be 32 random bytes") as raised:
        Keyrings(tmp_path, {"audit": text})["audit"]
    assert not text or text not in str(raised.value)


def test_a_gateway_serves_under_given_keys(tmp_path: Path, running: ModuleType) -> None:
    """A key made on one host proves its caller on another that was given the same pepper."""
    given = {"PEPPER": _key(), "CURSOR": _key()}
    contract = (Path(__file__).parents[1] / "ingress" / "lab.yaml").read_text()
    text = "upstreams:\n  lab: {kind: lab}\n  faulty: {kind: lab}\n  closed: {kind: lab, down: true}\n"
    text += "keys: {pepper: env:PEPPER, cursor: env:CURSOR}\n"
    files = {"gateway.yaml": text, "openapi/lab.yaml": contract}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in given.items():
            environment.setenv(name, value)
        running.write_workspace(tmp_path, files)
        with running.serving(tmp_path) as gateway, gateway.client() as client:
            assert client.get("/items/A").status_code == 200
            refused = running.figway("key", "rotate", "pepper", "--workspace", str(tmp_path))
    assert refused.returncode == 1
    assert "the key 'pepper' is given by gateway.yaml" in refused.stderr
    assert not {path.stem for path in (tmp_path / ".figway" / "keys").glob("*.json")} & {"pepper", "cursor"}
